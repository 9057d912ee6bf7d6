import type { Attendance } from '../attendance/attendance.ts'
import type { PresentSession } from '../attendance/seat.ts'
import { Rejection, retryLater } from '../http/errors.ts'

export interface CapsOptions {
  readonly maxSessions: number
  readonly maxSessionsPerPrincipal: number
}

/** Who a session counts for: its principal, and of anonymous ones its client's address. */
export type Holder = Pick<PresentSession, 'principal' | 'clientAddress'>

interface Bound {
  readonly held: number
  readonly most: number
  readonly includes: (session: PresentSession) => boolean
}

const madeRoom = 'The session made room for another'

/** How many sessions there may be, in all and per principal. */
export class SessionCaps {
  readonly #options: CapsOptions
  readonly #attendance: Attendance
  readonly #perHolder = new Map<string, number>()
  /** They make room, and are counted no more; the rest of their end may wait for a store. */
  readonly #leaving = new WeakSet<Holder>()
  #taken = 0

  constructor(options: CapsOptions, attendance: Attendance) {
    this.#options = options
    this.#attendance = attendance
  }

  /**
   * Counts a session, open or about to be: before anything is awaited, or many at once would all find the last place.
   */
  take(holder: Holder): void {
    this.#count(holder, 1)
  }

  release(holder: Holder): void {
    if (!this.#leaving.delete(holder)) this.#count(holder, -1)
  }

  /**
   * For a place that is taken by a session that is about to be opened. Where there are more than a hundredth too many it
   * may push out one that was never initialized, but no session in use: that one makes room when the newcomer has shown, with
   * `notifications/initialized`, that it is a client.
   * @throws Rejection `too_many_sessions`
   */
  makeRoom(holder: Holder): Promise<void> | undefined {
    return this.#isFull(holder) ? this.#makeRoom(holder) : undefined
  }

  async #makeRoom(holder: Holder): Promise<void> {
    for (const { held, most, includes } of this.#boundsFor(holder)) {
      if (held <= most) continue
      // Others that open at this moment were not initialized either: within a margin all wait until they are.
      if (held <= most + Math.floor(most / 100) && this.#hasFree(includes)) continue
      const neverInitialized = this.#attendance.findUninitialized((session) => this.#isHere(session, includes))
      if (neverInitialized) await this.#end(neverInitialized)
      else if (held > most + Math.ceil(most / 100) || !this.#hasFree(includes)) {
        throw new Rejection('too_many_sessions', retryLater())
      }
    }
  }

  /** A session was initialized: the least used make room for it, if there are too many now. */
  settle(newcomer: PresentSession): Promise<void> | undefined {
    return this.#isFull(newcomer) ? this.#settle(newcomer) : undefined
  }

  async #settle(newcomer: PresentSession): Promise<void> {
    const ending: Promise<void>[] = []
    for (const { held, most, includes } of this.#boundsFor(newcomer)) {
      for (let excess = held - most; excess > 0; excess--) {
        const leastUsed = this.#findLeastUsed((session) => session !== newcomer && includes(session))
        if (!leastUsed) break
        ending.push(this.#end(leastUsed))
      }
    }
    await Promise.all(ending)
  }

  #end(session: PresentSession): Promise<void> {
    this.release(session)
    this.#leaving.add(session)
    return session.makeRoom(madeRoom)
  }

  #isHere(session: PresentSession, includes: (session: PresentSession) => boolean): boolean {
    return includes(session) && !this.#leaving.has(session)
  }

  /** Most of the time nothing is, and nobody waits. */
  #isFull(holder: Holder): boolean {
    const { maxSessions, maxSessionsPerPrincipal } = this.#options
    const isOver = holder.principal !== null && this.#heldBy(holder) > maxSessionsPerPrincipal
    return isOver || this.#taken > maxSessions
  }

  *#boundsFor(holder: Holder): Iterable<Bound> {
    const { maxSessions, maxSessionsPerPrincipal } = this.#options
    const { principal } = holder
    if (principal !== null) {
      const held = this.#heldBy(holder)
      yield { held, most: maxSessionsPerPrincipal, includes: (session) => session.principal === principal }
    }
    yield { held: this.#taken, most: maxSessions, includes: () => true }
  }

  /**
   * First what was used once at most, as by clients that open a session for each call; then anonymous ones; then
   * others. Of both those of the holder of most: nobody pushes out others by opening many.
   */
  #findLeastUsed(includes: (session: PresentSession) => boolean): PresentSession | undefined {
    return this.#attendance.findFree((session) => {
      if (!this.#isHere(session, includes)) return undefined
      if (session.uses <= 1) return 0
      return (session.principal === null ? 2 : 3) - this.#heldBy(session) / (this.#taken + 1)
    })
  }

  #hasFree(includes: (session: PresentSession) => boolean): boolean {
    return this.#attendance.findFree((session) => (this.#isHere(session, includes) ? 0 : undefined)) !== undefined
  }

  #heldBy(holder: Holder): number {
    return this.#perHolder.get(toKey(holder)) ?? 0
  }

  #count(holder: Holder, change: 1 | -1): void {
    const key = toKey(holder)
    const held = (this.#perHolder.get(key) ?? 0) + change
    this.#taken += change
    if (held > 0) this.#perHolder.set(key, held)
    else this.#perHolder.delete(key)
  }
}

/** A principal's name is never the key of an address. */
function toKey({ principal, clientAddress }: Holder): string {
  return principal === null ? `from ${clientAddress}` : `of ${principal}`
}
