import type { Attendance } from '../attendance/attendance.ts'
import type { PresentSession } from '../attendance/seat.ts'
import { Rejection, retryLater } from '../http/errors.ts'

export interface CapsOptions {
  readonly maxSessions: number
  readonly maxSessionsPerPrincipal: number
}

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

  /** Counts a session, open or about to be: before anything is awaited, or many who come at once would all find the last place. */
  take(principal: string | null): void {
    this.#count(principal, 1)
  }

  release(principal: string | null): void {
    this.#count(principal, -1)
  }

  /**
   * For a place that is taken: at a cap the longest-idle session makes room; when none is idle, the newcomer waits.
   * @throws Rejection `too_many_sessions`
   */
  async makeRoom(principal: string | null): Promise<void> {
    const { maxSessions, maxSessionsPerPrincipal } = this.#options
    if (principal !== null && (this.#perPrincipal.get(principal) ?? 0) > maxSessionsPerPrincipal) {
      await this.#evict((session) => session.principal === principal)
    }
    if (this.#taken > maxSessions) await this.#evict(() => true)
  }

  async #evict(matches: (session: PresentSession) => boolean): Promise<void> {
    const session = this.#attendance.findFree(matches)
    if (session) return session.end('The session made room for another')
    throw new Rejection('too_many_sessions', retryLater())
  }

  #count(principal: string | null, change: 1 | -1): void {
    this.#taken += change
    if (principal === null) return
    const count = (this.#perPrincipal.get(principal) ?? 0) + change
    if (count > 0) this.#perPrincipal.set(principal, count)
    else this.#perPrincipal.delete(principal)
  }
}
