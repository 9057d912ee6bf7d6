import type { Attendance } from '../attendance/attendance.ts'
import type { PresentSession } from '../attendance/seat.ts'
import { Rejection, retryLater } from '../http/errors.ts'

export interface CapsOptions {
  readonly maxSessions: number
  readonly maxSessionsPerPrincipal: number
}

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
  readonly #perPrincipal = new Map<string, number>()
  #taken = 0

  constructor(options: CapsOptions, attendance: Attendance) {
    this.#options = options
    this.#attendance = attendance
  }

  /**
   * Counts a session, open or about to be: before anything is awaited, or many at once would all find the last place.
   */
  take(principal: string | null): void {
    this.#count(principal, 1)
  }

  release(principal: string | null): void {
    this.#count(principal, -1)
  }

  /**
   * For a place that is taken by a session that is about to be opened. It may push out one that was never initialized, but no
   * session in use: that one makes room when the newcomer has shown, with `notifications/initialized`, that it is a client.
   * @throws Rejection `too_many_sessions`
   */
  async makeRoom(principal: string | null): Promise<void> {
    for (const { held, most, includes } of this.#boundsFor(principal)) {
      if (held <= most) continue
      const neverInitialized = this.#attendance.findUninitialized(includes)
      if (neverInitialized) await neverInitialized.end(madeRoom)
      else if (held > most + Math.ceil(most / 100) || !this.#findLeastUsed(includes)) {
        throw new Rejection('too_many_sessions', retryLater())
      }
    }
  }

  /** A session was initialized: the least used one makes room for it, if there are too many now. */
  async settle(newcomer: PresentSession): Promise<void> {
    for (const { held, most, includes } of this.#boundsFor(newcomer.principal)) {
      if (held <= most) continue
      await this.#findLeastUsed((session) => session !== newcomer && includes(session))?.end(madeRoom)
    }
  }

  *#boundsFor(principal: string | null): Iterable<Bound> {
    const { maxSessions, maxSessionsPerPrincipal } = this.#options
    if (principal !== null) {
      const held = this.#perPrincipal.get(principal) ?? 0
      yield { held, most: maxSessionsPerPrincipal, includes: (session) => session.principal === principal }
    }
    yield { held: this.#taken, most: maxSessions, includes: () => true }
  }

  /** First what was used once at most, as by clients that open a session for each call; then anonymous ones; then the holder of most. */
  #findLeastUsed(includes: (session: PresentSession) => boolean): PresentSession | undefined {
    return this.#attendance.findFree((session) => {
      if (!includes(session)) return undefined
      if (session.uses <= 1) return 0
      if (session.principal === null) return 1
      return 3 - (this.#perPrincipal.get(session.principal) ?? 0) / (this.#taken + 1)
    })
  }

  #count(principal: string | null, change: 1 | -1): void {
    this.#taken += change
    if (principal === null) return
    const count = (this.#perPrincipal.get(principal) ?? 0) + change
    if (count > 0) this.#perPrincipal.set(principal, count)
    else this.#perPrincipal.delete(principal)
  }
}
