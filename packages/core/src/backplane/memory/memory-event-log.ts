import { Fifo } from '../../queues/fifo.ts'
import type { AppendOutcome, EventLog, LogEvent, LogPage } from '../backplane.ts'
import type { StreamLog } from './memory-stream-log.ts'
import { type Rank, Ranking } from './ranking.ts'
import { isThere, SessionEvents, type Totals, tidy } from './session-events.ts'

/**
 * Bounds of the event log in memory. Bytes are the UTF-16 units of the messages' JSON text, 150 more per event and 350
 * per stream.
 */
export interface MemoryEventLogOptions {
  /**
   * Bytes of one session. They must exceed what a kernel buffers for one connection, or a client whose connection
   * breaks misses events.
   * @default 8_388_608
   */
  maxBytesPerSession?: number
  /**
   * Events of one session.
   * @default 10_000
   */
  maxEventsPerSession?: number
  /**
   * Bytes of all sessions together.
   * @default 134_217_728
   */
  maxBytes?: number
  /**
   * Events of all sessions together.
   * @default 1_000_000
   */
  maxEvents?: number
  /**
   * How long, in milliseconds, a finished stream is kept after its last event was written to a connection.
   * @default 60_000
   */
  retainMs?: number
}

type Bounds = Required<MemoryEventLogOptions>

/** Dropped streams of a session whose request ids are kept, so that a late client gets an error and does not wait. */
const maxTombstones = 100

/**
 * The event log of one node: an index per stream, so that a resume costs the same whatever else is stored.
 */
export class MemoryEventLog implements EventLog {
  readonly #bounds: Bounds
  readonly #sessions = new Map<string, SessionEvents>()
  /** Delivered streams of all sessions, in order of that. */
  readonly #released = new Fifo<StreamLog>()
  readonly #totals: Totals = { streams: 0, events: 0, bytes: 0, released: 0 }
  /** Who pays when all together hold too much; and when they hold twice that. */
  readonly #payers = new Ranking<SessionEvents>()
  readonly #payersInNeed = new Ranking<SessionEvents>()

  constructor(bounds: Bounds) {
    this.#bounds = bounds
  }

  append(sessionKey: string, event: LogEvent): AppendOutcome {
    const session = this.#sessionOf(sessionKey)
    if (event.position.term < session.term) return 'fenced'
    session.term = event.position.term
    session.append(event)
    this.#expire()
    this.#trim(session, event)
    return 'ok'
  }

  read(sessionKey: string, streamTag: string, after: number, limit: number): LogPage | undefined {
    const stream = this.#sessions.get(sessionKey)?.streams.get(streamTag)
    if (!stream) return undefined
    const { index, position, last, requestIds } = stream.newest
    return { events: stream.slice(after, limit), head: index, headPosition: position, ended: last, requestIds }
  }

  release(sessionKey: string, streamTag: string): void {
    const stream = this.#sessions.get(sessionKey)?.release(streamTag, performance.now())
    if (stream) this.#released.push(stream)
  }

  settle(sessionKey: string, streamTag: string, index: number): void {
    const session = this.#sessions.get(sessionKey)
    if (session?.settle(streamTag, index)) this.#rank(session)
  }

  delete(sessionKey: string): void {
    const session = this.#sessions.get(sessionKey)
    if (!session) return
    this.#sessions.delete(sessionKey)
    this.#payers.remove(session.rank)
    this.#payersInNeed.remove(session.rankInNeed)
    session.clear()
    tidy(this.#released, this.#totals.released, isThere)
  }

  stats(): { sessions: number; streams: number; events: number; bytes: number } {
    const { streams, events, bytes } = this.#totals
    return { sessions: this.#sessions.size, streams, events, bytes }
  }

  #sessionOf(sessionKey: string): SessionEvents {
    let session = this.#sessions.get(sessionKey)
    if (!session) {
      session = new SessionEvents(sessionKey, this.#totals)
      this.#sessions.set(sessionKey, session)
    }
    return session
  }

  #push(session: SessionEvents, event: LogEvent): StreamLog {
    const known = session.streams.get(event.streamTag)
    if (known) {
      known.push(event)
      return known
    }
    const stream = new StreamLog(session, event)
    session.streams.set(event.streamTag, stream)
    this.#streams++
    this.#count(session, 0, streamOverhead)
    return stream
  }

  #count(session: SessionEvents, events: number, bytes: number): void {
    session.events += events
    session.bytes += bytes
    this.#events += events
    this.#bytes += bytes
  }

  /**
   * Drops streams that were delivered long enough ago. Done while appending, so that no timer is needed: without
   * appends nothing grows.
   */
  #expire(oldest: StreamLog | undefined, now: number): void {
    for (let front = oldest; front; front = this.#released.peek()) {
      if (now - (front.releasedAt ?? now) < this.#bounds.retainMs) return
      this.#released.shift()
      oldest.session.dropStream(oldest)
    }
    tidy(this.#released, this.#totals.released, isThere)
  }

  #trim(session: SessionEvents, newest: LogEvent): void {
    while (this.#isOver(session, 1) && session.dropCheapest(newest));
    while (this.#isOver(session, 2) && session.dropMessage(newest));
    this.#rank(session)
    if (!this.#isFull(1)) return
    this.#collect(1, this.#payers, (payer) => (payer.dropCheapest(newest) ? undefined : payer.rank))
    this.#collect(2, this.#payersInNeed, (payer) => (payer.dropMessage(newest) ? undefined : payer.rankInNeed))
    // What it could not pay with now, since it was the newest, it can later.
    this.#rank(session)
  }

  #isOver({ bytes, events }: SessionEvents, times: number): boolean {
    const { maxBytesPerSession, maxEventsPerSession } = this.#bounds
    return bytes > times * maxBytesPerSession || events > times * maxEventsPerSession
  }

  #isFull(times: number): boolean {
    const { bytes, events } = this.#totals
    return bytes > times * this.#bounds.maxBytes || events > times * this.#bounds.maxEvents
  }

  /** Drops from the oldest sessions first. */
  #trimAll(newest: LogEvent): void {
    for (const session of this.#sessions.values()) {
      while (this.#isFull()) if (!this.#dropOne(session, newest)) break
      if (!this.#isFull()) return
    }
  }

  /** Drops one event or stream, the least needed. `false`: nothing is left that may be dropped. */
  #dropOne(session: SessionEvents, newest: LogEvent): boolean {
    return (
      this.#dropOldest(session, session.progress, newest) ||
      this.#dropOldest(session, session.notifications, newest) ||
      this.#dropFinished(session.released, newest) ||
      this.#dropFinished(session.finished, newest)
    )
  }

  #moveRank(session: SessionEvents): void {
    const share = this.#shareOf(session)
    if (session.rank.level >= 0) this.#payers.put(session.rank, share)
    if (session.rankInNeed.level >= 0) this.#payersInNeed.put(session.rankInNeed, share)
  }

  #shareOf({ bytes, events }: SessionEvents): number {
    return bytes / this.#bounds.maxBytes + events / this.#bounds.maxEvents
  }
}
