import type { EventSink, EventStreamBody, SinkEvents } from './http.ts'

/** Larger texts are written in pieces of this size: only between pieces does a slow client differ from a dead one. */
const pieceBytes = 65_536

/** Bytes that may wait in a platform's queue before its client counts as behind. */
export const queueBytes = 262_144

const encoder = new TextEncoder()

/** A platform's way to the network. */
export interface Outlet {
  /** Queues a chunk. `false`: the queue is full for now. */
  push(chunk: string | Uint8Array): boolean
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
  #rest: Uint8Array | undefined
  #ending = false

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
    if (text.length <= pieceBytes && !this.#rest) return this.#outlet.push(text)
    return this.#pushPieces(this.#withRest(text))
  }

  end(text: string): void {
    if (text.length <= pieceBytes && !this.#rest) return this.#outlet.end(text)
    this.#ending = true
    this.#pushPieces(this.#withRest(text))
    if (!this.#rest) this.#outlet.end('')
  }

  destroy(): void {
    this.#outlet.destroy()
  }

  drained(): void {
    if (!this.#rest) {
      this.#events?.drain()
    } else {
      this.#events?.progress()
      const hasRoom = this.#pushPieces(this.#rest)
      if (this.#ending && !this.#rest) this.#outlet.end('')
      else if (hasRoom) this.#events?.drain()
    }
  }

  gone(): void {
    this.#rest = undefined
    this.#events?.gone()
  }

  /** A text that comes while pieces of the one before wait goes behind them. */
  #withRest(text: string): Uint8Array {
    const bytes = encoder.encode(text)
    const rest = this.#rest
    if (!rest) return bytes
    const all = new Uint8Array(rest.length + bytes.length)
    all.set(rest)
    all.set(bytes, rest.length)
    return all
  }

  #pushPieces(bytes: Uint8Array): boolean {
    let hasRoom = true
    let offset = 0
    for (; offset < bytes.length && hasRoom; offset += pieceBytes) {
      hasRoom = this.#outlet.push(bytes.subarray(offset, offset + pieceBytes))
    }
    this.#rest = offset < bytes.length ? bytes.subarray(offset) : undefined
    return hasRoom
  }
}
