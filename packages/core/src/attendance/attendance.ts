import type { Outgoing } from '../http/http.ts'
import { now } from '../promises/clock.ts'
import { unref } from '../promises/unref.ts'
import { type Link, LinkedList } from '../queues/linked-list.ts'
import { type PresentSession, Seat } from './seat.ts'

/** Deadlines, in milliseconds of the clock that only goes forward: see the options of the same names. */
export interface Deadlines {
  readonly sessionIdleMs: number
  readonly initializeTimeoutMs: number
  readonly abandonAfterMs: number
  readonly keepAliveMs: number
  readonly stallMs: number
  readonly hibernateAfterMs: number
}

/** An open response that reads a stream. */
export interface OpenConnection {
  /** Looks after its own deadlines. */
  tick(time: number, deadlines: Deadlines): void
  destroy(): void
}

/** An exchange whose calls run. */
export interface RunningExchange {
  /** Nobody will read its answers. */
  abandon(reason: string): void
}

/**
 * Knows who is here, since when, and what is due: connections, exchanges that nobody is connected to, sessions. Each
 * signs in and out by itself. One timer looks after all of them, and every list is in the order of its deadlines, so
 * that a look costs by how many are due, not by how many are here.
 */
export class Attendance {
  /** The endpoint closes: what runs may end, nothing begins. */
  draining = false
  /** Other nodes go on with the sessions: while the endpoint closes, what begins all the same is served and handed over. */
  handsOver = false
  /** The endpoint has closed: a session that was being opened meanwhile must not begin either. */
  isClosed = false
  /** Messages that handlers sent and nobody could get. */
  undelivered = 0
  /** What messages of the diagnostics channels name: the one that was made of this. */
  endpoint: object = this
  readonly #deadlines: Deadlines
  readonly #connections = new LinkedList<OpenConnection>()
  readonly #outgoing = new LinkedList<Outgoing>()
  readonly #detached = new LinkedList<RunningExchange>()
  readonly #rows = { busy: new LinkedList<Seat>(), free: new LinkedList<Seat>(), uninitialized: new LinkedList<Seat>() }
  #prolongedAt = now()
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines
  }

  /** Nothing may begin in a session any more. */
  get refuses(): boolean {
    return this.isClosed || (this.draining && !this.handsOver)
  }

  get connections(): number {
    return this.#connections.size
  }

  get detachedExchanges(): number {
    return this.#detached.size
  }

  /** A place for a session, not taken yet. */
  seat(session: PresentSession): Seat {
    return new Seat(session, this.#rows)
  }

  /** The session is open. */
  take(seat: Seat): void {
    this.#start()
    seat.take()
  }

  /** The free session of the lowest rank, from 0 up; of several, the one that has been idle longest. */
  findFree(rank: (session: PresentSession) => number | undefined): PresentSession | undefined {
    let found: PresentSession | undefined
    let lowest = Infinity
    for (let place = this.#rows.free.first; place && lowest > 0; place = place.after) {
      const { session } = place.item
      const ranked = rank(session)
      if (ranked === undefined || ranked >= lowest) continue
      found = session
      lowest = ranked
    }
    return found
  }

  /** The oldest session that matches, has no running call, and whose `notifications/initialized` has not come. */
  findUninitialized(matches: (session: PresentSession) => boolean): PresentSession | undefined {
    return this.#rows.uninitialized.find(({ session }) => session.runningCalls === 0 && matches(session))?.session
  }

  opened(connection: OpenConnection): Link<OpenConnection> {
    this.#start()
    return this.#connections.add(connection)
  }

  closed(place: Link<OpenConnection>): void {
    this.#connections.remove(place)
  }

  /** Looks after a response until it says that nothing is left to look after, also when the endpoint has closed. */
  watch(outgoing: Outgoing): void {
    this.#start()
    this.#outgoing.add(outgoing)
  }

  /** Nobody is connected to a running exchange any more. */
  detached(exchange: RunningExchange): Link<RunningExchange> {
    this.#start()
    return this.#detached.add(exchange, now())
  }

  /** Somebody is again, or it does not run any more. */
  attached(place: Link<RunningExchange>): void {
    this.#detached.remove(place)
  }

  /** Resolves when `isIdle` holds, or after `timeoutMs`. */
  async untilIdle(timeoutMs: number, isIdle: () => boolean): Promise<void> {
    const deadline = now() + timeoutMs
    while (!isIdle() && now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(20, Math.max(1, deadline - now()))))
    }
  }

  /** The last deadline is over. */
  close(): void {
    this.isClosed = true
    if (this.#outgoing.size === 0) this.#stop()
  }

  /** A connection that is open after all has ended has a client that does not read: it would keep the process alive. */
  destroyConnections(): void {
    for (const connection of this.#connections.toArray()) connection.destroy()
  }

  #start(): void {
    if (this.#timer) return
    const { sessionIdleMs, initializeTimeoutMs, abandonAfterMs, keepAliveMs, stallMs, hibernateAfterMs } =
      this.#deadlines
    const least = Math.min(sessionIdleMs, initializeTimeoutMs, abandonAfterMs, stallMs)
    const shortest = Math.min(least, keepAliveMs || least, hibernateAfterMs || least)
    this.#timer = setInterval(() => this.#look(now()), Math.min(1_000, Math.max(10, Math.floor(shortest / 4))))
    // Sessions alone keep no process alive.
    unref(this.#timer)
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(time: number): void {
    this.#lookAtOutgoing(time)
    if (!this.isClosed) {
      for (const connection of this.#connections.toArray()) connection.tick(time, this.#deadlines)
      this.#lookAtExchanges(time)
      this.#lookAtSessions(time)
      this.#prolong(time)
    }
    if (this.isClosed ? this.#outgoing.size === 0 : this.#isEmpty) this.#stop()
  }

  get #isEmpty(): boolean {
    const { busy, free } = this.#rows
    return busy.size + free.size + this.#connections.size + this.#outgoing.size + this.#detached.size === 0
  }

  #lookAtOutgoing(time: number): void {
    for (let place = this.#outgoing.first; place; ) {
      const { item, after } = place
      if (!item.look(time, this.#deadlines.stallMs)) this.#outgoing.remove(place)
      place = after
    }
  }

  #lookAtExchanges(time: number): void {
    for (const { item } of due(this.#detached, time - this.#deadlines.abandonAfterMs)) {
      item.abandon('Nobody was connected to read the answer')
    }
  }

  #lookAtSessions(time: number): void {
    const { sessionIdleMs, initializeTimeoutMs } = this.#deadlines
    for (const { item } of due(this.#rows.free, time - sessionIdleMs)) {
      item.session.expire('The session was idle for too long')
    }
    if (this.#deadlines.hibernateAfterMs > 0) this.#hibernate(time)
    for (const { item } of due(this.#rows.uninitialized, time - initializeTimeoutMs)) {
      // An open stream alone shows no client that means to use the session.
      if (item.session.runningCalls === 0) item.session.expire('notifications/initialized never came')
    }
  }

  #hibernate(time: number): void {
    for (const { item } of due(this.#rows.free, time - this.#deadlines.hibernateAfterMs)) {
      if (item.session.initialized) item.session.hibernate()
    }
  }

  /** The store expires sessions by itself; each quarter of the idle time it learns which ones were used. */
  #prolong(time: number): void {
    if (time - this.#prolongedAt < this.#deadlines.sessionIdleMs / 4) return
    const { busy, free } = this.#rows
    for (const { session } of busy.toArray()) session.prolong()
    for (let place = free.last; place && place.since >= this.#prolongedAt; place = place.before) {
      place.item.session.prolong()
    }
    this.#prolongedAt = time
  }
}

/** Places taken at `time` or before, as they are now: looking after one may change the list. */
function due<T>(list: LinkedList<T>, time: number): Link<T>[] {
  const places: Link<T>[] = []
  for (let place = list.first; place && place.since <= time; place = place.after) places.push(place)
  return places
}
