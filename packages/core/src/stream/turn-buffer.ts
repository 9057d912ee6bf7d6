/** Characters that are gathered before they are written without waiting for the rest of what runs now. */
const gatherUpTo = 16_384

/**
 * Calls back when the running code is through, with every promise that it settles. Where a runtime does not know that
 * moment, each event is written by itself.
 */
const afterThisTurn: (work: () => void) => void = globalThis.process?.nextTick ?? queueMicrotask

/** Where a turn's text goes. */
export interface TurnTarget {
  /** `false`: what is gathered waits for the next `flush`. */
  readonly hasRoom: boolean
  writeNow(text: string): void
}

/** Gathers the text of one turn of the event loop: a burst of events is one write, and so is a stream that is answered at once. */
export class TurnBuffer {
  readonly #target: TurnTarget
  #text = ''
  #willFlush = false

  constructor(target: TurnTarget) {
    this.#target = target
  }

  add(text: string): void {
    this.#text += text
    if (this.#text.length >= gatherUpTo) return this.flush()
    if (this.#willFlush) return
    this.#willFlush = true
    afterThisTurn(() => {
      this.#willFlush = false
      this.flush()
    })
  }

  flush(): void {
    if (this.#text !== '' && this.#target.hasRoom) this.#target.writeNow(this.take())
  }

  /** What is not written yet; the buffer is empty then. */
  take(): string {
    const text = this.#text
    this.#text = ''
    return text
  }
}
