export interface SseEvent {
  /** `undefined` without an `id` line. */
  readonly id: string | undefined
  readonly data: string
}

/** What the server writes where it has dropped events. A call's stream has no message that could say so. */
const gapComment = ': events were dropped here'

/** Reads an event stream (WHATWG HTML §9.2.6) from pieces of any size. */
export class SseReader {
  /** Milliseconds that the server asked to wait before coming back. */
  retryMs: number | undefined
  readonly #onEvent: (event: SseEvent) => void
  readonly #onGap: () => void
  readonly #decoder = new TextDecoder()
  #text = ''
  #id: string | undefined
  #data: string[] = []

  constructor(onEvent: (event: SseEvent) => void, onGap: () => void) {
    this.#onEvent = onEvent
    this.#onGap = onGap
  }

  push(chunk: Uint8Array): void {
    // Only the new text is searched: large events come in many pieces.
    let from = this.#text.length
    this.#text += this.#decoder.decode(chunk, { stream: true })
    let start = 0
    for (;;) {
      const end = this.#text.indexOf('\n', from)
      if (end === -1) break
      this.#line(this.#text.slice(start, end))
      start = end + 1
      from = start
    }
    this.#text = this.#text.slice(start)
  }

  #line(line: string): void {
    if (line === '') return this.#dispatch()
    if (line === gapComment) return this.#onGap()
    const colon = line.indexOf(':')
    const name = line.slice(0, colon)
    const value = line.slice(colon + 1).replace(/^ /, '')
    if (name === 'id') this.#id = value
    else if (name === 'data') this.#data.push(value)
    else if (name === 'retry') this.retryMs = Number(value)
  }

  #dispatch(): void {
    const event = { id: this.#id, data: this.#data.join('\n') }
    this.#id = undefined
    this.#data = []
    if (event.id !== undefined || event.data !== '') this.#onEvent(event)
  }
}
