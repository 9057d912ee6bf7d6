import type { ServerResponse } from 'node:http'
import type { ModernDefects } from './modern-wire.ts'
import { type Message, type RequestId, writeJson } from './wire.ts'

/** Headers of every event stream. */
export function openStream(response: ServerResponse, defects: ModernDefects): void {
  const buffering: Record<string, string> = defects.has('modern-stream-may-be-buffered')
    ? {}
    : { 'x-accel-buffering': 'no' }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', ...buffering })
  response.flushHeaders()
}

/** One message as one event. Events have no ids: nothing can be resumed. */
export function writeEvent(response: ServerResponse, message: Message, defects: ModernDefects): void {
  if (response.destroyed || response.writableEnded) return
  const id = defects.has('modern-events-have-ids') ? 'id: 1\n' : ''
  response.write(`${id}data: ${JSON.stringify(message)}\n\n`)
}

/** The answer to one request: plain JSON, unless something is sent before it. */
export class ModernAnswer {
  readonly #response: ServerResponse
  readonly #defects: ModernDefects
  readonly #gone = new AbortController()
  #isStreaming = false
  #isDone = false

  constructor(response: ServerResponse, defects: ModernDefects) {
    this.#response = response
    this.#defects = defects
    response.once('close', () => this.#leave())
  }

  /** Aborted when the client goes before the response is complete: that is how it cancels. */
  get signal(): AbortSignal {
    return this.#gone.signal
  }

  send(message: Message): void {
    if (this.#isDone) return
    if (!this.#isStreaming) openStream(this.#response, this.#defects)
    this.#isStreaming = true
    writeEvent(this.#response, message, this.#defects)
  }

  finish(message: Message, id: RequestId): void {
    if (this.#isDone) return
    this.#isDone = true
    const answer = { ...message, id }
    if (!this.#isStreaming) return writeJson(this.#response, 200, answer)
    writeEvent(this.#response, answer, this.#defects)
    if (!this.#defects.has('modern-stream-outlives-its-response')) this.#response.end()
  }

  #leave(): void {
    if (this.#isDone) return
    const isSpared = this.#isStreaming
      ? this.#defects.has('modern-closed-stream-is-no-cancel')
      : this.#defects.has('modern-early-disconnect-is-no-cancel')
    if (!isSpared) this.#gone.abort()
  }
}
