import type { MaybePromise } from '../promises/maybe-promise.ts'
import type { AppendOutcome, BusMessage, EventLog, LogEvent } from './backplane.ts'

/** Knows who waits for events on another node. */
export interface Announcer {
  /** What that node is told when these are stored, by the append itself; `undefined`: nobody waits there. */
  announce(events: readonly LogEvent[]): BusMessage | undefined
}

/** An event log as the endpoint has it. */
export interface AnnouncingLog extends EventLog {
  /** Asks the announcer when the events are on their way, and not at all where the log cannot publish with an append. */
  append(sessionKey: string, events: readonly LogEvent[], announcer?: Announcer): MaybePromise<AppendOutcome>
}
