import type { LogEvent, SessionRecord } from '../../core/src/index.ts'

export const ttlMs = 60_000

export function toRecord(key: string, parts: Partial<SessionRecord> = {}): SessionRecord {
  const rest = { principal: null, initialized: true, logLevel: null, subscriptions: [], createdAt: 0, owner: 'me' }
  return {
    key,
    protocolVersion: '2025-11-25',
    initializeParams: {},
    serverCapabilities: {},
    term: 1,
    ...rest,
    ...parts,
  }
}

export function toEvent(n: number, parts: Partial<LogEvent> = {}): LogEvent {
  const position = { term: 1, n }
  return { streamTag: 'g', index: n, position, kind: 'message', data: '{}', last: false, requestIds: [1], ...parts }
}
