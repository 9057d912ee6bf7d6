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

/** What HTTP allows in the name of a header, and in its value (RFC 9110 §5). */
export const fieldName = /^[\w!#$%&'*+.^`|~-]+$/
export const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/

export const sessionIdHeader = 'mcp-session-id'

/** `gap`: on the standalone stream, when events that the client missed are no longer all kept. */
export const resumeHeader = 'mcp-resume'
