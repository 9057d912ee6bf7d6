/** No cache may keep these: answers belong to one session. */
export const jsonHeaders = { 'content-type': 'application/json', 'cache-control': 'no-store' } as const

export const emptyHeaders = { 'cache-control': 'no-store' } as const

/**
 * `no-transform` keeps compression middleware and proxies from buffering the stream; `x-accel-buffering` tells nginx.
 */
export const eventStreamHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
} as const

/** Visible ASCII, spaces and tabs: all that a header which mirrors the body may be of (2026-07-28, Value Encoding). */
export function isPlainText(value: string): boolean {
  return /^[\t\x20-\x7e]*$/.test(value)
}

export const sessionIdHeader = 'mcp-session-id'

/** Between nodes: no client has come back, but a node goes on with what one that is gone has served. */
export const recoveryHeader = 'throughline-recovery'

/** `gap`: on the standalone stream, when events that the client missed are no longer all kept. */
export const resumeHeader = 'mcp-resume'
