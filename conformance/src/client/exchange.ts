import { EventReader } from './event-reader.ts'
import { Mismatch } from './expect.ts'
import type { Message } from './json-rpc.ts'
import type { Transcript } from './transcript.ts'
import { patienceMs, Signal, TimeLimit } from './waiting.ts'

export interface ExchangeHead {
  readonly status: number
  /** As on the wire: name, value, name, value. */
  readonly rawHeaders: readonly string[]
  readonly httpVersion: string
}

/** More than any check asks for. What a server sends beyond is not taken: its answer is judged as broken. */
const maxBodyBytes = 64 * 1_048_576

/** One HTTP exchange whose head has come. The body may still be on its way. */
export class Exchange {
  readonly status: number
  readonly rawHeaders: readonly string[]
  readonly httpVersion: string
  /** The body read as an event stream, whatever its type. */
  readonly stream = new EventReader()
  readonly what: string
  readonly startedAt: number
  readonly headAt = performance.now()
  endedAt: number | undefined
  readonly #chunks: Uint8Array[] = []
  readonly #endListeners: (() => void)[] = []
  readonly #signal = new Signal()
  readonly #transcript: Transcript
  readonly #abort: () => void
  #ended = false
  #size = 0
  #failure: Error | undefined

  constructor(
    head: ExchangeHead,
    origin: { what: string; startedAt: number; transcript: Transcript; abort: () => void },
  ) {
    this.status = head.status
    this.rawHeaders = head.rawHeaders
    this.httpVersion = head.httpVersion
    this.what = origin.what
    this.startedAt = origin.startedAt
    this.#transcript = origin.transcript
    this.#abort = origin.abort
    this.#transcript.add(`← ${this.what}: ${head.status} ${headerLines(head.rawHeaders)}`)
  }

  /** One header's lines joined with `, `; `undefined` when absent. `name` in any case. */
  header(name: string): string | undefined {
    const values = this.headerValues(name)
    return values.length === 0 ? undefined : values.join(', ')
  }

  headerValues(name: string): string[] {
    const wanted = name.toLowerCase()
    return this.rawHeaders.filter((_, index) => index % 2 === 1 && this.rawHeaders[index - 1]?.toLowerCase() === wanted)
  }

  /** Media type without parameters, lower case; `undefined` when there is none. */
  get contentType(): string | undefined {
    return this.header('content-type')?.split(';')[0]?.trim().toLowerCase()
  }

  /**
   * By its type, and where that is neither of the two by its first bytes: what is wrong about the type is for the
   * requirements about it, and what is wrong about the stream for those about streams.
   */
  get isEventStream(): boolean {
    const { contentType } = this
    if (contentType === 'text/event-stream') return true
    return contentType !== 'application/json' && beginsAsEvents(this.#chunks[0])
  }

  /** The body so far. */
  get received(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  /** Calls `listener` when the body is complete, or has broken off. */
  onEnd(listener: () => void): void {
    if (this.#ended) listener()
    else this.#endListeners.push(listener)
  }

  /** Waits until {@link isEventStream} can tell. */
  async begun(ms = patienceMs): Promise<void> {
    const { contentType } = this
    if (contentType === 'text/event-stream' || contentType === 'application/json') return
    await this.#signal.until(() => this.#chunks.length > 0 || this.#ended, ms)
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300
  }

  /** 4xx: the server refused what the client sent. */
  get refused(): boolean {
    return this.status >= 400 && this.status < 500
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Why the connection broke; `undefined` while open and after a clean end. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** The whole body. */
  async bytes(ms = patienceMs): Promise<Buffer> {
    if (!(await this.#signal.until(() => this.#ended, ms))) {
      throw new TimeLimit(`The end of the body of ${this.what} did not come within ${ms} ms`)
    }
    if (this.#size > maxBodyBytes) throw new Mismatch(tooMuch(this.what))
    return Buffer.concat(this.#chunks)
  }

  async text(ms = patienceMs): Promise<string> {
    return (await this.bytes(ms)).toString('utf8')
  }

  /** The body as JSON; `undefined` when it is none. */
  async json(ms = patienceMs): Promise<unknown> {
    const text = await this.text(ms)
    try {
      return JSON.parse(text)
    } catch {
      // Not JSON: the check that asks says what it expected.
      return undefined
    }
  }

  /** Every JSON-RPC message of an answer of so many responses, JSON or events, once it is complete. */
  async messages(ms = patienceMs, responses = 1): Promise<Message[]> {
    await this.begun(ms)
    if (this.isEventStream) {
      await this.stream.answered(responses, ms)
      return this.stream.messages
    }
    const value = await this.json(ms)
    const items: unknown[] = Array.isArray(value) ? value : [value]
    return items.filter((item): item is Message => typeof item === 'object' && item !== null)
  }

  /** Drops the connection. */
  abort(): void {
    this.#abort()
    this.end(new Error('aborted by the check'))
  }

  push(chunk: Uint8Array): void {
    if (this.#ended) return
    this.#size += chunk.length
    if (this.#size > maxBodyBytes) {
      this.#abort()
      return this.end(new Error(tooMuch(this.what)))
    }
    this.#chunks.push(chunk)
    if (this.#chunks.length === 1) this.#signal.notify()
    if (this.isEventStream) {
      this.#transcript.add(() => `← ${this.what}: ${JSON.stringify(Buffer.from(chunk).toString('utf8'))}`)
    }
    this.stream.push(chunk)
  }

  end(failure?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#failure = failure
    this.endedAt = performance.now()
    this.#transcript.add(() => {
      const body = this.isEventStream ? '' : ` ${Buffer.concat(this.#chunks).subarray(0, 4_096).toString('utf8')}`
      return `← ${this.what}: ${failure === undefined ? 'end' : failure.message}${body}`
    })
    this.stream.end(failure)
    this.#signal.notify()
    for (const listener of this.#endListeners.splice(0)) listener()
  }
}

function beginsAsEvents(chunk: Uint8Array | undefined): boolean {
  if (chunk === undefined) return false
  return /^\ufeff?(:|(data|event|id|retry):)/.test(Buffer.from(chunk.subarray(0, 16)).toString('utf8'))
}

function tooMuch(what: string): string {
  return `Expected the answer to ${what} to end within ${maxBodyBytes / 1_048_576} MiB, it did not`
}

export function headerLines(raw: readonly string[]): string {
  const lines: string[] = []
  for (let index = 0; index + 1 < raw.length; index += 2) lines.push(`${raw[index]}: ${raw[index + 1]}`)
  return lines.join(' | ')
}
