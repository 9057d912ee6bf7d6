import { connect, type Socket } from 'node:net'
import type { Headers } from './mcp-client.ts'

export interface RawRequest {
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers: Headers
  readonly body?: string
}

/**
 * A request whose response stays open, on a socket of its own. Thousands of them are to weigh next to nothing here, so
 * only the status is read.
 */
export class RawStream {
  /** The response's status, as soon as its head comes. Some servers send none before the first event. */
  status: number | undefined
  onData: ((chunk: Buffer) => void) | undefined
  readonly #socket: Socket

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => {
      this.status ??= Number(chunk.subarray(9, 12).toString('latin1'))
      this.onData?.(chunk)
    })
    // The server may end it: whoever needs the stream sees that data does not come.
    socket.on('error', () => socket.destroy())
  }

  /** Connects and sends the request; does not wait for the response. */
  static async open({ url, method, headers, body }: RawRequest): Promise<RawStream> {
    const { hostname, port, pathname, host } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject)
    })
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const lines = Object.entries({ host, ...headers, ...length }).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(`${method} ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`)
    return new RawStream(socket)
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && !this.#socket.readableEnded
  }

  /** Resolves when both sides are closed. */
  async close(): Promise<void> {
    if (this.#socket.closed) return
    await new Promise((resolve) => this.#socket.once('close', resolve).destroy())
  }
}
