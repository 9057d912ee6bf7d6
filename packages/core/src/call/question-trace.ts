import { traces } from '../diagnostics/channels.ts'
import type { QuestionMessage } from '../diagnostics/messages.ts'
import { readTraceContext } from '../http/trace-context.ts'
import type { JsonRpcRequest, RequestId } from '../rpc/json-rpc.ts'
import type { CallsParts } from './call.ts'

/** `undefined` while nobody observes questions. */
export function traceQuestion(
  { attendance, sessionKey, streams }: CallsParts,
  { method, params }: JsonRpcRequest,
  callId: RequestId | undefined,
): QuestionMessage | undefined {
  if (!traces.question.isObserved) return undefined
  const trace: QuestionMessage = {
    version: 1,
    endpoint: attendance.endpoint,
    startedAt: performance.now(),
    durationMs: undefined,
    error: undefined,
    within: undefined,
    sessionKey,
    protocolVersion: streams.revision.version,
    method,
    params,
    callId,
    traceContext: undefined,
    requestId: undefined,
    outcome: undefined,
  }
  traces.question.begin(trace)
  return trace
}

/** `error`: what the server object gets instead of a result. */
export function finishQuestion(
  trace: QuestionMessage | undefined,
  outcome: NonNullable<QuestionMessage['outcome']>,
  error?: unknown,
): void {
  if (!trace) return
  trace.outcome = outcome
  trace.error = error
  traces.question.finish(trace)
}

/** The request with what a subscriber has to tell the client of its trace. What the app itself tells comes first. */
export function withTraceContext(request: JsonRpcRequest, trace: QuestionMessage | undefined): JsonRpcRequest {
  const context = trace && readTraceContext(trace.traceContext)
  if (!context) return request
  const { _meta: given } = request.params ?? {}
  const meta = typeof given === 'object' && given !== null ? (given as Record<string, unknown>) : {}
  if (meta.traceparent !== undefined) return request
  return { ...request, params: { ...request.params, _meta: { ...meta, ...context } } }
}
