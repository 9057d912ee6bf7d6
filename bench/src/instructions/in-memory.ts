import { createServer, type RequestListener } from 'node:http'
import { Duplex } from 'node:stream'

/** One end of a connection whose other end is in this process: what is written comes out there in the next turn. */
class End extends Duplex {
  other: End | undefined

  override _read(): void {
    // What comes is pushed.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: () => void): void {
    setImmediate(() => {
      this.other?.push(chunk)
      written()
    })
  }

  override _writev(chunks: { chunk: Buffer }[], written: () => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'binary' as BufferEncoding, written)
  }

  override _final(written: () => void): void {
    this.other?.push(null)
    written()
  }

  // What Node's HTTP asks of a socket.

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  setTimeout(): this {
    return this
  }

  get remoteAddress(): string {
    return '127.0.0.1'
  }

  get localAddress(): string {
    return '127.0.0.1'
  }
}

/** Sends the text of one request, and resolves with that of its response. */
export type Send = (request: string) => Promise<string>

/** Connections to a listener of `node:http` without a network, and so without the kernel. */
export function createConnector(listener: RequestListener): () => Send {
  const server = createServer(listener)
  return () => {
    const [client, accepted] = [new End(), new End()]
    client.other = accepted
    accepted.other = client
    server.emit('connection', accepted)
    let text = ''
    let respond: (response: string) => void = () => undefined
    client.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (!isWhole(text)) return
      const response = text
      text = ''
      respond(response)
    })
    return (request) =>
      new Promise((resolve) => {
        respond = resolve
        client.write(request)
      })
  }
}

/** Enough of HTTP for the responses that come here: with a length, in chunks, or without a body. */
function isWhole(text: string): boolean {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return false
  if (text.startsWith('HTTP/1.1 204')) return true
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, headEnd))?.[1]
  return length === undefined ? text.endsWith('0\r\n\r\n') : text.length >= headEnd + 4 + Number(length)
}
