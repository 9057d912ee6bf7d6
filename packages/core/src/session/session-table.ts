import type { SessionChanges, SessionRecord } from '../backplane/backplane.ts'
import type { Exchange } from '../call/exchange.ts'
import { drainingRejection, Rejection } from '../http/errors.ts'
import type { HttpRequest } from '../http/http.ts'
import type { ResolvedOptions } from '../options.ts'
import { within } from '../promises/deadline.ts'
import { isRequest, type JsonRpcRequest, type JsonRpcResponse } from '../rpc/json-rpc.ts'
import type { AuthInfo, McpServerLike, SessionContext } from '../rpc/server.ts'
import type { Connection } from '../stream/connection.ts'
import { LiveSession, type SessionHost } from './live-session.ts'
import { isSessionId, sessionKey } from './session-id.ts'
import { toContext, toHandshake, toStatelessRecord } from './session-record.ts'
import { Watch } from './watch.ts'

type Params = Readonly<Record<string, unknown>>

/**
 * The sessions that live on this node: opened, found again, bounded in number, and ended when nobody uses them.
 * One timer serves them all.
 */
export class Sessions implements SessionHost {
  readonly #options: ResolvedOptions
  readonly #live = new Map<string, LiveSession>()
  readonly #byKey = new Map<string, LiveSession>()
  readonly #perPrincipal = new Map<string, number>()
  readonly #servers = new WeakSet<McpServerLike>()
  readonly #reviving = new Map<string, Promise<LiveSession>>()
  readonly #stateless = new Set<LiveSession>()
  readonly #watch: Watch
  #nodeId: string | undefined
  #opening = 0
  #closed = false
  #dropped = 0

