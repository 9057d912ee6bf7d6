import type { ServerResponse } from 'node:http'
import type { EventSink, SinkEvents } from '../http.ts'
import { onClose } from './on-close.ts'

/** Bytes that may wait in Node's queue. `write` returning false alone does not mean slow: it does so at 16 KiB in one tick. */
const highWater = 262_144

/** Larger texts are written in pieces of this size: only between writes can a slow reader be told from a dead one. */
const pieceBytes = 65_536

/** Writes an event stream into a `ServerResponse`, and tells the stream when the reader has caught up or left. */
export class NodeSink implements EventSink {
  readonly #response: ServerResponse
  #events: SinkEvents | undefined
  #rest: Buffer | undefined
  #ending = false

  constructor(response: ServerResponse) {
    this.#response = response
  }

  connect(events: SinkEvents): void {
    this.#events = events
    this.#response.on('drain', () => this.#drained())
    onClose(this.#response, () => events.gone())
  }

  write(text: string): boolean {
    if (text.length <= pieceBytes) this.#response.write(text)
    else this.#writePieces(Buffer.from(text))
    return this.#rest === undefined && this.#response.writableLength < highWater
  }

  end(): void {
    if (this.#rest) this.#ending = true
    else this.#response.end()
  }

  destroy(): void {
    this.#response.destroy()
  }

  #writePieces(bytes: Buffer): void {
    let offset = 0
    while (offset < bytes.length && this.#response.writableLength < highWater) {
      this.#response.write(bytes.subarray(offset, offset + pieceBytes))
      offset += pieceBytes
    }
    this.#rest = offset < bytes.length ? bytes.subarray(offset) : undefined
  }

  #drained(): void {
    if (this.#rest) {
      this.#events?.progress()
      this.#writePieces(this.#rest)
      if (this.#rest) return
    }
    if (this.#ending) this.#response.end()
    else this.#events?.drain()
  }
}
