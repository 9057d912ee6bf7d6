import type { IncomingMessage } from 'node:http'

export type Json = Record<string, unknown>

export interface SseEvent {
  readonly id: string | undefined
  readonly message: Json
  /** When its last byte arrived, by `performance.now()`. */
  readonly at: number
}

/** Reads an event stream as its bytes arrive. */
export class EventReader {
  /** Every line that came. */
  readonly lines: string[] = []
  lastEventId: string | undefined
  /** Resolves when the stream has ended, cleanly or not. */
  readonly ended: Promise<void>
  readonly #events: SseEvent[] = []
  readonly #waiting: { resolve: (event: SseEvent) => void; reject: (error: Error) => void }[] = []
  #over = false
  #partial = ''
  #id: string | undefined
  #data: string[] = []

  constructor(response: IncomingMessage) {
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => this.#read(chunk))
    this.ended = new Promise((resolve) => {
      response.once('close', () => {
        this.#over = true
        for (const { reject } of this.#waiting.splice(0)) reject(new Error('The event stream has ended'))
        resolve()
      })
    })
  }

  /** The next event that carries a message. */
  next(): Promise<SseEvent> {
    const event = this.#events.shift()
    if (event) return Promise.resolve(event)
    if (this.#over) return Promise.reject(new Error('The event stream has ended'))
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  #read(chunk: string): void {
    const lines = (this.#partial + chunk).split('\n')
    this.#partial = lines.pop() as string
    for (const line of lines) this.#line(line)
  }

  #line(line: string): void {
    this.lines.push(line)
    if (line.startsWith('id: ')) this.#id = line.slice(4)
    else if (line.startsWith('data: ')) this.#data.push(line.slice(6))
    else if (line === '') this.#dispatch()
  }

  #dispatch(): void {
    const data = this.#data.join('\n')
    const id = this.#id
    this.#data = []
    this.#id = undefined
    this.lastEventId = id ?? this.lastEventId
    if (data === '') return
    const event: SseEvent = { id, message: JSON.parse(data) as Json, at: performance.now() }
    const waiting = this.#waiting.shift()
    if (waiting) waiting.resolve(event)
    else this.#events.push(event)
  }
}
