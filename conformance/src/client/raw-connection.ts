import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { connect as connectSecure } from 'node:tls'
import { Mismatch } from './expect.ts'
import type { Transcript } from './transcript.ts'
import { patienceMs, Signal, TimeLimit, within } from './waiting.ts'

export interface RawResponse {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

/** More than any check asks for. */
const maxBytes = 64 * 1_048_576

/** A connection on which a check writes its bytes itself. */
export class RawConnection {
  readonly #socket: Socket
  readonly #host: string
  readonly #path: string
  readonly #transcript: Transcript
  readonly #signal = new Signal()
  /** Grows by doubling, so that many small chunks do not cost a copy of everything each. */
  #buffer = Buffer.alloc(16_384)
  #size = 0
  #failure: Mismatch | undefined
  #closed = false

  private constructor(socket: Socket, url: URL, transcript: Transcript) {
    this.#socket = socket
    this.#host = url.host
    this.#path = `${url.pathname}${url.search}`
    this.#transcript = transcript
    socket.on('data', (chunk) => this.#take(chunk))
    // A reset is one way for a server to refuse; the check looks at what came before.
    socket.on('error', (error) => this.#transcript.add(`← raw: ${error.message}`))
    socket.on('close', () => {
      this.#closed = true
      this.#signal.notify()
    })
  }

  static async open(url: URL, transcript: Transcript): Promise<RawConnection> {
    const isSecure = url.protocol === 'https:'
    const port = Number(url.port || (isSecure ? 443 : 80))
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const named = isIP(host) === 0 ? { servername: host } : {}
    const socket = isSecure ? connectSecure({ host, port, ...named }) : connectPlain({ host, port })
    const ready = new Promise<void>((resolve, reject) => {
      socket.once(isSecure ? 'secureConnect' : 'connect', resolve)
      socket.once('error', reject)
    })
    await within(ready, patienceMs, 'The connection')
    return new RawConnection(socket, url, transcript)
  }

  get closed(): boolean {
    return this.#closed
  }

  /** What came and was not taken off yet. */
  get received(): Buffer {
    return this.#buffer.subarray(0, this.#size)
  }

  /** Reads no more: a client that stalls. */
  pause(): void {
    this.#socket.pause()
  }

  write(data: string | Uint8Array): void {
    this.#transcript.add(`→ raw: ${JSON.stringify(Buffer.from(data).toString('latin1'))}`)
    this.#socket.write(data)
  }

  /** Writes a request head. `Host` is added unless given. */
  writeHead(method: string, headers: Readonly<Record<string, string>>): void {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    if (!lines.some((line) => /^host:/i.test(line))) lines.unshift(`Host: ${this.#host}`)
    this.write(`${method} ${this.#path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
  }

  /** Takes the next response with a body off what was received; `undefined` when none came in time. */
  async response(ms = patienceMs): Promise<RawResponse | undefined> {
    let found: { response: RawResponse; length: number } | undefined
    await this.#signal.until(() => {
      found = parseResponse(this.received, this.#closed)
      return found !== undefined || this.#closed
    }, ms)
    if (this.#failure !== undefined) throw this.#failure
    if (found === undefined) return undefined
    this.#transcript.add(`← raw: ${shown(this.received.subarray(0, found.length))}`)
    this.#buffer.copyWithin(0, found.length, this.#size)
    this.#size -= found.length
    return found.response
  }

  /** The status of the next response as soon as its first line came. */
  async status(ms = patienceMs): Promise<number | undefined> {
    const line = () => /^HTTP\/1\.[01] (\d{3})/.exec(this.received.subarray(0, 16).toString('latin1'))?.[1]
    await this.#signal.until(() => line() !== undefined || this.#closed, ms)
    if (this.#failure !== undefined) throw this.#failure
    this.#transcript.add(`← raw: ${shown(this.received)}`)
    const status = line()
    return status === undefined ? undefined : Number(status)
  }

  async waitForClose(ms = patienceMs): Promise<void> {
    if (!(await this.#signal.until(() => this.#closed, ms)))
      throw new TimeLimit(`The connection stayed open for ${ms} ms`)
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    const size = this.#size + chunk.length
    if (size > maxBytes) {
      this.#failure = new Mismatch(`Expected the server to send less than ${maxBytes / 1_048_576} MiB, it did not`)
      this.#socket.destroy()
      return
    }
    if (size > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(size, 2 * this.#buffer.length))
      this.#buffer.copy(larger, 0, 0, this.#size)
      this.#buffer = larger
    }
    chunk.copy(this.#buffer, this.#size)
    this.#size = size
    this.#signal.notify()
  }
}

function shown(bytes: Buffer): string {
  return JSON.stringify(bytes.subarray(0, 4_096).toString('latin1'))
}

function parseResponse(bytes: Buffer, closed: boolean): { response: RawResponse; length: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const [statusLine = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n')
  const status = Number(statusLine.split(' ')[1])
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  const rest = bytes.subarray(headEnd + 4)
  const body = readBody(rest, { status, headers, closed })
  if (body === undefined) return undefined
  return { response: { status, headers, body: body.bytes }, length: headEnd + 4 + body.length }
}

function readBody(
  rest: Buffer,
  head: { status: number; headers: ReadonlyMap<string, string>; closed: boolean },
): { bytes: Buffer; length: number } | undefined {
  if (head.status < 200 || head.status === 204 || head.status === 304) return { bytes: Buffer.alloc(0), length: 0 }
  if (/chunked/i.test(head.headers.get('transfer-encoding') ?? '')) return readChunks(rest)
  const declared = head.headers.get('content-length')
  if (declared !== undefined) {
    const length = Number(declared)
    return rest.length < length ? undefined : { bytes: Buffer.from(rest.subarray(0, length)), length }
  }
  return head.closed ? { bytes: Buffer.from(rest), length: rest.length } : undefined
}

function readChunks(rest: Buffer): { bytes: Buffer; length: number } | undefined {
  const parts: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = rest.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(rest.subarray(at, lineEnd).toString('latin1'), 16)
    const start = lineEnd + 2
    if (rest.length < start + size + 2) return undefined
    if (size === 0) return { bytes: Buffer.concat(parts), length: start + 2 }
    parts.push(rest.subarray(start, start + size))
    at = start + size + 2
  }
}
