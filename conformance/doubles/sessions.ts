import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { mayUse, principalOf } from './auth.ts'
import { kindOf } from './body.ts'
import { supportedVersions } from './guard.ts'
import { capabilities } from './mcp.ts'
import { Session } from './session.ts'
import { header, isObject, type Json, type Message, Refusal, type Settings } from './wire.ts'

/** The sessions of one server. */
export class Sessions {
  readonly #settings: Settings
  readonly #live = new Map<string, Session>()
  /** Those that DELETE ended. To a right server they are like those that never were. */
  readonly #ended = new Map<string, Session>()
  /** Those that served one request, and may still be answering it. */
  readonly #passed = new Set<Session>()
  readonly #expiry: NodeJS.Timeout
  #count = 0

  constructor(settings: Settings) {
    this.#settings = settings
    this.#expiry = setInterval(() => this.#expire(), Math.min(1_000, settings.sessionIdleMs / 4))
  }

  close(): void {
    clearInterval(this.#expiry)
    for (const session of this.#live.values()) session.end()
    this.#live.clear()
  }

  keepAlive(): void {
    const oldest = Date.now() - 5_000
    for (const session of this.#passed) {
      if (!session.isBusy && session.lastSeenAt < oldest) this.#passed.delete(session)
    }
    for (const { streams } of [...this.#live.values(), ...this.#passed])
      for (const stream of streams) stream.keepAlive()
  }

  get isFlooded(): boolean {
    return [...this.#live.values()].some(({ streams }) => streams.some((stream) => stream.isFlooded))
  }

  get isCrowded(): boolean {
    return this.#live.size > 30
  }

  end(session: Session): void {
    this.#live.delete(session.id)
    this.#ended.set(session.id, session)
    session.end()
  }

  endAll(): void {
    for (const session of this.#live.values()) this.end(session)
  }

  /** The session that the request names. `value` is the body, where it was read before. */
  resolve(request: IncomingMessage, value?: unknown): Session | undefined {
    const { defects } = this.#settings
    if (this.#settings.stateless) return this.#passing(request)
    const named = header(request, 'mcp-session-id', defects, defects.has('first-of-two-session-ids-wins'))
    const sessionId =
      named ?? (defects.has('session-id-in-query-counts') ? queryValue(request, 'mcp-session-id') : undefined)
    if (sessionId === undefined) return undefined
    const isElsewhere = request.url?.includes('node=2') && defects.has('second-node-knows-no-sessions')
    if (isElsewhere) throw this.#unknown(request, false, value)
    const session = this.#lookUp(sessionId)
    if (session && mayUse(session.handshake.owner, request, this.#settings, value)) {
      session.touch()
      return session
    }
    const ended = this.#ended.get(sessionId)
    if (ended && request.headers['last-event-id'] && defects.has('ended-session-can-be-resumed')) return ended
    const isInitialize = isObject(value) && value.method === 'initialize'
    if (isInitialize && ended && defects.has('stale-id-on-initialize-is-500')) throw new Error('The session is closed')
    if (isInitialize && this.#isAdopted(sessionId)) return undefined
    throw this.#unknown(request, ended !== undefined, value)
  }

  /** Without an id where one is needed: 400, and never the 404 of an unknown one. */
  require(session: Session | undefined, message?: Message, request?: IncomingMessage): Session {
    if (session) return session
    const { defects } = this.#settings
    const kind = kindOf(message)
    const isPlainGet = request?.method === 'GET' && request.headers['last-event-id'] === undefined
    const isWrong =
      (kind === 'request' && defects.has('request-without-session-is-404')) ||
      (kind === 'notification' && defects.has('notification-without-session-is-404')) ||
      (isPlainGet && defects.has('get-without-session-is-404')) ||
      (request?.method === 'DELETE' && defects.has('delete-without-session-is-404'))
    throw new Refusal(isWrong ? 404 : 400, 'Mcp-Session-Id is missing', { requestId: message?.id })
  }

  /** An event id is no credential: without a session id it names nothing. */
  findByEvent(eventId: string | undefined): Session | undefined {
    if (eventId === undefined || !this.#settings.defects.has('event-id-names-the-session')) return undefined
    return [...this.#live.values()].find((session) => session.knows(eventId))
  }

  initialize(
    { id = '', params = {} }: Message,
    request: IncomingMessage,
    existing: Session | undefined,
  ): { session: Session; result: Json } {
    const { defects, maxSessions } = this.#settings
    const refuse = (message: string, code = -32600, headers = {}): Refusal =>
      new Refusal(400, message, { code, requestId: id, headers })
    if (this.#live.size + this.#ended.size > 0 && defects.has('serves-one-client')) throw refuse('Already initialized')
    const isSecond = existing && !this.#settings.stateless
    if (isSecond && !defects.has('second-initialize-opens-another')) throw refuse('The session is initialized already')
    const owner = principalOf(request)
    const { protocolVersion, capabilities: clientCapabilities, clientInfo } = params
    const isValid = typeof protocolVersion === 'string' && isObject(clientCapabilities) && isObject(clientInfo)
    if (!isValid && defects.has('session-opened-before-validation')) {
      const handshake = { version: '2025-11-25', clientCapabilities: {}, initializeId: id, owner }
      throw refuse('Invalid params', -32602, { 'mcp-session-id': this.#open(this.#mint(), handshake).id })
    }
    if (!isValid) throw refuse('Invalid params', -32602)
    const named = request.headers['mcp-protocol-version']
    const isOther = supportedVersions.includes(String(named)) && named !== protocolVersion
    if (isOther && defects.has('initialize-must-match-the-header')) {
      throw refuse('MCP-Protocol-Version differs')
    }
    if (this.#live.size > 500 && defects.has('crowd-of-sessions-is-500')) throw new Error('No room')
    if (this.#live.size > 20 && defects.has('twenty-sessions-are-the-most')) throw new Error('No room')
    if (this.#live.size >= maxSessions) {
      throw new Refusal(503, 'Too many sessions', { headers: { 'retry-after': '5' }, requestId: id })
    }
    const version = supportedVersions.includes(protocolVersion) ? protocolVersion : this.#otherThan(protocolVersion)
    const chosen = request.headers['mcp-session-id']
    const isAdopted = typeof chosen === 'string' && this.#isAdopted(chosen)
    const session = this.#open(isAdopted ? chosen : this.#mint(), {
      version,
      clientCapabilities,
      initializeId: id,
      owner,
    })
    return { session, result: this.#toResult(version) }
  }

  /** Only doubles take an id that a client brings. */
  #isAdopted(sessionId: string): boolean {
    const { defects } = this.#settings
    const isEnded = this.#ended.has(sessionId) && defects.has('ended-session-id-is-adopted')
    return isEnded || defects.has('chosen-session-id-is-adopted')
  }

  /** What serves a single request: nobody can come back to it. */
  #passing(request: IncomingMessage): Session {
    const { defects } = this.#settings
    const isNamed = request.headers['mcp-session-id'] !== undefined
    if (isNamed && defects.has('stateless-looks-for-sessions')) throw new Refusal(404, 'Session not found')
    // Nothing else tells the version (Protocol Version Header 3).
    const assumed = defects.has('absent-version-means-the-latest') ? '2025-11-25' : '2025-03-26'
    const version = String(request.headers['mcp-protocol-version'] ?? assumed)
    const handshake = { version, clientCapabilities: {}, initializeId: '', owner: undefined }
    const session = new Session('', handshake, this.#live, this.#settings)
    session.isInitialized = true
    this.#passed.add(session)
    return session
  }

  #toResult(version: string): Json {
    const { defects } = this.#settings
    const isMistold = version === '2025-03-26' && defects.has('oldest-version-is-not-echoed')
    const serverInfo = { name: 'reference-server', version: '1.0.0' }
    return {
      protocolVersion: isMistold ? '2025-06-18' : version,
      capabilities,
      serverInfo: defects.has('server-has-no-version') ? { name: serverInfo.name } : serverInfo,
    }
  }

  /** Version Negotiation: what to answer when the version asked for is not supported. */
  #otherThan(asked: string): string {
    const { defects } = this.#settings
    const [latest = ''] = supportedVersions
    if (asked > latest && defects.has('later-versions-are-echoed')) return asked
    return (defects.has('unsupported-version-gets-the-oldest') ? supportedVersions.at(-1) : latest) ?? latest
  }

  #open(sessionId: string, handshake: Session['handshake']): Session {
    const session = new Session(sessionId, handshake, this.#live, this.#settings)
    this.#live.set(sessionId, session)
    return session
  }

  /** 192 random bits. */
  #mint(): string {
    const { defects } = this.#settings
    const random = randomBytes(24).toString('base64url')
    if (defects.has('session-ids-count-up')) return `session-${String(++this.#count).padStart(24, '0')}`
    return defects.has('session-ids-have-spaces') ? `${random.slice(0, 16)} ${random.slice(16)}` : random
  }

  #lookUp(sessionId: string): Session | undefined {
    const { defects } = this.#settings
    if (defects.has('sessions-in-a-plain-object') && sessionId in {}) throw new Error('Not a session')
    if (!defects.has('session-ids-ignore-case')) return this.#live.get(sessionId)
    return [...this.#live.values()].find(({ id }) => id.toLowerCase() === sessionId.toLowerCase())
  }

  /** 404 on every method and for every kind of message: the client is to start anew (Session Management 3). */
  #unknown({ method, headers }: IncomingMessage, isEnded: boolean, value: unknown): Refusal {
    const { defects } = this.#settings
    if (isEnded && method === 'DELETE' && defects.has('second-delete-is-200')) return new Refusal(200, 'Ended')
    const version = headers['mcp-protocol-version']
    const isBadVersion = version !== undefined && !supportedVersions.includes(version as string)
    if (isBadVersion && defects.has('bad-version-in-unknown-session-is-500')) return new Refusal(500, 'Internal error')
    const isWrong =
      (isEnded && method === 'POST' && kindOf(value) === 'request' && defects.has('ended-is-400-for-requests')) ||
      (!isEnded && method === 'POST' && defects.has('unknown-session-is-400-on-post')) ||
      (!isEnded && method !== 'POST' && defects.has('unknown-session-is-400-on-get-and-delete'))
    const tells = isEnded && defects.has('ended-session-is-told-apart')
    return new Refusal(isWrong ? 400 : 404, tells ? 'Session has ended' : 'Session not found', { code: -32001 })
  }

  #expire(): void {
    const oldest = Date.now() - this.#settings.sessionIdleMs
    for (const session of this.#live.values()) {
      if (!session.isBusy && session.lastSeenAt < oldest) this.end(session)
    }
  }
}

function queryValue(request: IncomingMessage, name: string): string | undefined {
  return new URL(request.url ?? '', 'http://localhost').searchParams.get(name) ?? undefined
}
