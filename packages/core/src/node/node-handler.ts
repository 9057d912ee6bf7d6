import type { IncomingMessage, ServerResponse } from 'node:http'
import type { EventStreamBody, HttpReply, Mountable } from '../http.ts'
import type { AuthInfo } from '../server.ts'
import { NodeRequest, type NodeRequestOptions } from './node-request.ts'
import { NodeSink } from './node-sink.ts'

export type { NodeRequestOptions }

/**
 * Node's request, and what connect-style middleware hangs on it: `body` (body parsers) and `auth` (`requireBearerAuth`
 * of the SDK).
 */
export type ConnectRequest = IncomingMessage & { readonly body?: unknown; readonly auth?: AuthInfo }

/**
 * A request listener for `node:http`, `node:https` and the compatibility API of `node:http2`. `options` is for
 * frameworks that keep the parsed body and the authentication elsewhere. Never rejects for what a client does.
 */
export type NodeHandler = (
  request: ConnectRequest,
  response: ServerResponse,
  options?: NodeRequestOptions,
) => Promise<void>

/** Delay after which the kernel probes a silent connection, in milliseconds. */
const tcpKeepAliveMs = 15_000

/**
 * Mounts an endpoint on Node's own request and response. No fetch objects, abort controllers or web streams are built.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 *
 * createServer(toNodeHandler(endpoint)).listen(3000, '127.0.0.1')
 * ```
 */
export function toNodeHandler(endpoint: Mountable): NodeHandler {
  return async (incoming, response, options) => {
    const reply = await readReply(endpoint, incoming, response, options)
    writeReply(reply, response, endpoint)
  }
}

/** The first half of {@link toNodeHandler}, for frameworks that write plain answers themselves. */
export async function readReply(
  endpoint: Mountable,
  incoming: ConnectRequest,
  response: ServerResponse,
  options: NodeRequestOptions = { parsedBody: incoming.body, auth: incoming.auth },
): Promise<HttpReply> {
  const request = new NodeRequest(incoming, response, options)
  const reply = await endpoint.handle(request)
  request.discardBody()
  return reply
}

/** The second half. Headers set on `response` before stay. */
export function writeReply(reply: HttpReply, response: ServerResponse, { closing }: Pick<Mountable, 'closing'>): void {
  const { status, headers, body } = reply
  if (typeof body === 'object') return writeStream(body, reply, response)
  // The client left, or something in front answered already.
  if (response.headersSent || response.destroyed) return
  // While draining no connection is kept for a next request. HTTP/2 has no such header.
  const closes = closing && response.req.httpVersionMajor === 1
  // Without a length Node would send an empty body in chunks; 204 has none at all (RFC 9110 §8.6).
  const length = status === 204 ? {} : { 'content-length': String(Buffer.byteLength(body ?? '')) }
  response.writeHead(status, { ...headers, ...length, ...(closes && { connection: 'close' }) })
  response.end(body)
}

/** The stream is opened in any case: it learns from its sink that the client left. */
function writeStream(body: EventStreamBody, { status, headers }: HttpReply, response: ServerResponse): void {
  const sink = new NodeSink(response)
  if (!response.headersSent && !response.destroyed) {
    response.writeHead(status, { ...headers })
    response.socket?.setKeepAlive(true, tcpKeepAliveMs)
    response.socket?.setNoDelay(true)
  }
  // Writing to a connection that breaks fails; `close` follows and says it.
  response.on('error', () => response.destroy())
  sink.connect(body.open(sink))
}
