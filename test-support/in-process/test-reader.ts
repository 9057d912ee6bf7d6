import { setImmediate as turn } from 'node:timers/promises'
import type { EventStreamBody, HttpReply, SinkEvents } from '../../packages/core/src/index.ts'
import type { Message } from './test-server.ts'

export interface TestEvent {
  id: string | undefined
  data: string
}

/** A connection whose reader the test plays. */
export class TestReader {
  readonly reply: HttpReply
  text = ''
  ended = false
  destroyed = false
  paused = false
  /** Bytes written while the reader was paused. */
  queued = 0
  #events: SinkEvents | undefined
  readonly #waiting = new Set<() => void>()

  /** Resolves when what is there to read has been written. */
  static async open(reply: HttpReply, paused = false): Promise<TestReader> {
    const reader = new TestReader(reply, paused)
    await turn()
    return reader
  }

  private constructor(reply: HttpReply, paused: boolean) {
    this.reply = reply
    this.paused = paused
    // 204: nothing is left to read.
    this.ended = reply.status === 204
    if (this.ended) return
    this.#events = (reply.body as EventStreamBody).open({
      write: (text) => {
        this.text += text
        if (this.paused) this.queued += text.length
        this.#wake()
        return !this.paused
      },
      end: (text) => {
        this.text += text
        this.ended = true
        this.#wake()
        if (!this.paused) queueMicrotask(() => this.#events?.gone())
      },
      destroy: () => {
        this.destroyed = true
        this.#wake()
      },
    })
  }

  /** The connection breaks. */
  leave(): void {
    this.#events?.gone()
  }

  resume(): void {
    this.paused = false
    if (this.ended) this.#events?.gone()
    else this.#events?.drain()
  }

  /** Events with data, in order. */
  get events(): TestEvent[] {
    return this.blocks.filter(({ data }) => data !== '')
  }

  /** Everything that sets an id or carries data. */
  get blocks(): TestEvent[] {
    return this.text
      .split('\n\n')
      .filter((block) => block.includes('data: '))
      .map((block) => ({ id: /^id: (.*)$/m.exec(block)?.[1], data: /^data: (.*)$/m.exec(block)?.[1] ?? '' }))
  }

  get messages(): Message[] {
    return this.events.map(({ data }) => JSON.parse(data) as Message)
  }

  get lastEventId(): string {
    return this.blocks.findLast(({ id }) => id !== undefined)?.id ?? ''
  }

  async until(condition: () => boolean, limitMs = 5_000): Promise<void> {
    const deadline = Date.now() + limitMs
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`Waited ${limitMs} ms in vain; got: ${this.text.slice(-500)}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 20)
        this.#waiting.add(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }
}
