import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import type { EventStreamBody, HttpReply, Mountable } from '../http/http.ts'
import { PacedSink, queueBytes } from '../http/paced-sink.ts'
import { toFaultReply } from '../http/reply.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'
import { watchResponse } from './carrier.ts'
import { type ConnectRequest, type NodeContext, NodeRequest } from './node-request.ts'
import { isAwaited, isQueued, onClose } from './on-close.ts'
import { tcpKeepAliveMs } from './tcp-keep-alive.ts'

export type { ConnectRequest, NodeContext }

/** Node's response, of HTTP/1 or of the compatibility API of HTTP/2. */
export type NodeResponse = ServerResponse | Http2ServerResponse

/**
 * A request listener for `node:http`, `node:https` and the compatibility API of `node:http2`, and a route of Express or
 * Connect. Never rejects: nobody awaits a listener. What else the platform passes goes to `context` alone.
 */
export type NodeHandler<Platform extends unknown[] = []> = (
  request: ConnectRequest,
  response: NodeResponse,
  ...platform: Platform
) => Promise<void>

/** Options of {@link toNodeHandler}. */
export interface NodeHandlerOptions<Platform extends unknown[] = []> {
  /** What your framework knows of a request and keeps elsewhere than `request.body` and `request.auth`. */
  readonly context?: (
    request: ConnectRequest,
    response: NodeResponse,
    ...platform: Platform
  ) => MaybePromise<NodeContext>
}

/**
 * Mounts an endpoint on Node's own request and response. No fetch objects, abort controllers or web streams are built.
 * `request.body` and `request.auth`, as connect-style middleware leaves them, are taken into account.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 *
 * createServer(toNodeHandler(endpoint)).listen(3000, '127.0.0.1')
 * ```
 */
export function toNodeHandler<Platform extends unknown[] = []>(
  endpoint: Mountable,
  { context }: NodeHandlerOptions<Platform> = {},
): NodeHandler<Platform> {
  return async (incoming, response, ...platform) => {
    try {
      const known = context && (await context(incoming, response, ...platform))
      writeReply(await readReply(endpoint, incoming, response, known), response)
    } catch (error) {
      // `context` threw, or somebody's refusal has a header that Node does not take.
      writeReply(toFaultReply(endpoint, error), response)
    }
  }
}

/** The first half of {@link toNodeHandler}, for frameworks that write plain answers themselves. */
export async function readReply(
  endpoint: Mountable,
  incoming: ConnectRequest,
  response: NodeResponse,
  context: NodeContext = {},
): Promise<HttpReply> {
  const request = new NodeRequest(incoming, response as ServerResponse, context)
  watchResponse(response, endpoint)
  const isHttp1 = 'shouldKeepAlive' in response
  const wasQueued = isHttp1 && isQueued(response)
  if (wasQueued) onClose(response, () => closeAfter(response, endpoint))
  const reply = await endpoint.handle(request)
  request.discardBody()
  if (!isHttp1) return reply
  // While draining no connection is kept for a next request.
  if (endpoint.closing) response.shouldKeepAlive = false
  else if (typeof reply.body === 'object' && !wasQueued) onClose(response, () => closeAfter(response, endpoint))
  return reply
}

/** The head may have been sent before the endpoint drained, when its connection was to be kept. */
function closeAfter(response: ServerResponse, { closing }: Mountable): void {
  if (closing && !isAwaited(response)) response.req.socket.destroySoon()
}

/** The second half. Headers set on `response` before stay. */
export function writeReply(reply: HttpReply, to: NodeResponse): void {
  const { status, headers, body } = reply
  // The compatibility API of HTTP/2 is the same for all that is used here.
  const response = to as ServerResponse
  if (typeof body === 'object') return writeStream(body, reply, response)
  // The client left, or something in front answered already.
  if (response.headersSent || response.destroyed) return
  // Without a length Node would send an empty body in chunks; 204 has none at all (RFC 9110 §8.6).
  if (status === 204) response.writeHead(status, { ...headers })
  else response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body ?? '') })
  response.end(body)
}

/** The stream is opened in any case: it learns that the client left. */
function writeStream(body: EventStreamBody, { status, headers }: HttpReply, response: ServerResponse): void {
  if (!response.headersSent && !response.destroyed) {
    response.writeHead(status, { ...headers })
    response.socket?.setKeepAlive(true, tcpKeepAliveMs)
    response.socket?.setNoDelay(true)
  }
  // Writing to a connection that breaks fails; `close` follows and says it.
  response.on('error', () => response.destroy())
  const sink = PacedSink.open(body, {
    push: (chunk) => {
      // By itself Node would hold the chunk back until the running code is through, which may send a lot more.
      const { socket } = response
      socket?.cork()
      response.write(chunk)
      socket?.uncork()
      // That `write` returned false does not mean slow: it does so at 16 KiB in one tick.
      const hasRoom = response.writableLength < queueBytes
      if (!hasRoom) response.once('drain', () => sink.drained())
      return hasRoom
    },
    end: (text) => response.end(text),
    destroy: () => response.destroy(),
  })
  onClose(response, () => sink.gone())
}
