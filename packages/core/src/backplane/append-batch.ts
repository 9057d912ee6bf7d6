import { now } from '../promises/clock.ts'
import type { Announcer } from './announcer.ts'
import type { AppendOutcome, BusMessage, LogEvent } from './backplane.ts'

/** What goes to the log in one call at most, in events and in characters; one append alone may be larger. */
const maxEvents = 256
const maxCharacters = 1_048_576

/**
 * Events of one session and one term that wait for the append before them, to go to the log together. A node that takes
 * its own session over holds events of both terms for a moment: the log would judge those of the old one by the new.
 */
export class AppendBatch {
  readonly events: LogEvent[] = []
  /** When the oldest came, by {@link now}. */
  readonly since = now()
  /** Settles when they were appended. Set by who makes the batch. */
  outcome!: Promise<AppendOutcome>
  /** Of each announcer, what it is to announce. Most batches have none. */
  #announced: Map<Announcer, LogEvent[]> | undefined
  #characters = 0

  takes(events: readonly LogEvent[]): boolean {
    if (events[0]?.position.term !== this.events[0]?.position.term) return false
    return this.events.length + events.length <= maxEvents && this.#characters + sizeOf(events) <= maxCharacters
  }

  add(events: readonly LogEvent[], announcer: Announcer | undefined): void {
    this.events.push(...events)
    this.#characters += sizeOf(events)
    if (!announcer) return
    this.#announced ??= new Map()
    const announced = this.#announced.get(announcer)
    if (announced) announced.push(...events)
    else this.#announced.set(announcer, [...events])
  }

  /** One for each announcer, however many events it has. */
  toMessages(): BusMessage[] {
    if (!this.#announced) return []
    const messages = [...this.#announced].map(([announcer, events]) => announcer.announce(events))
    return messages.filter((message) => message !== undefined)
  }
}

function sizeOf(events: readonly LogEvent[]): number {
  let size = 0
  for (const { data } of events) size += data.length
  return size
}
