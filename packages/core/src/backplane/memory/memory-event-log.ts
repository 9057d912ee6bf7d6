import { now } from '../../promises/clock.ts'
import { Fifo } from '../../queues/fifo.ts'
import type { AppendOutcome, EventLog, LogEvent, LogPage } from '../backplane.ts'
import type { LogOptions } from '../log-options.ts'
import type { StreamLog } from './memory-stream-log.ts'
import { type Rank, Ranking } from './ranking.ts'
import { isThere, SessionEvents, type Totals, tidy } from './session-events.ts'

/**
 * Bounds of the embedded event log. Bytes are the UTF-16 units of the messages' JSON text, and what keeping them takes
 * beside.
 */
export interface MemoryEventLogOptions extends LogOptions {
  /**
   * What all sessions together may hold.
   * @default 134_217_728
   */
  maxBytes?: number
  /** @default 1_000_000 */
  maxEvents?: number
}

type Bounds = Required<MemoryEventLogOptions>

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

  append(sessionKey: string, events: readonly LogEvent[]): AppendOutcome {
    const newest = events[events.length - 1] as LogEvent
    const { term, n } = newest.position
    const session = this.#sessionOf(sessionKey)
    if (term < session.term) return 'fenced'
    const known = session.streams.get(newest.streamTag)?.newest.position
    // Made again: all of it has been there.
    if (known?.term === term && n <= known.n) return 'ok'
    session.term = term
    const { streams } = this.#totals
    for (const event of events) session.append(event)
    if (this.#totals.streams !== streams) this.#expire()
    this.#trim(session, newest)
    return 'ok'
  }

  read(sessionKey: string, streamTag: string, after: number, limit: number): LogPage | undefined {
    const stream = this.#sessions.get(sessionKey)?.streams.get(streamTag)
    if (!stream) return undefined
    const { index, position, last, requestIds } = stream.newest
    return { events: stream.slice(after, limit), head: index, headPosition: position, ended: last, requestIds }
  }

  release(sessionKey: string, streamTag: string): void {
    const stream = this.#sessions.get(sessionKey)?.release(streamTag, now())
    if (stream) this.#released.push(stream)
  }

  settle(sessionKey: string, streamTag: string, index: number): void {
    const session = this.#sessions.get(sessionKey)
    if (session?.settle(streamTag, index)) this.#rank(session)
  }

  delete(sessionKey: string, term?: number): void {
    const session = this.#sessions.get(sessionKey)
    if (!session || (term !== undefined && term < session.term)) return
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

  /**
   * Streams that were delivered long enough ago. Done where a stream begins, so that no timer is needed: without new
   * ones no more are delivered.
   */
  #expire(): void {
    let oldest = this.#released.peek()
    if (!oldest) return
    const since = now() - this.#bounds.retainMs
    for (; oldest && (oldest.dropped || (oldest.releasedAt ?? since) <= since); oldest = this.#released.peek()) {
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

  /**
   * Who holds most pays first. Who has nothing left to pay with is not asked again until it has: so an append asks few,
   * however many there are. `pay` gives the rank of one that could not.
   */
  #collect(
    times: number,
    payers: Ranking<SessionEvents>,
    pay: (payer: SessionEvents) => Rank<SessionEvents> | undefined,
  ): void {
    for (let payer = payers.top(); payer && this.#isFull(times); payer = payers.top()) {
      const rank = pay(payer)
      if (rank) payers.remove(rank)
      else this.#moveRank(payer)
    }
  }

  #rank(session: SessionEvents): void {
    const share = this.#shareOf(session)
    this.#payers.put(session.rank, share)
    this.#payersInNeed.put(session.rankInNeed, share)
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
