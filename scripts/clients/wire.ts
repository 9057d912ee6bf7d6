import type { EraName, Feature } from './roster.ts'
import type { Exchange } from './servers.ts'

/** What one client and the server exchanged, in order. */
export type Log = readonly Exchange[]

interface Message {
  readonly method?: string
  readonly params?: { readonly name?: string }
  readonly error?: { readonly code?: number }
}

function messageIn(text: string | undefined): Message {
  try {
    return JSON.parse(text ?? '') as Message
  } catch {
    // None, or one that was cut.
    return {}
  }
}

export function methodOf(exchange: Exchange | undefined): string | undefined {
  return messageIn(exchange?.body).method
}

export function errorCodeOf(exchange: Exchange | undefined): number | undefined {
  return messageIn(exchange?.reply).error?.code
}

function ofMethod(log: Log, method: string): Log {
  return log.filter((exchange) => methodOf(exchange) === method)
}

function ofTool(log: Log, tool: string): Log {
  return ofMethod(log, 'tools/call').filter(({ body }) => messageIn(body).params?.name === tool)
}

/** Some event stream among the exchanges had this in it. */
function isStreamed(exchanges: Log, text: string): boolean {
  return exchanges.some(({ type, reply }) => type?.startsWith('text/event-stream') && reply.includes(text))
}

/** How a feature shows on the wire, where that tells more than what the client saw. */
const ways: { readonly [Name in Feature]?: Readonly<Record<EraName, (log: Log) => boolean>> } = {
  unknown: { 2025: isUnknownRefused, 2026: isUnknownRefused },
  progress: {
    2025: (log) => isStreamed(ofTool(log, 'slow'), 'notifications/progress'),
    2026: (log) => isStreamed(ofTool(log, 'slow'), 'notifications/progress'),
  },
  cancel: {
    2025: (log) => ofMethod(log, 'notifications/cancelled').some(({ status }) => status === 202),
    2026: (log) => ofTool(log, 'wait').every(({ left }) => left),
  },
  ask: {
    2025: (log) => isStreamed(ofTool(log, 'ask'), '"method":"elicitation/create"'),
    2026: (log) => ofTool(log, 'ask').some(({ reply }) => reply.includes('"resultType":"input_required"')),
  },
  change: {
    2025: (log) => isStreamed(ofHttpMethod(log, 'GET'), 'notifications/tools/list_changed'),
    2026: (log) => isStreamed(ofMethod(log, 'subscriptions/listen'), 'notifications/tools/list_changed'),
  },
}

function isUnknownRefused(log: Log): boolean {
  return ofTool(log, 'no_such_tool').some(({ reply }) => reply.includes('"code":-32602'))
}

export function ofHttpMethod(log: Log, method: string): Log {
  return log.filter((exchange) => exchange.method === method)
}

export function isOnWire(feature: Feature, era: EraName, log: Log): boolean {
  return ways[feature]?.[era](log) ?? true
}

/** Whatever was not refused: also what a client left before it was answered. */
export function served(log: Log): Log {
  return log.filter(({ status = 200 }) => status < 400)
}

/** What was refused, as `GET 400`. */
export function refused(log: Log): string[] {
  return log.filter(({ status = 200 }) => status >= 400).map(({ method, status }) => `${method} ${status}`)
}

/** The revision that a client names in its header; the oldest is named only in the handshake. */
export function spokenIn(log: Log): string {
  const named = served(log).findLast(({ version }) => version !== undefined)?.version
  const [opened] = ofMethod(log, 'initialize')
  return named ?? /"protocolVersion":"([^"]*)"/.exec(opened?.reply ?? '')?.[1] ?? '?'
}

/** One line of evidence. */
export function describe(exchange: Exchange | undefined): string {
  return exchange ? toEvidence(exchange).replaceAll('\n', '\\n') : 'nothing'
}

function toEvidence({ method, version, sessionId, body, era, status, type, reply, left }: Exchange): string {
  const head = [method, `version ${version ?? 'none'}`, sessionId === undefined ? 'no session' : 'session'].join(', ')
  const outcome = [status ?? 'no status', type ?? 'no type', `era ${era ?? 'none'}`, ...(left ? ['left'] : [])].join(
    ', ',
  )
  return `${head} ${body.slice(0, 300)} → ${outcome} ${reply.slice(0, 400)}`
}
