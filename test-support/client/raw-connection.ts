import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { acceptBoth } from './reply.ts'

export interface RawRequest {
  readonly method: string
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

export interface RawResponse {
  /** The status line. */
  readonly line: string
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
}

/** A socket on which a test writes its bytes itself. */
export class RawConnection {
  readonly socket: Socket
  readonly closed: Promise<unknown>
  #received = Buffer.alloc(0)
  #ended = false
  #wake: () => void = () => undefined

  private constructor(socket: Socket) {
    this.socket = socket
    this.closed = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    const over = (): void => {
      this.#ended = true
      this.#wake()
    }
    socket.on('end', over).on('close', over)
  }

  static async open(port: number, allowHalfOpen = false): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen })
    await once(socket, 'connect')
    socket.setNoDelay(true)
    return new RawConnection(socket)
  }

  write(text: string): void {
    this.socket.write(text)
  }

  /** Sends one request, and reads nothing yet. */
  send(request: RawRequest): void {
    this.write(toRequestText(request))
  }

  /** Sends one request, and reads one response to the length that it declares: the next must begin right there. */
  async ask(request: RawRequest): Promise<RawResponse> {
    this.send(request)
    const head = await this.readHead()
    const isEmpty = request.method === 'HEAD' || head.status === 204
    return { ...head, body: await this.#readBytes(isEmpty ? 0 : Number(head.headers['content-length'])) }
  }

  /** The head of the next response; its body follows. */
  async readHead(): Promise<Omit<RawResponse, 'body'>> {
    const text = (await this.#take((bytes) => after(bytes, '\r\n\r\n'))).toString('latin1')
    const [line = '', ...fields] = text.trimEnd().split('\r\n')
    const headers: Record<string, string> = {}
    for (const field of fields) {
      const colon = field.indexOf(':')
      headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim()
    }
    return { line, status: Number(line.split(' ')[1]), headers }
  }

  async readResponse(): Promise<RawResponse> {
    const head = await this.readHead()
    return { ...head, body: await this.#readBody(head) }
  }

  /** The next chunk of a chunked body; empty: the last one. */
  async readChunk(): Promise<string> {
    const size = Number.parseInt((await this.#take((bytes) => after(bytes, '\r\n'))).toString('latin1'), 16)
    const bytes = await this.#take((received) => (received.length >= size + 2 ? size + 2 : undefined))
    return bytes.subarray(0, size).toString()
  }

  async #readBody({ status, headers }: Omit<RawResponse, 'body'>): Promise<string> {
    if (status < 200 || status === 204 || status === 304) return ''
    if (headers['transfer-encoding'] !== 'chunked') return this.#readBytes(Number(headers['content-length'] ?? 0))
    let body = ''
    for (let chunk = await this.readChunk(); chunk !== ''; chunk = await this.readChunk()) body += chunk
    return body
  }

  async #readBytes(length: number): Promise<string> {
    return (await this.#take((bytes) => (bytes.length >= length ? length : undefined))).toString()
  }

  async #take(measure: (received: Buffer) => number | undefined): Promise<Buffer> {
    for (;;) {
      const size = measure(this.#received)
      if (size !== undefined) {
        const taken = this.#received.subarray(0, size)
        this.#received = this.#received.subarray(size)
        return taken
      }
      if (this.#ended) throw new Error(`The connection ended after: ${JSON.stringify(this.#received.toString())}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

function after(bytes: Buffer, mark: string): number | undefined {
  const index = bytes.indexOf(mark)
  return index === -1 ? undefined : index + mark.length
}

/** A request head as text, ended by an empty line. */
export function toHead(method: string, path: string, headers: Record<string, string>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** A whole request as text, with the headers that the endpoint wants unless told otherwise. */
function toRequestText({ method, path = '/mcp', headers = {}, body }: RawRequest): string {
  const payload = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  const head = toHead(method, path, {
    host: 'localhost',
    accept: acceptBoth,
    ...(body !== undefined && {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(payload)),
    }),
    ...headers,
  })
  return head + payload
}
