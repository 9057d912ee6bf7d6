import type { LiveSession } from './live-session.ts'

/** What a session does at a moment, on the node where it lives. */
export interface SessionActivity {
  readonly runningCalls: number
  readonly connections: number
  /** Time, in milliseconds, without a call and a connection; 0 while there is one. */
  readonly idleMs: number
}

export function toActivity({ runningCalls, seat: { connections, idleMs } }: LiveSession): SessionActivity {
  return { runningCalls, connections, idleMs: Math.round(idleMs) }
}
