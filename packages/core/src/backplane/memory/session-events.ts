import { Fifo } from '../../queues/fifo.ts'
import type { LogEvent } from '../backplane.ts'
import { Kept, overheadOf, StreamLog, sizeOf } from './memory-stream-log.ts'
import { createRank } from './ranking.ts'

/** What all sessions hold together. */
export interface Totals {
  streams: number
  events: number
  bytes: number
  /** Streams that were delivered and are kept. */
  released: number
}

/** Dropped streams of a session whose request ids are remembered, so that a late reader is told and does not wait. */
const maxTombstones = 100

/** What a session without streams takes, in bytes. */
const sessionOverhead = 1_000

/** The events of one session in memory, in the order in which they may be dropped. */
export class SessionEvents {
  readonly streams = new Map<string, StreamLog>()
  /** Among those that have something that may be dropped, and that have something which goes in need only. */
  readonly rank = createRank<SessionEvents>(this)
  readonly rankInNeed = createRank<SessionEvents>(this)
  /** Highest that has written: what comes with a lower one is of an owner that was succeeded. */
  term = 0
  bytes = 0
  events = 0
  readonly #totals: Totals
  readonly #settled = new Fifo<Kept>()
  readonly #progress = new Fifo<Kept>()
  readonly #notifications = new Fifo<Kept>()
  /** Ended streams that were delivered, and all that ended, in order of that. */
  readonly #released = new Fifo<StreamLog>()
  readonly #finished = new Fifo<StreamLog>()
  /** Dropped streams. */
  readonly #tombstones = new Fifo<StreamLog>()
  /** Of streams that run. */
  readonly #messages = new Fifo<Kept>()

  constructor(key: string, totals: Totals) {
    this.#totals = totals
    this.#count(0, sessionOverhead + key.length)
  }

  append(event: LogEvent): void {
    const kept = new Kept(event)
    const stream = this.#push(event, kept)
    this.#count(1, sizeOf(event))
    if (event.last) this.#finished.push(stream)
    if (event.kind === 'progress') this.#progress.push(kept)
    else if (event.kind === 'notification') this.#notifications.push(kept)
    else if (!event.last) this.#messages.push(kept)
  }

  #push(event: LogEvent, kept: Kept): StreamLog {
    const known = this.streams.get(event.streamTag)
    if (known) {
      known.push(event, kept)
      return known
    }
    const stream = new StreamLog(this, event, kept)
    this.streams.set(event.streamTag, stream)
    this.#totals.streams++
    this.#count(0, overheadOf(event))
    return stream
  }

  /** `false`: there is no such event, or it is settled already. */
  settle(streamTag: string, index: number): boolean {
    const kept = this.streams.get(streamTag)?.find(index)
    if (!kept || kept.isSettled) return false
    kept.isSettled = true
    this.#settled.push(kept)
    return true
  }

  /** The stream, unless it runs, or is released already. */
  release(streamTag: string, now: number): StreamLog | undefined {
    const stream = this.streams.get(streamTag)
    if (!stream?.newest.last || stream.dropped || stream.releasedAt !== undefined) return undefined
    stream.releasedAt = now
    this.#totals.released++
    this.#released.push(stream)
    return stream
  }

  /** Drops what is cheapest to lose. `false`: nothing is left that may go. */
  dropCheapest(newest: LogEvent): boolean {
    return (
      this.#dropOldest(this.#settled, newest) ||
      this.#dropOldest(this.#progress, newest) ||
      this.#dropOldest(this.#notifications, newest) ||
      this.#dropOldestStream(this.#released, newest) ||
      this.#dropOldestStream(this.#finished, newest) ||
      this.#forgetTombstone()
    )
  }

  /** For when there is far too much: drops the oldest message of a stream that runs. */
  dropMessage(newest: LogEvent): boolean {
    return this.dropCheapest(newest) || this.#dropOldest(this.#messages, newest)
  }

  dropStream(stream: StreamLog): boolean {
    const { size } = stream
    if (stream.dropped) return false
    this.#count(-size, -stream.drop())
    if (stream.releasedAt !== undefined) this.#totals.released--
    this.#tombstones.push(stream)
    if (this.#tombstones.length > maxTombstones) this.#forgetTombstone()
    this.#tidy()
    return true
  }

  clear(): void {
    // Some still wait to expire: they must not hold what is gone.
    for (const stream of this.streams.values()) {
      if (stream.dropped) continue
      stream.drop()
      if (stream.releasedAt !== undefined) this.#totals.released--
    }
    this.#totals.streams -= this.streams.size
    this.#count(-this.events, -this.bytes)
    this.streams.clear()
    for (const queue of [this.#settled, this.#progress, this.#notifications, this.#messages]) queue.clear()
    for (const queue of [this.#released, this.#finished, this.#tombstones]) queue.clear()
  }

  #count(events: number, bytes: number): void {
    this.events += events
    this.bytes += bytes
    this.#totals.events += events
    this.#totals.bytes += bytes
  }

  #dropOldest(queue: Fifo<Kept>, newest: LogEvent): boolean {
    for (let kept = queue.peek(); kept && kept.event !== newest; kept = queue.peek()) {
      queue.shift()
      const { event } = kept
      // It may have gone another way.
      if (!event) continue
      this.streams.get(event.streamTag)?.remove(kept, event)
      this.#count(-1, -sizeOf(event))
      return true
    }
    return false
  }

  #dropOldestStream(queue: Fifo<StreamLog>, newest: LogEvent): boolean {
    for (let stream = queue.peek(); stream && stream.newest !== newest; stream = queue.peek()) {
      queue.shift()
      if (this.dropStream(stream)) return true
    }
    return false
  }

  #forgetTombstone(): boolean {
    const stream = this.#tombstones.shift()
    if (!stream) return false
    this.streams.delete(stream.newest.streamTag)
    this.#totals.streams--
    this.#count(0, -overheadOf(stream.newest))
    return true
  }

  /** The queues also hold the places of what left another way; they are cleaned when those are more than half. */
  #tidy(): void {
    tidy(this.#settled, this.events, isKept)
    tidy(this.#progress, this.events, isKept)
    tidy(this.#notifications, this.events, isKept)
    tidy(this.#messages, this.events, isKept)
    tidy(this.#released, this.streams.size, isThere)
    tidy(this.#finished, this.streams.size, isThere)
  }
}

export function tidy<T>(queue: Fifo<T>, kept: number, isKept: (item: T) => boolean): void {
  if (queue.length > 2 * kept + 64) queue.keep(isKept)
}

function isKept({ event }: Kept): boolean {
  return event !== undefined
}

export function isThere(stream: StreamLog): boolean {
  return !stream.dropped
}
