import { isObject, isResponse, type Message } from './json-rpc.ts'
import { type SseBlock, SseParser } from './sse-parser.ts'
import { patienceMs, Signal, TimeLimit } from './waiting.ts'

/** A block that is dispatched as an event. */
export interface SseEvent extends SseBlock {
  readonly data: string
}

/** The JSON-RPC messages an event carries: none when its data is empty, several when it is a batch. */
export function messagesOf(event: SseEvent): Message[] {
  if (event.data === '') return []
  const value: unknown = JSON.parse(event.data)
  return (Array.isArray(value) ? value : [value]).filter((item): item is Message => isObject(item))
}

function hasData({ data }: SseEvent): boolean {
  return data !== ''
}

/** Messages of an event, none when its data is not JSON: one requirement judges that, the others go on. */
export function readable(event: SseEvent): Message[] {
  try {
    return messagesOf(event)
  } catch {
    return []
  }
}

/** So long after the last response of an answer, what follows it on its stream has come as a rule. */
const afterwardsMs = 500

/** Reads one event stream. Every wait has a limit. */
export class EventReader {
  /** Every block so far, also those that dispatch nothing. */
  readonly blocks: SseBlock[] = []
  /** Every dispatched event so far. */
  readonly events: SseEvent[] = []
  /** When each chunk of bytes arrived. */
  readonly chunks: { readonly at: number; readonly bytes: Uint8Array }[] = []
  ended = false
  /** Why the connection broke; `undefined` while open and after a clean end. */
  failure: Error | undefined
  readonly #listeners: ((event: SseEvent) => void)[] = []
  readonly #signal = new Signal()
  readonly #parser = new SseParser((block) => this.#take(block))
  #position = 0

  /** Calls `listener` with each event, those before included. */
  onEvent(listener: (event: SseEvent) => void): void {
    for (const event of this.events) listener(event)
    this.#listeners.push(listener)
  }

  push(bytes: Uint8Array): void {
    const at = performance.now()
    this.chunks.push({ at, bytes })
    this.#parser.push(bytes, at)
    this.#signal.notify()
  }

  end(failure?: Error): void {
    if (this.ended) return
    this.ended = true
    this.failure = failure
    this.#signal.notify()
  }

  /** Bytes after the last blank line. */
  get remainder(): Uint8Array {
    return this.#parser.remainder
  }

  get raw(): Buffer {
    return Buffer.concat(this.chunks.map((chunk) => chunk.bytes))
  }

  /** The id a client would send as `Last-Event-ID` now; `undefined` when none was sent. */
  get lastEventId(): string | undefined {
    return this.blocks.at(-1)?.lastEventId || undefined
  }

  /** All JSON-RPC messages so far. */
  get messages(): Message[] {
    return this.events.flatMap(messagesOf)
  }

  /** The next event; `undefined` when the stream ended. */
  async next(ms = patienceMs): Promise<SseEvent | undefined> {
    const held = await this.#signal.until(() => this.#position < this.events.length || this.ended, ms)
    if (!held) throw new TimeLimit(`No event came within ${ms} ms (${this.events.length} before)`)
    const event = this.events[this.#position]
    if (event !== undefined) this.#position += 1
    return event
  }

  /** The first event not yet taken for which `predicate` holds. */
  async until(predicate: (event: SseEvent) => boolean, what = 'The awaited event', ms = patienceMs): Promise<SseEvent> {
    const deadline = performance.now() + ms
    for (;;) {
      const left = deadline - performance.now()
      const event = await this.next(Math.max(0, left)).catch((error: unknown) => {
        if (error instanceof TimeLimit) throw new TimeLimit(`${what} did not come within ${ms} ms`)
        throw error
      })
      if (event === undefined) throw new TimeLimit(`${what} did not come: the stream ended before`)
      if (predicate(event)) return event
    }
  }

  /** Waits until `count` events that count (those with data, unless told) came, or the stream ended. */
  async atLeast(count: number, ms = patienceMs, counts = hasData): Promise<boolean> {
    const full = () => this.events.filter(counts).length >= count
    await this.#signal.until(() => full() || this.ended, ms)
    return full()
  }

  /** Waits for the end of the stream. */
  async closed(ms = patienceMs, what = 'The end of the stream'): Promise<void> {
    if (!(await this.#signal.until(() => this.ended, ms))) throw new TimeLimit(`${what} did not come within ${ms} ms`)
  }

  /**
   * Waits for so many responses, and for what may follow them: a server should end the stream of an answer, and need not
   * (Sending Messages 6).
   */
  async answered(responses: number, ms = patienceMs): Promise<void> {
    const count = () => this.events.flatMap(readable).filter(isResponse).length
    await this.#signal.until(() => this.ended || count() >= responses, ms)
    if (count() === 0 && !this.ended) throw new TimeLimit(`No response came on the stream within ${ms} ms`)
    await this.endsWithin(afterwardsMs)
  }

  /** `true` when the stream ended within `ms`. */
  endsWithin(ms: number): Promise<boolean> {
    return this.#signal.until(() => this.ended, ms)
  }

  /** Waits for the first byte, whatever it is. */
  async firstByte(ms = patienceMs): Promise<boolean> {
    await this.#signal.until(() => this.chunks.length > 0 || this.ended, ms)
    return this.chunks.length > 0
  }

  /** Waits for anything more than came so far, be it half a line. `false` when nothing did. */
  async moreChunks(ms = patienceMs): Promise<boolean> {
    const before = this.chunks.length
    await this.#signal.until(() => this.chunks.length > before || this.ended, ms)
    return this.chunks.length > before
  }

  #take(block: SseBlock): void {
    this.blocks.push(block)
    if (block.data === undefined) return
    const event: SseEvent = { ...block, data: block.data }
    this.events.push(event)
    for (const listener of this.#listeners) listener(event)
  }
}
