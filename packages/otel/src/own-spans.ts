import { type Attributes, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import type { ForwardMessage, Observer, TracedMessage } from '@throughline/mcp-http-core'
import { contextAround, type Forwardable, toTraceContext } from './between-nodes.ts'
import { keepSpan, runIn, takeSpan } from './message-span.ts'

/** What takes place beside calls. The conventions have no names for it: these are ours, and experimental. */
export function ownSpans(tracer: Tracer): Pick<Observer, 'replay' | 'forward' | 'takeover'> {
  const forward = spansOf<ForwardMessage>(tracer, 'throughline.forward', SpanKind.CLIENT, (message) => ({
    'mcp.session.id': message.sessionKey,
    'throughline.node': message.owner,
    'http.request.method': message.httpMethod,
  }))
  return {
    forward: {
      start: (message) => {
        message.traceContext = toTraceContext(forward.start(message))
      },
      asyncEnd: forward.asyncEnd,
    },
    replay: spansOf(tracer, 'throughline.replay', SpanKind.INTERNAL, ({ sessionKey }) => ({
      'mcp.session.id': sessionKey,
    })),
    takeover: spansOf(tracer, 'throughline.takeover', SpanKind.INTERNAL, ({ sessionKey, from, term }) => ({
      'mcp.session.id': sessionKey,
      'throughline.node': from,
      'throughline.term': term,
    })),
  }
}

function spansOf<Message extends TracedMessage & Forwardable & { outcome?: string }>(
  tracer: Tracer,
  name: string,
  kind: SpanKind,
  attributesOf: (message: Message) => Attributes,
) {
  return {
    start: (message: Message): Span => {
      const around = contextAround(message)
      const span = tracer.startSpan(name, { kind, attributes: attributesOf(message) }, around)
      keepSpan(message, span)
      runIn(trace.setSpan(around, span), message)
      return span
    },
    asyncEnd: (message: Message): void => {
      const span = takeSpan(message)
      const { outcome, error } = message
      if (outcome !== undefined) span?.setAttribute('throughline.outcome', outcome)
      if (error !== undefined) {
        span?.setAttribute('error.type', error instanceof Error ? error.name : '_OTHER')
        span?.setStatus({ code: SpanStatusCode.ERROR })
      }
      span?.end()
    },
  }
}
