/**
 * Milliseconds by a clock that only goes forward. Deadlines go by it: a step of the wall clock, as NTP and people make,
 * must not end sessions.
 */
export function now(): number {
  return performance.now()
}
