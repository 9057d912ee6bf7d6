import type { SessionRecord } from '../backplane/backplane.ts'
import { drainingRejection, Rejection } from '../http/errors.ts'
import type { HttpRequest } from '../http/http.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'
import type { AuthInfo } from '../rpc/server.ts'
import type { LiveSession } from '../session/live-session.ts'
import type { SessionParts } from '../session/open-session.ts'
import { rebuildSession } from '../session/rebuild-session.ts'
import type { SessionHandle } from '../session/session-handle.ts'
import { isSessionId, sessionKey } from '../session/session-id.ts'

/** Knows where a session lives. With one node, every session that is asked for comes to live on it. */
export class Directory {
  readonly #parts: SessionParts
  readonly #rebuilding = new Map<string, Promise<LiveSession | undefined>>()

  constructor(parts: SessionParts) {
    this.#parts = parts
  }

  /**
   * The session that a request names, if it is its principal's. `undefined` alike for one that is unknown, ended,
   * expired or another principal's.
   * @throws Rejection `session_required`, `draining`
   */
  find({ auth }: HttpRequest, { sessionId }: RequestHead): MaybePromise<SessionHandle | undefined> {
    const { attendance, options, table } = this.#parts
    if (!sessionId) throw new Rejection('session_required')
    const session = table.find(sessionId)
    // An endpoint that closes brings no session to life.
    if (!session && attendance.draining) throw drainingRejection()
    const principal = auth ? options.principal(auth) : null
    if (session?.record.principal === principal) return session
    return this.#findStored(sessionId, principal, auth)
  }

  async #findStored(
    sessionId: string,
    principal: string | null,
    auth: AuthInfo | undefined,
  ): Promise<SessionHandle | undefined> {
    const { options, table } = this.#parts
    if (!isSessionId(sessionId)) return undefined
    const key = await sessionKey(sessionId)
    const record = await options.backplane.sessions.get(key)
    if (record?.principal !== principal) return undefined
    // It may have come to life meanwhile; the first request that asks for it rebuilds it.
    return table.find(sessionId) ?? this.#rebuild(sessionId, record, auth)
  }

  #rebuild(sessionId: string, record: SessionRecord, auth: AuthInfo | undefined): Promise<LiveSession | undefined> {
    const { key } = record
    const underWay = this.#rebuilding.get(key)
    if (underWay) return underWay
    const rebuilding = rebuildSession(this.#parts, sessionId, record, auth)
    this.#rebuilding.set(key, rebuilding)
    return rebuilding.finally(() => this.#rebuilding.delete(key))
  }
}
