import { type Server as HttpServer, request as requestPlain } from 'node:http'
import { createServer as createHttp2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Settings } from './wire.ts'

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

/** Hop by hop: they belong to the connection by HTTP/1.1 on which they came (RFC 9113 §8.2.2). */
const connectionHeaders = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'host'])

/** In front of a server of HTTP/1.1: speaks HTTP/2 to clients that begin with it, and leaves the others alone. */
export function createFront(server: HttpServer, { defects }: Settings): Server {
  const http2 = createHttp2Server()
  const { port } = server.address() as AddressInfo
  http2.on('stream', (stream, headers) => forward(stream, headers, port))
  return createServer((socket) => {
    socket.on('error', ignore)
    socket.once('data', (first) => {
      socket.pause()
      socket.unshift(first)
      const isHttp2 = first.toString('latin1').startsWith(preface.slice(0, 4))
      if (isHttp2 && defects.has('connection-header-over-http2')) return answerByHand(socket)
      if (isHttp2) return void http2.emit('connection', socket)
      server.emit('connection', socket)
      socket.resume()
    })
  })
}

/** Connections that break are the client's business. */
function ignore(): void {
  // Nothing is left to do.
}

function forward(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, port: number): void {
  const { ':method': method = 'GET', ':path': path = '/', ':authority': host = '' } = headers
  const own = Object.entries(headers).filter(([name]) => !name.startsWith(':'))
  const request = requestPlain({ port, host: '127.0.0.1', method, path, headers: { ...Object.fromEntries(own), host } })
  request.on('error', () => stream.close())
  request.on('response', (response) => {
    const kept = Object.entries(response.headers).filter(([name]) => !connectionHeaders.has(name))
    stream.respond({ ...Object.fromEntries(kept), ':status': response.statusCode ?? 500 })
    response.on('error', ignore)
    response.pipe(stream)
  })
  stream.on('error', ignore)
  stream.on('close', () => request.destroy())
  stream.pipe(request)
}

/** Frames by hand: no HTTP/2 of Node.js would send such a header. */
function answerByHand(socket: Socket): void {
  let bytes = Buffer.alloc(0)
  let at = preface.length
  // Settings, and the acknowledgement of the client's.
  socket.write(Buffer.concat([frame(4, 0, 0), frame(4, 1, 0)]))
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk])
    while (bytes.length >= at + 9) {
      const [length, type, streamId] = [bytes.readUIntBE(at, 3), bytes[at + 3], bytes.readUInt32BE(at + 5)]
      at += 9 + length
      if (type === 1)
        socket.write(frame(1, 5, streamId, Buffer.concat([statusOk, literal('connection', 'keep-alive')])))
    }
  })
  socket.resume()
}

/** `:status: 200`, of the static table (RFC 7541 Appendix A). */
const statusOk = Buffer.of(0x88)

function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0), sized(name), sized(value)])
}

function sized(text: string): Buffer {
  return Buffer.concat([Buffer.of(text.length), Buffer.from(text)])
}

function frame(type: number, flags: number, streamId: number, payload = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(streamId, 5)
  return Buffer.concat([head, payload])
}
