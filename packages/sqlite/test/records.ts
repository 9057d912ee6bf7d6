import type { LogEvent, SessionRecord } from '@throughline/mcp-http-core'

export const ttlMs = 60_000

export function toRecord(key: string, parts: Partial<SessionRecord> = {}): SessionRecord {
  const rest = { principal: null, initialized: true, logLevel: null, subscriptions: [], createdAt: 0, owner: 'me' }
  const params = { protocolVersion: '2025-11-25', initializeParams: {}, serverCapabilities: {} }
  return { key, ...params, term: 1, ...rest, ...parts }
}

export function toEvent(n: number, parts: Partial<LogEvent> = {}): LogEvent {
  const position = { term: 1, n }
  return { streamTag: 'g', index: n, position, kind: 'message', data: '{}', last: false, requestIds: [1], ...parts }
}
