import type { Attendance } from '../attendance/attendance.ts'
import type { SessionCaps } from './caps.ts'
import type { LiveSession } from './live-session.ts'

/** The sessions that live on this node. */
export class SessionTable {
  readonly #attendance: Attendance
  readonly #caps: SessionCaps
  readonly #byId = new Map<string, LiveSession>()
  readonly #byKey = new Map<string, LiveSession>()

  constructor(attendance: Attendance, caps: SessionCaps) {
    this.#attendance = attendance
    this.#caps = caps
  }

  get all(): Iterable<LiveSession> {
    return this.#byId.values()
  }

  get size(): number {
    return this.#byId.size
  }

  find(sessionId: string): LiveSession | undefined {
    return this.#byId.get(sessionId)
  }

  findByKey(key: string): LiveSession | undefined {
    return this.#byKey.get(key)
  }

  add(session: LiveSession): void {
    this.#byId.set(session.sessionId, session)
    this.#byKey.set(session.record.key, session)
    this.#attendance.take(session.seat)
  }

  remove(session: LiveSession): void {
    if (this.#byId.get(session.sessionId) !== session) return
    this.#byId.delete(session.sessionId)
    this.#byKey.delete(session.record.key)
    this.#caps.release(session)
    session.seat.leave()
  }
}
