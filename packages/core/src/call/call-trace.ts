import { traces } from '../diagnostics/channels.ts'
import type { CallMessage } from '../diagnostics/messages.ts'
import type { HttpRequest } from '../http/http.ts'
import {
  isAnswer,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  rpcCode,
  toErrorMessage,
} from '../rpc/json-rpc.ts'
import type { CallsParts } from './call.ts'

/** `undefined` while nobody observes calls. */
export function traceCall(
  { attendance, sessionKey, streams }: CallsParts,
  message: JsonRpcRequest | JsonRpcNotification,
  request: HttpRequest,
): CallMessage | undefined {
  if (!traces.call.isObserved) return undefined
  const { clientAddress, clientPort, httpVersion, isForwarded = false, traceContext } = request
  // One literal with all members, and no spread: that keeps its shape, and half of what it costs away.
  return {
    version: 1,
    endpoint: attendance.endpoint,
    startedAt: performance.now(),
    durationMs: undefined,
    error: undefined,
    within: undefined,
    sessionKey,
    protocolVersion: streams.revision.version,
    method: message.method,
    requestId: 'id' in message ? message.id : undefined,
    params: message.params,
    clientAddress,
    clientPort,
    httpVersion,
    isForwarded,
    traceContext,
    outcome: undefined,
    response: undefined,
  }
}

/** The server object has answered. Of `initialize` what is no answer comes here as well: its client gets an error. */
export function finishAnswered(trace: CallMessage, given: JsonRpcResponse): void {
  const response = isAnswer(given) ? given : toErrorMessage(rpcCode.internalError, 'Internal error')
  finishCall(trace, 'result' in response ? 'result' : 'error', response)
}

/** `response` is what the client gets, but for its id. */
export function finishCall(
  trace: CallMessage,
  outcome: NonNullable<CallMessage['outcome']>,
  response?: JsonRpcResponse,
): void {
  trace.outcome = outcome
  trace.response = response
  if (response && 'error' in response) trace.error = response.error
  traces.call.finish(trace)
}
