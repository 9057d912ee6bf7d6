import { drainingRejection, Rejection } from '../http/errors.ts'
import { sessionIdHeader } from '../http/headers.ts'
import type { HttpReply, HttpRequest } from '../http/http.ts'
import type { Acceptable } from '../http/media-types.ts'
import type { Incoming } from '../http/read-message.ts'
import { accepted, toJsonReply, toStreamReply } from '../http/reply.ts'
import type { ResolvedOptions } from '../options.ts'
import { isRequest, isResponse, type JsonRpcMessage, type JsonRpcRequest } from '../rpc/json-rpc.ts'
import { negotiate, type Revision } from '../rpc/revision.ts'
import type { LiveSession } from '../session/live-session.ts'
import type { Sessions } from '../session/sessions.ts'
import type { Exchange } from './exchange.ts'

/** Everything a POST is answered from. */
export interface PostContext {
  readonly request: HttpRequest
  readonly acceptable: Acceptable
  readonly options: ResolvedOptions
  readonly sessions: Sessions
  /** `true` while the endpoint closes: what runs may end, nothing begins. */
  readonly draining: boolean
}

/** A POST without a session id: only `initialize` may come so. */
export async function dispatchInitialize(incoming: Incoming, context: PostContext): Promise<HttpReply> {
  if (isBatch(incoming)) throw hasInitialize(incoming) ? batchedInitialize() : new Rejection('session_required')
  if (!isRequest(incoming) || incoming.method !== 'initialize') throw new Rejection('session_required')
  if (context.draining) throw drainingRejection()
  const { session, response } = await context.sessions.open(negotiated(incoming), context.request)
  const text = JSON.stringify({ ...response, id: incoming.id })
  const headers = session?.sessionId === undefined ? undefined : { [sessionIdHeader]: session.sessionId }
  const { acceptable, options } = context
  if (!session || (acceptable.json && options.response !== 'sse')) return toJsonReply(text, headers)
  return toStreamReply(
    session.streams.connect(session.streams.openAnswered(text, incoming.id), context.request.auth),
    headers,
  )
}

/** A POST to a session. */
export function dispatch(
  incoming: Incoming,
  session: LiveSession,
  context: PostContext,
): HttpReply | Promise<HttpReply> {
  const { request } = context
  if (isBatch(incoming)) return dispatchBatch(incoming, session, session.revision, context)
  if (isRequest(incoming)) return run([incoming], session, context, false)
  receive(incoming, session, request)
  return accepted
}

/** A POST to an endpoint without sessions. What is no request has nobody to go to. */
export async function dispatchStateless(
  incoming: Incoming,
  revision: Revision,
  context: PostContext,
): Promise<HttpReply> {
  const messages = isBatch(incoming) ? incoming : [incoming]
  if (isBatch(incoming)) checkBatch(incoming, revision)
  if (messages.some(isResponse)) throw new Rejection('unexpected_response')
  const requests = messages.filter(isRequest).map(negotiated)
  if (requests.length === 0) return accepted
  if (context.draining) throw drainingRejection()
  const session = await context.sessions.openStateless(context.request, revision.version)
  return run(requests, session, context, isBatch(incoming))
}

function dispatchBatch(
  batch: readonly JsonRpcMessage[],
  session: LiveSession,
  revision: Revision,
  context: PostContext,
): HttpReply | Promise<HttpReply> {
  checkBatch(batch, revision)
  for (const message of batch) if (!isRequest(message)) receive(message, session, context.request)
  const requests = batch.filter(isRequest)
  return requests.length === 0 ? accepted : run(requests, session, context, true)
}

function checkBatch(batch: readonly JsonRpcMessage[], { batches }: Revision): void {
  if (hasInitialize(batch)) throw batchedInitialize()
  if (!batches) throw new Rejection('batch_not_supported')
}

function receive(message: Exclude<JsonRpcMessage, JsonRpcRequest>, session: LiveSession, request: HttpRequest): void {
  if (!isResponse(message)) session.receive(message, request)
  else if (!session.receiveAnswer(message, request)) throw new Rejection('unexpected_response')
}

function run(
  requests: readonly JsonRpcRequest[],
  session: LiveSession,
  { request, acceptable, options, draining: isDraining }: PostContext,
  batch: boolean,
): Promise<HttpReply> {
  const [first] = requests
  if (session.sessionId !== undefined && first?.method === 'initialize') throw new Rejection('already_initialized')
  if (isDraining) throw drainingRejection()
  if (session.calls + requests.length > options.maxCallsPerSession) {
    throw new Rejection('too_many_calls', { headers: { 'retry-after': '1' } })
  }
  const exchange: Exchange = session.run(requests, request, acceptable, batch)
  return exchange.reply
}

function negotiated(request: JsonRpcRequest): JsonRpcRequest {
  return request.method === 'initialize' ? { ...request, params: negotiate(request.params ?? {}) } : request
}

function isBatch(incoming: Incoming): incoming is readonly JsonRpcMessage[] {
  return Array.isArray(incoming)
}

function hasInitialize(batch: readonly JsonRpcMessage[]): boolean {
  return batch.some((message) => isRequest(message) && message.method === 'initialize')
}

/** 2025-03-26, Lifecycle: initialize MUST NOT be part of a batch. */
function batchedInitialize(): Rejection {
  return new Rejection('invalid_request', { message: 'Invalid request: initialize must not be part of a batch' })
}
