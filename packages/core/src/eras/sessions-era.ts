import type { Attendance } from '../attendance/attendance.ts'
import { Servers, type ServersOptions } from '../call/build-server.ts'
import { checkBatch, isBatch } from '../call/dispatch.ts'
import { Cluster, type ClusterOptions, isShared as isSharedByNodes } from '../cluster/cluster.ts'
import { Directory } from '../cluster/directory.ts'
import { publishRefusal } from '../diagnostics/publish-refusal.ts'
import { drainingRejection, isRejection, Rejection, refusals } from '../http/errors.ts'
import { sessionIdHeader } from '../http/headers.ts'
import type { HttpReply, HttpRequest } from '../http/http.ts'
import { type Incoming, type ReadOptions, readMessage } from '../http/read-message.ts'
import { ended, type Faults, refusing, toErrorReply, toJsonReply, toRejection } from '../http/reply.ts'
import { type RequestHead, readHead } from '../http/request-head.ts'
import { isThenable, type MaybePromise } from '../promises/maybe-promise.ts'
import { isInitialize, type JsonRpcNotification, type JsonRpcRequest } from '../rpc/json-rpc.ts'
import { negotiate } from '../rpc/revision.ts'
import { SessionCaps } from '../session/caps.ts'
import type { LiveSession } from '../session/live-session.ts'
import { MakingUp } from '../session/making-up.ts'
import { openSession, type SessionParts, type SessionsOptions, type ThisNode } from '../session/open-session.ts'
import { type SessionActivity, toActivity } from '../session/session-activity.ts'
import { type SessionHandle, SessionMoved } from '../session/session-handle.ts'
import { SessionTable } from '../session/session-table.ts'
import { describeStreams, type StreamInfo } from '../stream/stream-info.ts'
import { type Counts, checkVersion, checkVersionInSession, type Era } from './era.ts'
import { checkMirrors } from './mirrors.ts'

export type SessionsEraOptions = SessionsOptions & ServersOptions & ReadOptions & Faults & ClusterOptions

/** 2024-11-05 to 2025-11-25: a session per client, opened with `initialize` and named by `Mcp-Session-Id`. */
export class SessionsEra implements Era {
  readonly methods = ['GET', 'POST', 'DELETE']
  readonly #options: SessionsEraOptions
  readonly #parts: SessionParts
  readonly #table: SessionTable
  readonly #directory: Directory
  readonly #cluster: Cluster | undefined
  readonly #makingUp = new MakingUp()
  #opening = 0

