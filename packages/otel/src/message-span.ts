import { type Context, context, type Span } from '@opentelemetry/api'
import type { TracedMessage } from '@throughline/mcp-http-core'

/** On the message, since a `WeakMap` of what lives so shortly is half of what a call costs in garbage collection. */
const spanKey = Symbol('span')

interface Spanned extends TracedMessage {
  [spanKey]?: Span
}

export function keepSpan(message: TracedMessage, span: Span): void {
  ;(message as Spanned)[spanKey] = span
}

export function takeSpan(message: TracedMessage): Span | undefined {
  return (message as Spanned)[spanKey]
}

/** What the message tells of runs in this context, inside of what other subscribers run it in. */
export function runIn(inside: Context, message: TracedMessage): void {
  const { within } = message
  message.within = within ? (work) => within(() => context.with(inside, work)) : (work) => context.with(inside, work)
}
