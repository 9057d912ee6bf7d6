import {
  type Context,
  context,
  createTraceState,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  trace,
} from '@opentelemetry/api'
import type { TraceContext } from '@throughline/mcp-http-core'

/** A message that may be about what came to another node. */
export interface Forwardable {
  readonly isForwarded?: boolean
  readonly traceContext?: TraceContext | undefined
}

/**
 * What another node is told of a span. By hand: it is for nodes of ours alone, and must not depend on which propagator
 * the app has registered for its clients.
 */
export function toTraceContext(span: Span): TraceContext | undefined {
  const spanContext = span.spanContext()
  if (!isSpanContextValid(spanContext)) return undefined
  const { traceId, spanId, traceFlags, traceState } = spanContext
  const flags = traceFlags.toString(16).padStart(2, '0')
  return { traceparent: `00-${traceId}-${spanId}-${flags}`, tracestate: traceState?.serialize() }
}

/** What is around a message. Of one that came by another node it is that node's: here it would be the bus's own. */
export function contextAround({ isForwarded, traceContext }: Forwardable): Context {
  if (!isForwarded) return context.active()
  return traceContext ? fromTraceContext(traceContext) : ROOT_CONTEXT
}

/** The core has looked at its form. */
function fromTraceContext({ traceparent, tracestate }: TraceContext): Context {
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-')
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
    ...(tracestate !== undefined && { traceState: createTraceState(tracestate) }),
  })
}
