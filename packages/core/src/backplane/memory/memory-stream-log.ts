import type { LogEvent } from '../backplane.ts'
import type { SessionEvents } from './session-events.ts'

/** An event for as long as it is kept: the queues that it waits in do not hold its text once it is gone. */
export class Kept {
  event: LogEvent | undefined
  isSettled = false

  constructor(event: LogEvent) {
    this.event = event
  }
}

/** The events of one stream in memory. */
export class StreamLog {
  readonly session: SessionEvents
  /** What a reader is told of a stream that was dropped, too: its place, its requests and whether it has ended. */
  newest: LogEvent
  /** When its last event was delivered, by `now()`. */
  releasedAt: number | undefined
  dropped = false
  /** In order of index, from `#start`; dropped ones are taken out. */
  #kept: Kept[]
  #start = 0

  constructor(session: SessionEvents, event: LogEvent, first: Kept) {
    this.session = session
    this.newest = event
    // Most streams have a single event: an array that is begun empty would make room for seventeen.
    this.#kept = [first]
  }

  get size(): number {
    return this.#kept.length - this.#start
  }

  push(event: LogEvent, kept: Kept): void {
    this.#kept.push(kept)
    this.newest = event
  }

  slice(after: number, limit: number): LogEvent[] {
    const from = this.#seek(after)
    return this.#kept.slice(from, from + limit).map(({ event }) => event as LogEvent)
  }

  find(index: number): Kept | undefined {
    const kept = this.#kept[this.#seek(index - 1)]
    return kept?.event?.index === index ? kept : undefined
  }

  remove(kept: Kept, { index }: LogEvent): void {
    // The oldest mostly goes first: then there is nothing to look for.
    const at = this.#kept[this.#start] === kept ? this.#start : this.#seek(index - 1)
    kept.event = undefined
    if (at > this.#start) this.#kept.splice(at, 1)
    else if (++this.#start > 64 && this.#start * 2 > this.#kept.length) this.#forget()
  }

  /** Empties the stream; what remains says that it was there. Returns the bytes its events held. */
  drop(): number {
    let bytes = 0
    for (const kept of this.#kept) {
      if (kept.event) bytes += sizeOf(kept.event)
      kept.event = undefined
    }
    this.#kept = []
    this.#start = 0
    this.newest = { ...this.newest, data: '' }
    this.dropped = true
    return bytes
  }

  #forget(): void {
    this.#kept = this.#kept.slice(this.#start)
    this.#start = 0
  }

  /** Place of the first event with an index above `after`. */
  #seek(after: number): number {
    let low = this.#start
    let high = this.#kept.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (((this.#kept[middle] as Kept).event as LogEvent).index <= after) low = middle + 1
      else high = middle
    }
    return low
  }
}

// What V8 takes for them beside the texts, on 64 bits; measured with one stream per event.
const eventOverhead = 200
const streamOverhead = 350
const requestIdOverhead = 16

/** What an event counts against a budget, in bytes. */
export function sizeOf(event: LogEvent): number {
  return event.data.length + eventOverhead
}

/** What a stream counts beside its events, also when those were dropped. Its names may be a client's, and long. */
export function overheadOf({ streamTag, requestIds }: LogEvent): number {
  let bytes = streamOverhead + streamTag.length
  for (const requestId of requestIds)
    bytes += requestIdOverhead + (typeof requestId === 'string' ? requestId.length : 0)
  return bytes
}
