import { fail } from '../client/expect.ts'
import { Signal } from '../client/waiting.ts'
import { show } from './records.ts'

export interface ListenerOptions {
  readonly onMessage?: (message: string) => void
  readonly onMissed?: () => void
}

/** Remembers what was heard on a channel, and how often something may have been missed. */
export class Listener {
  readonly heard: string[] = []
  missed = 0
  unsubscribe: () => unknown = () => undefined
  readonly hear: (message: string) => void
  readonly miss: () => void
  readonly #signal = new Signal()

  constructor({ onMessage, onMissed }: ListenerOptions = {}) {
    this.hear = (message) => {
      this.heard.push(message)
      onMessage?.(message)
      this.#signal.notify()
    }
    this.miss = () => {
      this.missed++
      onMissed?.()
      this.#signal.notify()
    }
  }

  /** Waits for something to hold that changes when this hears or misses. */
  until(condition: () => boolean, ms: number): Promise<boolean> {
    return this.#signal.until(condition, ms)
  }

  async expectMissed(times: number, ms: number): Promise<void> {
    if (await this.until(() => this.missed >= times, ms)) return
    fail(`Expected \`missed\` to have been called ${times} times ${ms} ms after the outage, got ${this.missed} calls`)
  }

  hears(message: string, ms: number): Promise<boolean> {
    return this.#signal.until(() => this.heard.includes(message), ms)
  }

  expectHeard(message: string, ms: number): void {
    if (this.heard.includes(message)) return
    const last = this.heard.length === 0 ? 'nothing' : show(this.heard.at(-1))
    fail(`Expected the listener to hear ${show(message)} within ${ms} ms of repeated publishing, last it heard ${last}`)
  }
}
