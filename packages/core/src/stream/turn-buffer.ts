import type { EventSink } from '../http/http.ts'
import { afterThisTurn } from '../promises/after-this-turn.ts'
import { now } from '../promises/clock.ts'

/** Characters that are gathered before they are written without waiting for the rest of what runs now. */
const gatherUpTo = 16_384

/**
 * Text that waits to be written to one sink. Gathers that of a turn of the event loop: a burst of events is one write,
 * and so is a stream that is answered at once; where a runtime does not know when a turn ends, each event is written by
 * itself. Text that the sink has no room for waits here until it drains.
 */
export class TurnBuffer {
  /** `false` while the sink wants no more, and while it is being written to. */
  hasRoom = false
  /** When the reader was last known to read, by {@link now}. */
  activeAt = now()
  #sink: EventSink | undefined
  #text = ''
  #willFlush = false
  #isWriting = false

  open(sink: EventSink): void {
    this.#sink = sink
    this.hasRoom = true
  }

  add(text: string): void {
    this.#text += text
    if (this.#text.length >= gatherUpTo) return this.#flush()
    if (this.#willFlush) return
    this.#willFlush = true
    afterThisTurn(() => {
      this.#willFlush = false
      this.#flush()
    })
  }

  /**
   * Adds a large text with what belongs around it. Made one text they would be a copy for each reader, so they are
   * written one by one, and the sink keeps what it has no room for.
   */
  addLarge(head: string, large: string, end: string): void {
    this.add(head)
    this.#flush()
    if (this.#text === '' && this.#sink) this.hasRoom = this.#write(this.#sink, large)
    else this.#text += large
    this.add(end)
  }

  /** The sink asks for more. `false`: there is none to be written now. */
  drained(): boolean {
    // Some sinks ask while they are being written to.
    if (this.#isWriting) return false
    this.hasRoom = true
    this.#flush()
    return this.hasRoom
  }

  /** Returns the text that is not written yet; nothing is written any more. */
  close(): string {
    const rest = this.#text
    this.#text = ''
    this.#sink = undefined
    this.hasRoom = false
    return rest
  }

  #flush(): void {
    const text = this.#text
    const sink = this.#sink
    if (text === '' || !this.hasRoom || !sink) return
    this.#text = ''
    this.hasRoom = this.#write(sink, text)
  }

  #write(sink: EventSink, text: string): boolean {
    this.activeAt = now()
    this.hasRoom = false
    this.#isWriting = true
    const hasRoom = sink.write(text)
    this.#isWriting = false
    // The sink may have said that the client is gone.
    return hasRoom && this.#sink === sink
  }
}
