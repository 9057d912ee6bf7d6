import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import type { EventStreamBody, HttpReply, Mountable } from '../http/http.ts'
import { checkMountable } from '../http/mountable.ts'
import { type Outlet, PacedSink, queueBytes } from '../http/paced-sink.ts'
import { toFaultReply } from '../http/reply.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'
import { watchResponse } from './carrier.ts'
import { checkEmulated, destroy, isNetwork } from './emulated.ts'
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
 * @throws TypeError for what is no endpoint
 */
export function toNodeHandler<Platform extends unknown[] = []>(
  endpoint: Mountable,
  { context }: NodeHandlerOptions<Platform> = {},
): NodeHandler<Platform> {
  checkMountable(endpoint)
  return async (incoming, response, ...platform) => {
    try {
      const known = context && (await context(incoming, response, ...platform))
      const request = accept(endpoint, incoming, response, known)
      writeReply(finish(endpoint, request, response, await endpoint.handle(request)), response)
    } catch (error) {
      // `context` threw, or somebody's refusal has a header that Node does not take.
      writeFault(toFaultReply(endpoint, error), response as ServerResponse)
    }
  }
}

/** Nobody waits for a handler: whatever is wrong with a response, its client is not left without an end. */
function writeFault(reply: HttpReply, response: ServerResponse): void {
  try {
    if (response.headersSent) response.end()
    else writeReply(reply, response)
  } catch {
    // What is emulated lacks even that. The error was reported.
  }
}

/** The first half of {@link toNodeHandler}, for frameworks that write plain answers themselves. */
export async function readReply(
  endpoint: Mountable,
  incoming: ConnectRequest,
  response: NodeResponse,
  context?: NodeContext,
): Promise<HttpReply> {
  const request = accept(endpoint, incoming, response, context)
  return finish(endpoint, request, response, await endpoint.handle(request))
}

const unknown: NodeContext = {}

function accept(
  endpoint: Mountable,
  incoming: ConnectRequest,
  response: NodeResponse,
  context: NodeContext = unknown,
): NodeRequest {
  checkEmulated(incoming, response)
  const request = new NodeRequest(incoming, response as ServerResponse, context)
  watchResponse(response, endpoint)
  request.wasQueued = 'shouldKeepAlive' in response && isQueued(response)
  if (request.wasQueued) onClose(response, () => closeAfter(response as ServerResponse, endpoint))
  return request
}

function finish(endpoint: Mountable, request: NodeRequest, response: NodeResponse, reply: HttpReply): HttpReply {
  request.discardBody()
  if (!('shouldKeepAlive' in response)) return reply
  // While draining no connection is kept for a next request.
  if (endpoint.closing) response.shouldKeepAlive = false
  else if (typeof reply.body === 'object' && !request.wasQueued) onClose(response, () => closeAfter(response, endpoint))
  return reply
}

/**
 * Time, in milliseconds, in which a client may use a connection that was kept for it once more: it gets a 503 then,
 * where a connection that is closed under its request is an error of the network.
 */
const lastRequestMs = 250

/** The head may have been sent before the endpoint drained, when its connection was to be kept. */
function closeAfter(response: ServerResponse, { closing }: Mountable): void {
  const socket = response.req?.socket
  if (!closing || !socket?.destroySoon || isAwaited(response)) return
  const { bytesRead } = socket
  setTimeout(() => {
    if (socket.bytesRead === bytesRead) socket.destroySoon()
  }, lastRequestMs).unref()
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

/** The stream is opened in any case: it learns that the client left, or that it cannot be sent. */
function writeStream(body: EventStreamBody, reply: HttpReply, response: ServerResponse): void {
  try {
    startStream(reply, response)
  } catch (error) {
    PacedSink.open(body, nowhere).gone()
    if (response.headersSent) response.end()
    throw error
  }
  const { queueBytes: mostBytes = queueBytes } = body
  const sink = PacedSink.open(body, {
    push: (chunk) => {
      // By itself Node would hold the chunk back until the running code is through, which may send a lot more.
      const { socket } = response
      socket?.cork?.()
      response.write(chunk)
      socket?.uncork?.()
      // That `write` returned false does not mean slow: it does so at 16 KiB in one tick. An emulation knows no length.
      const isFull = response.writableLength >= mostBytes
      if (isFull) response.once('drain', () => sink.drained())
      return !isFull
    },
    end: (text) => {
      response.end(text)
      // What an emulation was given, it has, and it may have said so by now.
      if (!isNetwork(response.req?.socket)) queueMicrotask(() => sink.gone())
    },
    destroy: () => destroy(response),
  })
  onClose(response, () => sink.gone())
}

function startStream({ status, headers }: HttpReply, response: ServerResponse): void {
  // Writing to a connection that breaks fails; `close` follows and says it.
  response.on('error', () => destroy(response))
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, { ...headers })
  response.socket?.setKeepAlive?.(true, tcpKeepAliveMs)
  response.socket?.setNoDelay?.(true)
}

const nowhere: Outlet = { push: () => false, end: () => undefined, destroy: () => undefined }
