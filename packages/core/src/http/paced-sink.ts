import type { EventSink, EventStreamBody, SinkEvents } from './http.ts'

/**
 * Larger texts are written in pieces of so many characters: only between pieces does a slow client differ from a dead
 * one. A piece shares its memory with the text, and so do the pieces of all who are sent the same.
 */
export const pieceLength = 65_536

/** Bytes that may wait in a platform's queue before its client counts as behind. */
export const queueBytes = 262_144

/** A platform's way to the network. */
export interface Outlet {
  /** Queues a chunk. `false`: the queue is full for now. */
  push(chunk: string): boolean
  /** Ends the body after `text`, which may be empty. */
  end(text: string): void
  destroy(): void
}

/**
 * Writes an event stream into whatever a platform has, in pieces and at its client's pace. The platform calls
 * {@link PacedSink.drained} when its queue has room and {@link PacedSink.gone} when the connection is closed.
 */
export class PacedSink implements EventSink {
  readonly #outlet: Outlet
  #events: SinkEvents | undefined
  /** What the outlet had no room for; of the first text, the rest. */
  #waiting: string[] = []
  #hasRoom = true
  #isPushing = false
  #isEnding = false

  /** Opens the stream. */
  static open(body: EventStreamBody, outlet: Outlet): PacedSink {
    const sink = new PacedSink(outlet)
    sink.#events = body.open(sink)
    return sink
  }

  private constructor(outlet: Outlet) {
    this.#outlet = outlet
  }

  write(text: string): boolean {
    const canPass = this.#hasRoom && this.#waiting.length === 0 && text.length <= pieceLength
    if (canPass && text !== '') return this.#push(text)
    this.#waiting.push(text)
    return this.#pushPieces()
  }

  end(text: string): void {
    if (this.#waiting.length === 0 && text.length <= pieceLength) return this.#outlet.end(text)
    this.#isEnding = true
    this.#waiting.push(text)
    this.#pushPieces()
    if (this.#waiting.length === 0) this.#outlet.end('')
  }

  destroy(): void {
    this.#outlet.destroy()
  }

  drained(): void {
    // Some platforms ask while they are being written to.
    if (this.#isPushing) return
    this.#hasRoom = true
    if (this.#waiting.length === 0) return this.#events?.drain()
    this.#events?.progress()
    const hasRoom = this.#pushPieces()
    if (this.#waiting.length > 0) return
    if (this.#isEnding) this.#outlet.end('')
    else if (hasRoom) this.#events?.drain()
  }

  gone(): void {
    this.#waiting = []
    this.#events?.gone()
  }

  #pushPieces(): boolean {
    while (this.#hasRoom && this.#waiting.length > 0) {
      const piece = this.#nextPiece()
      if (piece !== '') this.#push(piece)
    }
    return this.#hasRoom
  }

  #push(piece: string): boolean {
    this.#isPushing = true
    this.#hasRoom = this.#outlet.push(piece)
    this.#isPushing = false
    return this.#hasRoom
  }

  #nextPiece(): string {
    const [text] = this.#waiting as [string]
    if (text.length <= pieceLength) {
      this.#waiting.shift()
      return text
    }
    // The two halves of one character stay together.
    const end = isFirstHalf(text.charCodeAt(pieceLength - 1)) ? pieceLength - 1 : pieceLength
    this.#waiting[0] = text.slice(end)
    return text.slice(0, end)
  }
}

function isFirstHalf(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff
}
