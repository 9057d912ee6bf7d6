import { Rejection } from '../http/errors.ts'
import type { HttpReply } from '../http/http.ts'
import type { Incoming } from '../http/read-message.ts'
import { accepted } from '../http/reply.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'
import { isRequest, isResponse, type JsonRpcMessage, type JsonRpcRequest } from '../rpc/json-rpc.ts'
import type { Revision } from '../rpc/revision.ts'
import type { Calls } from './calls.ts'
import type { Posted } from './exchange.ts'

/** A POST to a session, by the kind of its messages. */
export function dispatch(
  incoming: Incoming,
  calls: Calls,
  revision: Revision,
  posted: Omit<Posted, 'isBatch'>,
): MaybePromise<HttpReply> {
  if (isBatch(incoming)) return dispatchBatch(incoming, calls, revision, posted)
  if ('method' in incoming && 'id' in incoming) {
    if (incoming.method === 'initialize') throw new Rejection('already_initialized')
    const { request, acceptable } = posted
    return calls.run([incoming], { request, acceptable, isBatch: false })
  }
  receive(incoming, calls, posted)
  return accepted
}

function dispatchBatch(
  batch: readonly JsonRpcMessage[],
  calls: Calls,
  revision: Revision,
  posted: Omit<Posted, 'isBatch'>,
): MaybePromise<HttpReply> {
  checkBatch(batch, revision)
  for (const message of batch) if (!isRequest(message)) receive(message, calls, posted)
  const requests = batch.filter(isRequest)
  const { request, acceptable } = posted
  return requests.length === 0 ? accepted : calls.run(requests, { request, acceptable, isBatch: true })
}

function receive(
  message: Exclude<JsonRpcMessage, JsonRpcRequest>,
  calls: Calls,
  { request }: Omit<Posted, 'isBatch'>,
): void {
  if (!isResponse(message)) calls.receive(message, request)
  else if (!calls.receiveAnswer(message, request)) throw new Rejection('unexpected_response')
}

export function requestsIn(incoming: Incoming): readonly JsonRpcRequest[] {
  if (isBatch(incoming)) return incoming.filter(isRequest)
  return isRequest(incoming) ? [incoming] : []
}

export function isBatch(incoming: Incoming): incoming is readonly JsonRpcMessage[] {
  return Array.isArray(incoming)
}

/** 2025-03-26, Lifecycle: initialize MUST NOT be part of a batch. */
export function checkBatch(batch: readonly JsonRpcMessage[], { batches }: Pick<Revision, 'batches'>): void {
  if (batch.some((message) => isRequest(message) && message.method === 'initialize')) {
    throw new Rejection('invalid_request', { message: 'Invalid request: initialize must not be part of a batch' })
  }
  if (!batches) throw new Rejection('batch_not_supported')
}
