import type { LogEvent } from '../backplane.ts'
import type { SessionEvents } from './session-events.ts'

/** The events of one session in memory, in the order in which they may be dropped. */
export class SessionEvents {
  readonly streams = new Map<string, StreamLog>()
  readonly progress = new Fifo<LogEvent>()
  readonly notifications = new Fifo<LogEvent>()
  /** Ended streams that were delivered, and all that ended, in order of that. */
  readonly released = new Fifo<StreamLog>()
  readonly finished = new Fifo<StreamLog>()
  /** Dropped streams. */
  readonly tombstones = new Fifo<StreamLog>()
  /** Highest that has written: an event with a lower one comes from an earlier owner. */
  term = 0
  bytes = 0
  events = 0

  constructor(event: LogEvent) {
    this.event = event
  }

  /** The queues also hold events of streams that were dropped; they are cleaned when these are more than half. */
  tidy(): void {
    const { streams, events } = this
    const isKept = ({ streamTag }: LogEvent): boolean => streams.get(streamTag)?.dropped === false
    tidy(this.progress, events, isKept)
    tidy(this.notifications, events, isKept)
    tidy(this.released, streams.size, isThere)
    tidy(this.finished, streams.size, isThere)
  }
}

function tidy<T>(queue: Fifo<T>, kept: number, isKept: (item: T) => boolean): void {
  if (queue.length > 2 * kept + 64) queue.keep(isKept)
}

function isThere(stream: StreamLog): boolean {
  return !stream.dropped
}

/** The events of one stream in memory. */
export class StreamLog {
  readonly session: SessionEvents
  /** Stays when the stream is dropped, and tells a reader its position, its requests and whether it has ended. */
  newest: LogEvent
  /** When its last event was delivered, by `performance.now()`. */
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

  /** Empties the stream; its newest event stays without data. Returns the bytes it held. */
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

  /** Where in `#events` the first one with an index above `after` is. */
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
const eventOverhead = 150
/** A stream's share of a budget, in bytes. */
export const streamOverhead = 350

/** An event's share of a budget, in bytes. */
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
