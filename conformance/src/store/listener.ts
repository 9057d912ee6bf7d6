import { fail } from '../client/expect.ts'
import { Signal } from '../client/waiting.ts'
import { show } from './records.ts'

/** Remembers what was heard on a channel. */
export class Listener {
  readonly heard: string[] = []
  unsubscribe: () => unknown = () => undefined
  readonly hear: (message: string) => void
  readonly #signal = new Signal()

  constructor(onMessage?: (message: string) => void) {
    this.hear = (message) => {
      this.heard.push(message)
      onMessage?.(message)
      this.#signal.notify()
    }
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
