import type { Backplane } from './backplane.ts'
import { GuardedBus } from './guarded-bus.ts'
import { GuardedEvents } from './guarded-events.ts'
import { GuardedSessions } from './guarded-sessions.ts'
import { isEmbedded } from './memory/memory-backplane.ts'

export { type BackplanePart, StoreError, StoreTypeError } from './store-calls.ts'

export interface GuardOptions {
  /** Time, in milliseconds, that a store has to answer. */
  readonly timeoutMs: number
}

/**
 * Stands between the endpoint and stores that are not ours. Whatever they return is awaited, for a time; what they
 * throw or reject with becomes a {@link StoreError}, what they must not give a `TypeError`; what can be repeated is,
 * once. The embedded ones answer at once, and are left as they are.
 */
export function guardBackplane({ sessions, events, bus }: Backplane, { timeoutMs }: GuardOptions): Backplane {
  return {
    sessions: isEmbedded(sessions) ? sessions : new GuardedSessions(sessions, timeoutMs),
    events: isEmbedded(events) ? events : new GuardedEvents(events, timeoutMs),
    bus: isEmbedded(bus) ? bus : new GuardedBus(bus, timeoutMs),
  }
}
