import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2'
import { isIP } from 'node:net'
import { connect as connectSecure, type TLSSocket } from 'node:tls'
import { Mismatch } from './expect.ts'
import { patienceMs, within } from './waiting.ts'

/** A connection on which requests go by HTTP/2. */
export class Http2Connection {
  readonly #session: ClientHttp2Session
  readonly #path: string

  private constructor(session: ClientHttp2Session, url: URL) {
    this.#session = session
    this.#path = `${url.pathname}${url.search}`
  }

  /** `undefined` when the server does not speak it: over TLS it is negotiated, otherwise it is tried. */
  static async open(url: URL): Promise<Http2Connection | undefined> {
    const socket = url.protocol === 'https:' ? await negotiate(url) : undefined
    if (url.protocol === 'https:' && socket === undefined) return undefined
    const session = connect(url, socket === undefined ? {} : { createConnection: () => socket })
    const isSpoken = new Promise<boolean>((resolve) => {
      // A server speaks HTTP/2 once it has sent its settings.
      session.once('remoteSettings', () => resolve(true))
      session.on('error', () => resolve(false))
      session.once('close', () => resolve(false))
    })
    if (await within(isSpoken, patienceMs, 'An answer by HTTP/2').catch(() => false)) {
      return new Http2Connection(session, url)
    }
    session.destroy()
    return undefined
  }

  /** Sends a request; resolves with the head of the answer, whose body is not read. */
  async head(method: string, headers: Readonly<Record<string, string>>, body = ''): Promise<IncomingHttpHeaders> {
    const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])
    const head = { ...Object.fromEntries(lower), ':method': method, ':path': this.#path }
    const stream = this.#session.request(head, { endStream: body === '' })
    const answer = new Promise<IncomingHttpHeaders>((resolve, reject) => {
      stream.once('response', resolve)
      stream.on('error', ({ message }: Error) => {
        reject(new Mismatch(`Expected a well-formed head in answer to ${method} over HTTP/2, got: ${message}`))
      })
    })
    if (body !== '') stream.end(body)
    try {
      return await within(answer, patienceMs, `The head of the answer to ${method} over HTTP/2`)
    } finally {
      stream.close()
    }
  }

  close(): void {
    this.#session.destroy()
  }
}

async function negotiate(url: URL): Promise<TLSSocket | undefined> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const named = isIP(host) === 0 ? { servername: host } : {}
  const socket = connectSecure({ host, port: Number(url.port || 443), ...named, ALPNProtocols: ['h2'] })
  const ready = new Promise<boolean>((resolve) => {
    socket.once('secureConnect', () => resolve(socket.alpnProtocol === 'h2'))
    // A server that knows HTTP/1.1 only may refuse the handshake.
    socket.on('error', () => resolve(false))
  })
  if (await within(ready, patienceMs, 'The connection').catch(() => false)) return socket
  socket.destroy()
  return undefined
}
