import { Fifo } from '../../queues/fifo.ts'
import type { LogEvent } from '../backplane.ts'

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

  clear(): void {
    this.streams.clear()
    for (const queue of [this.progress, this.notifications, this.released, this.finished, this.tombstones])
      queue.clear()
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
  /** When its last event was delivered, in milliseconds since the epoch. */
  releasedAt: number | undefined
  dropped = false
  /** In order of index, from `#start`; dropped ones are taken out. */
  #events: LogEvent[]
  #start = 0

  constructor(session: SessionEvents, first: LogEvent) {
    this.session = session
    this.newest = first
    // Most streams have a single event: an array that is begun empty would make room for seventeen.
    this.#events = [first]
  }

  get size(): number {
    return this.#events.length - this.#start
  }

  push(event: LogEvent): void {
    this.#events.push(event)
    this.newest = event
  }

  slice(after: number, limit: number): LogEvent[] {
    const from = this.#seek(after)
    return this.#events.slice(from, from + limit)
  }

  remove(event: LogEvent): boolean {
    const at = this.#seek(event.index - 1)
    if (this.#events[at] !== event) return false
    if (at > this.#start) this.#events.splice(at, 1)
    else if (++this.#start > 64 && this.#start * 2 > this.#events.length) this.#forget()
    return true
  }

  /** Empties the stream; its newest event stays without data. Returns the bytes it held. */
  drop(): number {
    let bytes = streamOverhead
    for (let i = this.#start; i < this.#events.length; i++) bytes += sizeOf(this.#events[i] as LogEvent)
    this.#events = []
    this.#start = 0
    this.newest = { ...this.newest, data: '' }
    this.dropped = true
    return bytes
  }

  #forget(): void {
    this.#events = this.#events.slice(this.#start)
    this.#start = 0
  }

  /** Where in `#events` the first one with an index above `after` is. */
  #seek(after: number): number {
    let low = this.#start
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#events[middle] as LogEvent).index <= after) low = middle + 1
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
