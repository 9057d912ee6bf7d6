import type { SessionRecord } from '../backplane/backplane.ts'
import { drainingRejection, Rejection } from '../http/errors.ts'
import type { HttpRequest } from '../http/http.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'
import { Recent } from '../queues/recent.ts'
import type { AuthInfo } from '../rpc/server.ts'
import type { LiveSession } from '../session/live-session.ts'
import type { SessionParts } from '../session/open-session.ts'
import { giveUp, rebuildSession } from '../session/rebuild-session.ts'
import type { SessionHandle } from '../session/session-handle.ts'
import { isSessionId, sessionKey } from '../session/session-id.ts'
import { StoredSession } from '../session/stored-session.ts'
import type { Cluster } from './cluster.ts'
import { RemoteSession } from './remote-session.ts'

/** How often a session is looked for that changes its owner meanwhile. */
const maxLooks = 5

/** Sessions of other nodes whose owner is remembered; the oldest are forgotten first. */
const maxRemembered = 10_000

/** A session that somebody looks for. */
interface Sought {
  readonly sessionId: string
  readonly key: string
  readonly principal: string | null
  readonly request: HttpRequest
}

/** Knows where a session lives: here, or on another node of the cluster. One that lives nowhere comes to life here. */
export class Directory {
  readonly #parts: SessionParts
  /** `undefined` on a node that is alone. */
  readonly #cluster: Cluster | undefined
  readonly #rebuilding = new Map<string, Promise<LiveSession | undefined>>()
  /** Records of sessions that live on other nodes, as they were read, by session id. */
  readonly #remembered = new Recent<string, SessionRecord>(maxRemembered)

  constructor(parts: SessionParts, cluster: Cluster | undefined) {
    this.#parts = parts
    this.#cluster = cluster
  }

  /**
   * The session that a request names, if it is its principal's. `undefined` alike for one that is unknown, ended,
   * expired or another principal's.
   * @throws Rejection `session_required`, `draining`, `owner_unreachable`
   */
  find(request: HttpRequest, { sessionId }: RequestHead): MaybePromise<SessionHandle | undefined> {
    if (!sessionId) throw new Rejection('session_required')
    // A node that stood still may have lost the session to another.
    if (this.#cluster && !this.#cluster.isReady) return this.#findWhenReady(request, sessionId)
    return this.#findNow(request, sessionId)
  }

  /** The same for a request that another node has sent here: `undefined` also for a session that lives on a third. */
  async findHere(request: HttpRequest, { sessionId }: RequestHead): Promise<SessionHandle | undefined> {
    await this.#cluster?.join()
    const live = this.#parts.table.find(sessionId ?? '')
    if (live?.record.principal === this.#principalOf(request.auth)) return live
    const session = await this.#find(request, sessionId ?? '', 1)
    return session instanceof RemoteSession ? undefined : session
  }

  async #findWhenReady(request: HttpRequest, sessionId: string): Promise<SessionHandle | undefined> {
    await this.#cluster?.join()
    return this.#findNow(request, sessionId)
  }

  #findNow(request: HttpRequest, sessionId: string): MaybePromise<SessionHandle | undefined> {
    const { attendance, table } = this.#parts
    const session = table.find(sessionId)
    // An endpoint that closes brings no session to life, and asks no other node once it has closed.
    if (!session && attendance.refuses) throw drainingRejection()
    const principal = this.#principalOf(request.auth)
    if (session?.record.principal === principal) return session
    // What makes up for a gap is in the record as it is now: who listens may have subscribed since it was read.
    const record = request.method === 'GET' ? undefined : this.#remembered.get(sessionId)
    if (record?.principal === principal) return this.#toRemote(record, request, sessionId, maxLooks)
    return this.#find(request, sessionId, maxLooks)
  }

  async #find(request: HttpRequest, sessionId: string, looks: number): Promise<SessionHandle | undefined> {
    const { options } = this.#parts
    if (!isSessionId(sessionId)) return undefined
    const key = await sessionKey(sessionId)
    const principal = this.#principalOf(request.auth)
    const sought = { sessionId, key, principal, request }
    const record = await options.backplane.sessions.get(key)
    return record?.principal === principal ? this.#locate(record, sought, looks) : undefined
  }

  async #locate(record: SessionRecord, sought: Sought, looks: number): Promise<SessionHandle | undefined> {
    const { sessionId, request } = sought
    // It may have come to life meanwhile; the first request that asks for it rebuilds it.
    const session = this.#parts.table.find(sessionId)
    if (session) return session
    if (looks === 0) throw new Rejection('owner_unreachable', { headers: { 'retry-after': '1' } })
    if (await this.#isElsewhere(record)) {
      this.#remembered.set(sessionId, record)
      return this.#toRemote(record, request, sessionId, looks - 1)
    }
    const { draining, refuses } = this.#parts.attendance
    // Who asked for it takes it over: this node has given it up, unless it has it again for a client of its own.
    if (draining && request.isForwarded && !this.#rebuilding.has(sought.key)) return this.#giveUp(record)
    if (refuses) throw drainingRejection()
    // Another request may have brought it to life while this one asked for the lease.
    const rebuilt = this.#parts.table.find(sessionId)
    if (rebuilt) return rebuilt
    if (request.method === 'DELETE' && !this.#rebuilding.has(sought.key)) return this.#toStored(record)
    return (await this.#rebuild(record, sought)) ?? this.#find(request, sessionId, looks - 1)
  }

  /** The store may not have heard of it. */
  async #giveUp(record: SessionRecord): Promise<undefined> {
    if (record.owner === this.#cluster?.name) await giveUp(record, this.#parts)
  }

  async #isElsewhere({ owner }: SessionRecord): Promise<boolean> {
    const cluster = this.#cluster
    return cluster !== undefined && owner !== '' && owner !== cluster.name && (await cluster.lives(owner))
  }

  #toStored(record: SessionRecord): StoredSession {
    return new StoredSession(record, this.#parts)
  }

  #toRemote(record: SessionRecord, request: HttpRequest, sessionId: string, looks: number): RemoteSession {
    const { attendance, options } = this.#parts
    const forget = (): void => void this.#remembered.delete(sessionId)
    const findAnew = (): Promise<SessionHandle | undefined> => {
      forget()
      return this.#find(request, sessionId, looks)
    }
    const cluster = this.#cluster as Cluster
    return new RemoteSession({ cluster, attendance, options, record, request, findAnew, forget })
  }

  /** `undefined`: it has ended, or another node was first. */
  #rebuild(record: SessionRecord, { sessionId, request }: Sought): Promise<LiveSession | undefined> {
    const { key } = record
    const underWay = this.#rebuilding.get(key)
    if (underWay) return underWay
    this.#remembered.delete(sessionId)
    const rebuilding = rebuildSession(this.#parts, sessionId, record, request)
    this.#rebuilding.set(key, rebuilding)
    return rebuilding.finally(() => this.#rebuilding.delete(key))
  }

  #principalOf(auth: AuthInfo | undefined): string | null {
    return auth ? this.#parts.options.principal(auth) : null
  }
}