  constructor(options: SessionsEraOptions, attendance: Attendance) {
    const caps = new SessionCaps(options, attendance)
    const table = new SessionTable(attendance, caps)
    this.#options = options
    this.#table = table
    const isShared = isSharedByNodes(options.backplane)
    this.#cluster = isShared ? this.#createCluster(table) : undefined
    attendance.handsOver = isShared
    this.#parts = {
      ...{ options, attendance, table, caps, isShared },
      servers: new Servers(options, attendance),
      leave: (session) => table.remove(session),
      settle: (session) => caps.settle(session),
      node: this.#cluster ?? alone,
    }
    this.#directory = new Directory(this.#parts, this.#cluster)
  }

  #createCluster(table: SessionTable): Cluster {
    return new Cluster({
      options: this.#options,
      answer: (request) => this.#answerForwarded(request),
      activities: () => [...table.all].map((session) => ({ key: session.record.key, ...toActivity(session) })),
      streams: (key) => this.#streamsOf(key),
      lapsed: () => table.confirm(),
    })
  }

  answer(request: HttpRequest, head: RequestHead, given?: Incoming): MaybePromise<HttpReply> {
    const { method, sessionId } = head
    if (method === 'POST' && sessionId === undefined) return this.#open(request, head, given)
    if (sessionId === undefined) checkVersion(head)
    else checkVersionInSession(head)
    const found = this.#directory.find(request, head)
    // A session that lives here is known at once: most requests need no promise for it.
    if (!isThenable(found)) return this.#answerIn(found, request, head, given)
    return found.then((session) => this.#answerIn(session, request, head, given))
  }

  #answerIn(
    session: SessionHandle | undefined,
    request: HttpRequest,
    head: RequestHead,
    given: Incoming | undefined,
  ): MaybePromise<HttpReply> {
    if (head.method === 'POST') {
      return session ? this.#post(session, request, head, given) : this.#openAnew(request, head, given)
    }
    if (!session) throw new Rejection('session_not_found')
    return head.method === 'GET' ? this.#listen(session, request, head) : this.#end(session, request, head)
  }

  async #listen(session: SessionHandle, request: HttpRequest, head: RequestHead): Promise<HttpReply> {
    try {
      return await session.listen(request, head.lastEventId)
    } catch (error) {
      return this.#again(error, request, head)
    }
  }

  async #end(session: SessionHandle, request: HttpRequest, head: RequestHead): Promise<HttpReply> {
    try {
      await session.end('The client ended the session')
      return ended
    } catch (error) {
      return this.#again(error, request, head)
    }
  }

  /** Where the session has moved meanwhile. What another node has sent is looked for there. */
  #again(error: unknown, request: HttpRequest, head: RequestHead): MaybePromise<HttpReply> {
    if (error instanceof SessionMoved && !request.isForwarded) return this.answer(request, head)
    throw error
  }

  /** `undefined`: the session does not live here. */
  async #answerForwarded(request: HttpRequest): Promise<HttpReply | undefined> {
    try {
      const head = readHead(request)
      const session = await this.#directory.findHere(request, head)
      return session && (await this.#answerIn(session, request, head, undefined))
    } catch (error) {
      if (error instanceof SessionMoved) return undefined
      const rejection = toRejection(error, request, this.#options)
      publishRefusal(rejection, request, this.#parts.attendance.endpoint)
      return toErrorReply(rejection)
    }
  }

  /** A session that has hibernated meanwhile, or that another node has taken over, is looked for again. */
  async #post(
    session: SessionHandle,
    request: HttpRequest,
    head: RequestHead,
    given: Incoming | undefined,
  ): Promise<HttpReply> {
    const incoming = given ?? (await readMessage(request, this.#options))
    try {
      checkMirrors(request, head, incoming)
      return await session.post(incoming, request, head)
    } catch (error) {
      if (!(error instanceof SessionMoved)) throw refusing(incoming, error, request, this.#options)
      if (request.isForwarded) throw error
      return this.answer(request, head, incoming)
    }
  }

  async #open(request: HttpRequest, head: RequestHead, given: Incoming | undefined): Promise<HttpReply> {
    const incoming = given ?? (await readMessage(request, this.#options))
    try {
      checkVersion(head, incoming)
      return await this.#initialize(checkInitialize(incoming), request, head)
    } catch (error) {
      throw refusing(incoming, error, request, this.#options)
    }
  }

  /**
   * A client that starts anew may still name the session that has ended. Its body is read for that alone: whatever else
   * it is, and be it no JSON, gets the one answer of an unknown session.
   */
  async #openAnew(request: HttpRequest, head: RequestHead, given: Incoming | undefined): Promise<HttpReply> {
    const message = oneId.test(head.sessionId ?? '') ? await this.#readInitialize(request, given) : undefined
    if (!message) throw new Rejection('session_not_found')
    try {
      return await this.#initialize(message, request, head)
    } catch (error) {
      throw refusing(message, error, request, this.#options)
    }
  }

  /** `undefined`: the body is anything else. */
  async #readInitialize(request: HttpRequest, given: Incoming | undefined): Promise<JsonRpcRequest | undefined> {
    try {
      const incoming = given ?? (await readMessage(request, this.#options))
      return !isBatch(incoming) && isInitialize(incoming) ? incoming : undefined
    } catch (error) {
      if (isRejection(error) && refusals[error.refusal].status < 500) return undefined
      throw error
    }
  }

  async #initialize(message: JsonRpcRequest, request: HttpRequest, head: RequestHead): Promise<HttpReply> {
    if (this.#parts.attendance.refuses) throw drainingRejection()
    this.#opening++
    try {
      const asked = { ...message, params: negotiate(message.params ?? {}) }
      const { session, text } = await openSession(this.#parts, asked, request)
      if (!session) return toJsonReply(text)
      const headers = { [sessionIdHeader]: session.sessionId }
      if (head.acceptable.json && this.#options.response !== 'sse') return toJsonReply(text, headers)
      return session.answerOnStream(text, message.id, request, headers)
    } finally {
      this.#opening--
    }
  }

  notify(notification: JsonRpcNotification, sessionKey?: string): void {
    const text = JSON.stringify(notification)
    for (const session of this.#table.reached(sessionKey)) {
      if (session.initialized) session.calls.notify(text, notification.method)
    }
  }

  sessionEnded(sessionKey: string): void {
    this.#table.ended(sessionKey)
  }

  missed(): void {
    this.#makingUp.begin(this.#table.all)
    this.#table.confirm().catch((error: unknown) => this.#options.onError(error, 'session-store'))
  }

  async drain(drainMs: number): Promise<void> {
    this.#makingUp.finish()
    await this.#parts.attendance.untilIdle(drainMs, () => {
      if (this.#cluster) this.#handOverIdle()
      return this.#opening === 0 && this.#isAnswered() && this.#cluster?.isIdle !== false
    })
  }

  sayFarewell(): void {
    this.#cluster?.relayed.sayFarewell(comeBackMs)
    for (const { streams } of this.#table.all) streams.standalone.reader?.sayFarewell(comeBackMs())
  }

  /** Sessions without a call live on elsewhere at once. */
  #handOverIdle(): void {
    const { onError } = this.#options
    for (const session of [...this.#table.all]) {
      if (!isAnswered(session)) continue
      session.streams.standalone.reader?.sayFarewell(comeBackMs())
      session.release('The server is shutting down').catch((error: unknown) => onError(error, 'session-store'))
    }
  }

  /** No call runs, every answer was read, and what was sent is stored. */
  #isAnswered(): boolean {
    for (const session of this.#table.all) if (!isAnswered(session)) return false
    return true
  }

  /** The store keeps the records, for other nodes or for after a restart. */
  async close(reason: string): Promise<void> {
    this.#makingUp.finish()
    await Promise.all([...this.#table.all].map((session) => session.stop(reason)))
    await this.#cluster?.close()
  }

  activities(node: string): MaybePromise<ReadonlyMap<string, SessionActivity>> {
    if (this.#cluster && node !== this.#cluster.name) return this.#cluster.activitiesOf(node)
    return new Map([...this.#table.all].map((session) => [session.record.key, toActivity(session)]))
  }

  streams(node: string, sessionKey: string): Promise<readonly StreamInfo[] | undefined> {
    if (this.#cluster && node !== this.#cluster.name) return this.#cluster.streamsOf(node, sessionKey)
    return this.#streamsOf(sessionKey)
  }

  async #streamsOf(sessionKey: string): Promise<readonly StreamInfo[] | undefined> {
    const session = this.#table.findByKey(sessionKey)
    return session && describeStreams(session.streams)
  }

  counts(): Counts {
    const counts = { sessions: this.#table.size, streams: 0, calls: 0, questions: 0 }
    for (const { calls, streams } of this.#table.all) {
      counts.streams += streams.size
      counts.calls += calls.size
      counts.questions += calls.questions
    }
    return counts
  }
}

/** Also what the log has not settled yet: the next owner must not come before that. */
function isAnswered({ calls, streams }: LiveSession): boolean {
  return calls.size === 0 && streams.callsBeingRead === 0 && !streams.writer.isBusy
}

/** A node that shares no sessions has nobody to tell. */
const alone: ThisNode = { name: 'alone', lapses: 0, join: async () => undefined }

/** Visible ASCII (Session Management 1). A header that came twice is none: its values are joined with a space. */
const oneId = /^[\x21-\x7e]+$/

/** Without a session id only `initialize` may come. */
function checkInitialize(incoming: Incoming): JsonRpcRequest {
  if (isBatch(incoming)) checkBatch(incoming, { batches: true })
  else if (isInitialize(incoming)) return incoming
  throw new Rejection('session_required')
}

/**
 * Time, in milliseconds, after which a client finds another node, or this one again after a deploy. Spread over
 * clients.
 */
function comeBackMs(): number {
  return 5_000 + Math.round(Math.random() * 5_000)
}
