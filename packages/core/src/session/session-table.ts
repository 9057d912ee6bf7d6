import type { Attendance } from '../attendance/attendance.ts'
import type { SessionRecord } from '../backplane/backplane.ts'
import { begun, traces } from '../diagnostics/channels.ts'
import type { SessionMessage } from '../diagnostics/messages.ts'
import { inParts } from '../promises/in-parts.ts'
import { Recent } from '../queues/recent.ts'
import type { SessionCaps } from './caps.ts'
import type { LiveSession } from './live-session.ts'

/** Sessions whose newest term here, or end, is remembered; the oldest are forgotten first. */
const maxRemembered = 10_000

const wasEnded = 'The session was ended'

/** The sessions that live on this node. */
export class SessionTable {
  readonly #attendance: Attendance
  readonly #caps: SessionCaps
  readonly #byId = new Map<string, LiveSession>()
  readonly #byKey = new Map<string, LiveSession>()
  /** Keys of sessions that were ended and do not live here: one may be about to. */
  readonly #ended = new Recent<string, true>(maxRemembered)
  readonly #lastTerms = new Recent<string, number>(maxRemembered)
  /** Of sessions that came while somebody observed them. */
  readonly #traces = new WeakMap<LiveSession, SessionMessage>()

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

  /** All, or the one with this key. */
  reached(key: string | undefined): Iterable<LiveSession> {
    if (key === undefined) return this.all
    const session = this.findByKey(key)
    return session ? [session] : []
  }

  /** Looks which are still this node's. Rejects when the store does. */
  async confirm(): Promise<void> {
    await inParts([...this.all], (session) => session.confirm())
  }

  /**
   * This node has the session with a term. `false`: it had it before, so that the record which it was taken over by was
   * an old one. A term must not be begun twice: its events would take the places of others.
   */
  begin({ key, term }: SessionRecord): boolean {
    if (term <= (this.#lastTerms.get(key) ?? 0)) return false
    this.#lastTerms.set(key, term)
    return true
  }

  add(session: LiveSession): void {
    this.#byId.set(session.sessionId, session)
    this.#byKey.set(session.record.key, session)
    this.#attendance.take(session.seat)
    if (traces.session.isObserved) this.#trace(session)
    if (this.#ended.get(session.record.key)) session.expire(wasEnded)
  }

  /** A session was ended, on whichever node. */
  ended(key: string): void {
    const session = this.findByKey(key)
    if (session) session.expire(wasEnded)
    else this.#ended.set(key, true)
  }

  #trace(session: LiveSession): void {
    const { key: sessionKey, principal, protocolVersion, initializeParams, term } = session.record
    const message: SessionMessage = {
      ...begun(this.#attendance.endpoint),
      ...{ sessionKey, principal, protocolVersion, term },
      clientInfo: initializeParams.clientInfo,
      clientAddress: session.clientAddress,
    }
    this.#traces.set(session, message)
    traces.session.begin(message)
  }

  remove(session: LiveSession): void {
    if (this.#byId.get(session.sessionId) !== session) return
    this.#byId.delete(session.sessionId)
    this.#byKey.delete(session.record.key)
    this.#caps.release(session)
    session.seat.leave()
    const trace = this.#traces.get(session)
    if (!trace) return
    trace.reason = session.endReason ?? ''
    trace.ended = session.hasEnded
    traces.session.finish(trace)
  }
}
