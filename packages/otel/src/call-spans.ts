import {
  type Attributes,
  type Context,
  context,
  isSpanContextValid,
  type Link,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { type CallMessage, errorTypeOf, networkVersionOf, OperationNames, targetOf } from '@throughline/mcp-http-core'
import { contextAround } from './between-nodes.ts'
import { clipped, clippedContents } from './clipped.ts'
import { keepSpan, runIn, takeSpan } from './message-span.ts'

/** Spans of requests and notifications of clients, by the conventions for MCP servers. */
export class CallSpans {
  readonly #tracer: Tracer
  readonly #recordsContents: boolean
  readonly #names = new OperationNames()

  constructor(tracer: Tracer, recordsContents: boolean) {
    this.#tracer = tracer
    this.#recordsContents = recordsContents
  }

  begin(message: CallMessage): void {
    const { parent, links } = whereFrom(message)
    // What samplers see is never a name that a client may have made up.
    const name = this.#names.nameOf(message) ?? 'mcp'
    const attributes = samplingAttributes(message)
    const span = this.#tracer.startSpan(name, { kind: SpanKind.SERVER, attributes, ...(links && { links }) }, parent)
    if (span.isRecording()) {
      this.#describe(span, message)
      keepSpan(message, span)
    } else if (parent === context.active() && isUnsampled(parent, span)) return
    runIn(trace.setSpan(parent, span), message)
  }

  end(message: CallMessage): void {
    const { method, target } = this.#names.count(message)
    const span = takeSpan(message)
    if (!span) return
    span.updateName(target === undefined ? method : `${method} ${target}`)
    this.#tellOutcome(span, message)
    span.end()
  }

  /** What no sampler needs is set one by one: of attributes that a span starts with the SDK makes two copies. */
  #describe(span: Span, message: CallMessage): void {
    const { method, requestId, protocolVersion, params, clientAddress, clientPort } = message
    const networkVersion = networkVersionOf(message)
    span.setAttribute('mcp.protocol.version', protocolVersion)
    span.setAttribute('network.protocol.name', 'http')
    span.setAttribute('network.transport', 'tcp')
    if (requestId !== undefined) span.setAttribute('jsonrpc.request.id', String(requestId))
    if (clientAddress !== undefined) span.setAttribute('client.address', clientAddress)
    if (clientPort !== undefined) span.setAttribute('client.port', clientPort)
    if (networkVersion !== undefined) span.setAttribute('network.protocol.version', networkVersion)
    if (method === 'tools/call') span.setAttribute('gen_ai.operation.name', 'execute_tool')
    if (method.startsWith('resources/') && typeof params?.uri === 'string') {
      span.setAttribute('mcp.resource.uri', clipped(params.uri))
    }
    if (!this.#recordsContents || method !== 'tools/call') return
    const contents = toJson(params?.arguments)
    if (contents !== undefined) span.setAttribute('gen_ai.tool.call.arguments', clippedContents(contents))
  }

  #tellOutcome(span: Span, message: CallMessage): void {
    const { response } = message
    const errorType = errorTypeOf(message)
    if (errorType !== undefined) {
      span.setAttribute('error.type', errorType)
      const description = response && 'error' in response ? response.error.message : undefined
      span.setStatus({
        code: SpanStatusCode.ERROR,
        ...(description !== undefined && { message: clipped(description) }),
      })
    }
    if (response && 'error' in response) span.setAttribute('rpc.response.status_code', String(response.error.code))
    if (!this.#recordsContents || message.method !== 'tools/call' || !response || !('result' in response)) return
    const result = toJson(response.result)
    if (result !== undefined) span.setAttribute('gen_ai.tool.call.result', clippedContents(result))
  }
}

/** What a sampler can go by. Without spreads: each call makes one. */
function samplingAttributes(message: CallMessage): Attributes {
  const { method, sessionKey } = message
  const attributes: Attributes = { 'mcp.method.name': clipped(method) }
  // The id itself is a secret of the client: whoever has it can use the session.
  if (sessionKey !== undefined) attributes['mcp.session.id'] = sessionKey
  const target = targetOf(message)
  if (target !== undefined) {
    attributes[method === 'tools/call' ? 'gen_ai.tool.name' : 'gen_ai.prompt.name'] = clipped(target)
  }
  return attributes
}

/** Nothing that is recorded within the parent's context would be otherwise within the span's. */
function isUnsampled(parent: Context, span: Span): boolean {
  if (!isSpanContextValid(span.spanContext())) return true
  const around = trace.getSpanContext(parent)
  return around !== undefined && (around.traceFlags & TraceFlags.SAMPLED) === 0
}

interface Origin {
  readonly parent: Context
  readonly links?: Link[]
}

/**
 * The client's span, named in `params._meta`, is the parent, and the HTTP request that carried the message is a link: it
 * is the parent where the client names none. What came by another node has that node's span for its HTTP request.
 */
function whereFrom(message: CallMessage): Origin {
  const ambient = contextAround(message)
  const { _meta: meta } = message.params ?? {}
  if (typeof meta !== 'object' || meta === null) return { parent: ambient }
  const extracted = propagation.extract(trace.deleteSpan(ambient), meta, getter)
  if (!trace.getSpanContext(extracted)) {
    // It may have baggage alone.
    const span = trace.getSpan(ambient)
    return { parent: span ? trace.setSpan(extracted, span) : extracted }
  }
  const around = trace.getSpanContext(ambient)
  return { parent: extracted, ...(around && { links: [{ context: around }] }) }
}

/** A client has written it: only text is looked at. */
const getter = {
  keys: (carrier: object): string[] => Object.keys(carrier),
  get: (carrier: object, key: string): string | undefined => {
    const value: unknown = Object.hasOwn(carrier, key) ? (carrier as Record<string, unknown>)[key] : undefined
    return typeof value === 'string' ? value : undefined
  },
}

/** What a handler returned may have no JSON. */
function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}
