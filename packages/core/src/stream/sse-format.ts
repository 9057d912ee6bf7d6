/**
 * The only place that makes event-stream text (WHATWG HTML §9.2.5). `data` is JSON text and `eventId` comes from the
 * codec, so neither holds a line break.
 */
export function formatEvent(eventId: string, data: string): string {
  return `id: ${eventId}\ndata: ${data}\n\n`
}

/** An event that does not move the client's cursor. */
export function formatEventWithoutId(data: string): string {
  return `data: ${data}\n\n`
}

/** Sets the client's cursor and delivers nothing (Sending Messages 6: id and empty data). */
export function formatPriming(eventId: string): string {
  return `id: ${eventId}\ndata: \n\n`
}

/** How long, in milliseconds, the client waits before it reconnects. */
export function formatRetry(ms: number): string {
  return `retry: ${ms}\n\n`
}

/** Delivers nothing; makes proxies pass the headers on and keep the connection open. */
export const comment = ':\n\n'