  constructor(options: ResolvedOptions) {
    this.#options = options
    this.#watch = new Watch(options, {
      expire: (session, reason) => this.#endLater(session, reason),
      prolong: (since) => this.#prolong(since),
    })
  }

  get all(): Iterable<LiveSession> {
    return this.#live.values()
  }

  get size(): number {
    return this.#live.size
  }

  isLive(sessionId: string): boolean {
    return this.#live.has(sessionId)
  }

  counts(): { connections: number; detachedCalls: number; droppedMessages: number } {
    return { ...this.#watch.counts, droppedMessages: this.#dropped }
  }

  findByKey(key: string): LiveSession | undefined {
    return this.#byKey.get(key)
  }

  /**
   * The session a request names, if it is its principal's. Unknown, ended, expired and another's look the same.
   * @throws Rejection `session_required`, `session_not_found`
   */
  resolve(request: HttpRequest, sessionId: string): LiveSession | Promise<LiveSession> {
    const principal = this.#principalOf(request.auth)
    const session = this.#live.get(sessionId)
    if (session && session.record.principal === principal) return session
    return this.#resolveStored(sessionId, principal, request.auth)
  }

  async #resolveStored(sessionId: string, principal: string | null, auth: AuthInfo | undefined): Promise<LiveSession> {
    if (!isSessionId(sessionId)) throw new Rejection('session_not_found')
    const key = await sessionKey(sessionId)
    const record = await this.#options.backplane.sessions.get(key)
    if (record?.principal !== principal) throw new Rejection('session_not_found')
    // It may have come to life meanwhile; whoever asks first builds it.
    const live = this.#live.get(sessionId)
    if (live) return live
    const reviving = this.#reviving.get(key) ?? this.#revive(sessionId, key, auth)
    this.#reviving.set(key, reviving)
    return reviving.finally(() => this.#reviving.delete(key))
  }

  /** Builds the server object anew, on this node, from what the record knows. */
  async #revive(sessionId: string, key: string, auth: AuthInfo | undefined): Promise<LiveSession> {
    const { backplane, sessionIdleMs } = this.#options
    const record = await backplane.sessions.takeOver(key, this.#ownName, sessionIdleMs)
    if (!record) throw new Rejection('session_not_found')
    const session = new LiveSession(this, this.#options, sessionId, record)
    await session.streams.restoreStandalone()
    await this.#build(session, toContext(sessionId, record.initializeParams, auth, true))
    for (const message of toHandshake(record)) {
      if (!isRequest(message)) session.receive(message)
      else if ('error' in (await this.#ask(session, message))) {
        this.#options.onError(new Error(`A server object built anew refused ${message.method}`), 'server')
      }
    }
    this.#add(session)
    this.#countPrincipal(record.principal, 1)
    return session
  }

  /**
   * Opens a session with the client's `initialize`, its version negotiated. No session is left when the server object refuses it.
   * @throws Rejection `too_many_sessions`
   */
  async open(
    message: JsonRpcRequest,
    request: HttpRequest,
  ): Promise<{ session: LiveSession | undefined; response: JsonRpcResponse }> {
    const principal = this.#principalOf(request.auth)
    this.#opening++
    // A place is taken before anything is awaited, or many who come at once would all find the last one.
    this.#countPrincipal(principal, 1)
    let opened: LiveSession | undefined
    try {
      await this.#makeRoom(principal)
      const session = await this.#create(message, request, principal)
      const response = await this.#ask(session, message, request)
      if ('result' in response) {
        await this.#register(session, response.result)
        opened = session
      } else {
        await this.#discard(session, 'initialize was refused')
      }
      return { session: opened, response }
    } finally {
      this.#opening--
      if (!opened) this.#countPrincipal(principal, -1)
    }
  }

  async #create(message: JsonRpcRequest, request: HttpRequest, principal: string | null): Promise<LiveSession> {
    const sessionId = this.#createId()
    const params = message.params ?? {}
    const record = await this.#toRecord(sessionId, principal, params)
    const session = new LiveSession(this, this.#options, sessionId, record)
    await this.#build(session, toContext(sessionId, params, request.auth, false))
    return session
  }

  /** A server object that does not answer its handshake is given up. */
  async #ask(session: LiveSession, message: JsonRpcRequest, request?: HttpRequest): Promise<JsonRpcResponse> {
    try {
      const answer = session.request(message, request)
      return await within(this.#options.initializeTimeoutMs, answer, `the server object to answer ${message.method}`)
    } catch (error) {
      await this.#discard(session, 'The server object did not answer')
      throw error
    }
  }

  async #register(session: LiveSession, result: Params): Promise<void> {
    session.establish({
      protocolVersion: String(result.protocolVersion),
      serverCapabilities: (result.capabilities ?? {}) as Params,
    })
    try {
      const { backplane, sessionIdleMs } = this.#options
      if (!(await backplane.sessions.create(session.record, sessionIdleMs))) {
        throw new Error('generateSessionId returned an id that is in use')
      }
    } catch (error) {
      await this.#discard(session, 'The session could not be stored')
      throw error
    }
    this.#add(session)
  }

  /** A session that lasts for one POST. */
  async openStateless(request: HttpRequest, protocolVersion: string): Promise<LiveSession> {
    const record = toStatelessRecord(protocolVersion)
    const session = new LiveSession(this, this.#options, undefined, record)
    await this.#build(session, toContext(undefined, {}, request.auth, false))
    this.#stateless.add(session)
    this.#watch.add(session)
    return session
  }

  /** Ends a session for good, on this node and in the store. */
  async end(session: LiveSession, reason: string): Promise<void> {
    this.#remove(session)
    await session.end(reason)
    await this.#forget(session)
  }

  /** Resolves when no call runs and nothing is left to write, or after `timeoutMs`. */
  idle(timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs
    return new Promise((resolve) => {
      const look = (): void => {
        if ((this.#isIdle() && this.#opening === 0) || Date.now() >= deadline) resolve()
        else setTimeout(look, Math.min(20, Math.max(1, deadline - Date.now())))
      }
      look()
    })
  }

  #isIdle(): boolean {
    const { free, counts } = this.#watch
    return counts.connections === 0 && this.#stateless.size === 0 && free.size === this.#live.size
  }

  /** Ends what lives on this node; the store keeps the records, for other nodes or for after a restart. */
  async closeAll(reason: string): Promise<void> {
    this.#closed = true
    this.#watch.stop()
    const sessions = [...this.#live.values(), ...this.#stateless]
    for (const session of sessions) this.#remove(session)
    await Promise.all(sessions.map((session) => session.end(reason)))
    // What is still open has a reader that does not read: it would keep the process alive.
    for (const connection of this.#watch.connections) connection.drop()
  }

  // ---- SessionHost ----

  busy(session: LiveSession): void {
    this.#watch.setBusy(session)
  }

  free(session: LiveSession): void {
    if (this.#stateless.has(session)) this.#endLater(session, 'The exchange is over')
    else if (this.#isServed(session)) this.#watch.setFree(session)
  }

  opened(connection: Connection): void {
    this.#watch.setOpened(connection)
  }

  closed(connection: Connection): void {
    this.#watch.setClosed(connection)
  }

  detached(exchange: Exchange): void {
    this.#watch.setDetached(exchange)
  }

  attached(exchange: Exchange): void {
    this.#watch.setAttached(exchange)
  }

  dropped(): void {
    this.#dropped++
  }

  changed(session: LiveSession, changes: SessionChanges): void {
    if (changes.initialized) this.#watch.setInitialized(session)
    void this.#update(session, changes)
  }

  over(session: LiveSession): void {
    this.#endLater(session, 'The server closed the session')
  }

  /** What is stored is not ours any more. */
  lost(session: LiveSession): void {
    this.#remove(session)
    void session.end('The session lives on elsewhere')
  }

  // ---- Inside ----

  /** Made when it is needed: some runtimes have no random values while modules load. */
  get #ownName(): string {
    this.#nodeId ??= crypto.randomUUID()
    return this.#nodeId
  }

  #isServed(session: LiveSession): boolean {
    return session.sessionId !== undefined && this.#live.get(session.sessionId) === session
  }

  #endLater(session: LiveSession, reason: string): void {
    this.end(session, reason).catch((error: unknown) => this.#options.onError(error, 'session-store'))
  }

  #principalOf(auth: AuthInfo | undefined): string | null {
    return auth ? this.#options.principal(auth) : null
  }

  #createId(): string {
    const sessionId = this.#options.generateSessionId()
    if (typeof sessionId === 'string' && isSessionId(sessionId)) return sessionId
    throw new TypeError('Expected generateSessionId to return 22 to 128 visible ASCII characters')
  }

  async #toRecord(sessionId: string, principal: string | null, initializeParams: Params): Promise<SessionRecord> {
    return {
      ...toStatelessRecord(String(initializeParams.protocolVersion)),
      key: await sessionKey(sessionId),
      principal,
      initializeParams,
      owner: this.#ownName,
    }
  }

  async #build(session: LiveSession, context: SessionContext): Promise<void> {
    const { server: build, initializeTimeoutMs } = this.#options
    const server = await within(initializeTimeoutMs, build(context), '`server` to build a server object')
    // One shared object would mix up the answers of its sessions.
    if (this.#servers.has(server)) {
      throw new Error('Expected `server` to build a new MCP server object for each session, got one that is in use')
    }
    this.#servers.add(server)
    await session.connectServer(server)
    if (!this.#closed) return
    // The endpoint closed meanwhile.
    await session.end('The server is shutting down')
    throw drainingRejection()
  }

  #add(session: LiveSession): void {
    const { sessionId, record } = session
    if (sessionId === undefined) return
    this.#live.set(sessionId, session)
    this.#byKey.set(record.key, session)
    this.#watch.add(session)
    this.#watch.setFree(session)
  }

  #remove(session: LiveSession): void {
    const { sessionId, record } = session
    if (this.#stateless.delete(session)) this.#watch.remove(session)
    if (sessionId === undefined || !this.#isServed(session)) return
    this.#watch.remove(session)
    this.#live.delete(sessionId)
    this.#byKey.delete(record.key)
    this.#countPrincipal(record.principal, -1)
  }

  #countPrincipal(principal: string | null, change: 1 | -1): void {
    if (principal === null) return
    const count = (this.#perPrincipal.get(principal) ?? 0) + change
    if (count > 0) this.#perPrincipal.set(principal, count)
    else this.#perPrincipal.delete(principal)
  }

  async #discard(session: LiveSession, reason: string): Promise<void> {
    await session.end(reason)
    await session.streams.log.delete()
  }

  async #forget(session: LiveSession): Promise<void> {
    try {
      if (session.sessionId !== undefined) await this.#options.backplane.sessions.delete(session.record.key)
    } finally {
      await session.streams.log.delete()
    }
  }

  async #update(session: LiveSession, changes: SessionChanges): Promise<void> {
    const { backplane, sessionIdleMs, onError } = this.#options
    const { key, term } = session.record
    if (session.sessionId === undefined) return
    try {
      const updated = await backplane.sessions.update(key, term, changes, sessionIdleMs)
      if (!updated && !session.ended) this.lost(session)
    } catch (error) {
      onError(error, 'session-store')
    }
  }

  /** At a cap the longest-idle session makes room; when none is idle, the newcomer waits. */
  async #makeRoom(principal: string | null): Promise<void> {
    const { maxSessions, maxSessionsPerPrincipal } = this.#options
    if (principal !== null && (this.#perPrincipal.get(principal) ?? 0) > maxSessionsPerPrincipal) {
      await this.#evict((session) => session.record.principal === principal)
    }
    if (this.#live.size + this.#opening > maxSessions) await this.#evict(() => true)
  }

  async #evict(matches: (session: LiveSession) => boolean): Promise<void> {
    for (const session of this.#watch.free) {
      if (!matches(session)) continue
      return this.end(session, 'The session made room for another')
    }
    // Jittered, so that those who are refused together do not come back together.
    const seconds = 5 + Math.floor(Math.random() * 11)
    throw new Rejection('too_many_sessions', { headers: { 'retry-after': String(seconds) } })
  }

  /** The store expires sessions by itself; it learns here which ones were used. */
  #prolong(since: number): void {
    for (const session of this.#live.values()) {
      if (!this.#watch.free.has(session) || session.freeSince >= since) void this.#update(session, {})
    }
  }
}
