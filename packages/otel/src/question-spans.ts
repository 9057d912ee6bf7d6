import { context, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api'
import { answeredCode, type QuestionMessage, questionErrorOf } from '@throughline/mcp-http-core'
import { toTraceContext } from './between-nodes.ts'
import { clipped } from './clipped.ts'
import { keepSpan, takeSpan } from './message-span.ts'

/**
 * Spans of requests to clients, by the conventions for MCP clients: whoever asks is the client of that operation. They are
 * children of the call that asks, and the client's spans are theirs.
 */
export class QuestionSpans {
  readonly #tracer: Tracer

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  begin(message: QuestionMessage): void {
    const { method, sessionKey, protocolVersion } = message
    const attributes = {
      'mcp.method.name': clipped(method),
      'mcp.protocol.version': protocolVersion,
      'network.protocol.name': 'http',
      'network.transport': 'tcp',
      ...(sessionKey !== undefined && { 'mcp.session.id': sessionKey }),
    }
    const span = this.#tracer.startSpan(clipped(method), { kind: SpanKind.CLIENT, attributes }, context.active())
    message.traceContext = toTraceContext(span)
    keepSpan(message, span)
  }

  end(message: QuestionMessage): void {
    const span = takeSpan(message)
    if (!span) return
    const { requestId } = message
    const errorType = questionErrorOf(message)
    const code = answeredCode(message)
    if (requestId !== undefined) span.setAttribute('jsonrpc.request.id', String(requestId))
    if (code !== undefined) span.setAttribute('rpc.response.status_code', code)
    if (errorType !== undefined) {
      span.setAttribute('error.type', errorType)
      span.setStatus({ code: SpanStatusCode.ERROR })
    }
    span.end()
  }
}
