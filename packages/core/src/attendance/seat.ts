import { now } from '../promises/clock.ts'
import { createLink, type Link, type LinkedList } from '../queues/linked-list.ts'

/** Counts a session's running calls, and its connections from the moment they are made. */
export interface Activity {
  began(): void
  finished(): void
}

/** A session as the attendance knows it. */
export interface PresentSession {
  /** Whose it is; `null` when it was opened without authentication. */
  readonly principal: string | null
  /** Where it was opened from, where that is known. */
  readonly clientAddress: string | undefined
  readonly initialized: boolean
  readonly runningCalls: number
  /** POSTs with requests that it has answered or answers, `initialize` aside. */
  readonly uses: number
  makeRoom(reason: string): Promise<void>
  /** Nobody uses the session any more. */
  expire(reason: string): void
  /** It has been free for long: its server object is not needed now. */
  hibernate(): void
  /** The session was used: its record lives on in the store. */
  prolong(): void
}

/** Where seats are, each in the order of its deadline. */
export interface Rows {
  /** Sessions with a running call or a connection. */
  readonly busy: LinkedList<Seat>
  /** Sessions without either, longest first. */
  readonly free: LinkedList<Seat>
  /** Sessions whose `notifications/initialized` has not come, oldest first. */
  readonly uninitialized: LinkedList<Seat>
}

/**
 * One session's place in the attendance: its calls and connections are counted here, also before the session is open
 * and the place taken.
 */
export class Seat implements Activity {
  readonly session: PresentSession
  readonly #rows: Rows
  readonly #place = createLink<Seat>(this)
  #uninitialized: Link<Seat> | undefined = createLink<Seat>(this)
  #active = 0
  #isTaken = false

  constructor(session: PresentSession, rows: Rows) {
    this.session = session
    this.#rows = rows
  }

  get isFree(): boolean {
    return this.#active === 0
  }

  /** Connections that are open or about to be. */
  get connections(): number {
    return this.#active - this.session.runningCalls
  }

  /** Time, in milliseconds, without a call and a connection. */
  get idleMs(): number {
    return this.isFree && this.#isTaken ? now() - this.#place.since : 0
  }

  take(): void {
    const time = now()
    this.#isTaken = true
    this.#row.append(this.#place, time)
    if (this.session.initialized) this.#uninitialized = undefined
    else if (this.#uninitialized) this.#rows.uninitialized.append(this.#uninitialized, time)
  }

  leave(): void {
    if (!this.#isTaken) return
    this.#row.remove(this.#place)
    this.initialized()
    this.#isTaken = false
  }

  initialized(): void {
    if (this.#uninitialized && this.#isTaken) this.#rows.uninitialized.remove(this.#uninitialized)
    this.#uninitialized = undefined
  }

  began(): void {
    this.#active++
    if (this.#active === 1) this.#move(this.#rows.free, this.#rows.busy)
  }

  finished(): void {
    this.#active--
    if (this.#active === 0) this.#move(this.#rows.busy, this.#rows.free)
  }

  get #row(): LinkedList<Seat> {
    return this.isFree ? this.#rows.free : this.#rows.busy
  }

  #move(from: LinkedList<Seat>, to: LinkedList<Seat>): void {
    if (!this.#isTaken) return
    from.remove(this.#place)
    to.append(this.#place, now())
  }
}
