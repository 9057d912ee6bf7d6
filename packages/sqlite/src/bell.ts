import { closeSync, type FSWatcher, openSync, watch, writeSync } from 'node:fs'

/**
 * A file beside the database that is written to when there is a message: whoever watches it hears of that at once. A
 * hint alone, since some systems do not tell of such changes, and none tells of all.
 */
export class Bell {
  readonly #file: string
  readonly #onRing: () => void
  #handle: number | undefined
  #watcher: FSWatcher | undefined
  #isClosed = false
  /** Whether it has been heard here. */
  isHeard = false

  constructor(file: string, onRing: () => void) {
    this.#file = `${file}-bell`
    this.#onRing = onRing
  }

  ring(): void {
    try {
      this.#handle ??= openSync(this.#file, 'w')
      writeSync(this.#handle, '!', 0)
    } catch {
      // Whoever listens looks from time to time.
    }
    if (this.#isClosed) this.stop()
  }

  listen(): void {
    try {
      this.#handle ??= openSync(this.#file, 'w')
      this.#watcher = watch(this.#file, { persistent: false }, () => {
        this.isHeard = true
        this.#onRing()
      })
      this.#watcher.on('error', () => this.stop())
      // Shows whether it can be heard.
      this.ring()
    } catch {
      // The system allows no more watchers, or has none.
    }
  }

  /** It is rung once more for what was being written: nothing stays open for that. */
  close(): void {
    this.#isClosed = true
    this.stop()
  }

  stop(): void {
    this.#watcher?.close()
    this.#watcher = undefined
    this.isHeard = false
    if (this.#handle !== undefined) closeSync(this.#handle)
    this.#handle = undefined
  }
}
