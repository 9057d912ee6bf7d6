import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { authenticate, checkScopeOfTool, isAuthDeferred, isOwnerDeferred, serveMetadata } from './auth.ts'
import { kindOf, parseBody, readBody, toMessages, toRefusalBody } from './body.ts'
import { allowOwnPages } from './cors.ts'
import type { Defect } from './doubles.ts'
import { type Call, Exchange } from './exchange.ts'
import { type Accepted, checkHead, checkOrigin, checkVersion, isOriginDeferred, supportedVersions } from './guard.ts'
import { createMethods, runCall } from './mcp.ts'
import { ModernEndpoint } from './modern-endpoint.ts'
import type { Session } from './session.ts'
import { Sessions } from './sessions.ts'
import { toolList, type World } from './tools.ts'
import { header, isObject, type Message, Refusal, type RequestId, type Settings, writeJson } from './wire.ts'

/** One POST whose messages are to be taken. */
interface Post {
  readonly session: Session
  readonly accepted: Accepted
  readonly isBatch: boolean
  readonly response: ServerResponse
}

/** The endpoint, from a request to its reply. */
export class Endpoint {
  readonly #settings: Settings
  readonly #sessions: Sessions
  readonly #methods
  readonly #modern: ModernEndpoint
  readonly #keepAlive: NodeJS.Timeout
  /** Bodies that are on their way. */
  #bodies = 0
  readonly #answering = new WeakMap<Socket, number>()
  /** Answers by id, whoever asked. */
  readonly #cache = new Map<RequestId, Message>()
  #served = 0
  readonly #takenByHead = new WeakSet<Session>()

  constructor(settings: Settings) {
    this.#settings = settings
    this.#sessions = new Sessions(settings)
    const world: World = { counter: 0, probes: new Map(), defaultArguments: {} }
    this.#methods = createMethods(world, settings)
    this.#modern = new ModernEndpoint(settings, world)
    this.#keepAlive = setInterval(() => this.#sessions.keepAlive(), settings.keepAliveMs)
  }

  close(): void {
    clearInterval(this.#keepAlive)
    this.#modern.close()
    this.#sessions.close()
  }

  /** Whatever refuses a request is thrown, and written here. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', ignore)
    response.on('error', ignore)
    try {
      await this.#handle(request, response)
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal(500, 'Internal error', { code: -32603 })
      this.#refuse(refusal, request, response)
    }
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { defects } = this.#settings
    if (serveMetadata(request, response, this.#settings)) return
    const asked = defects.has('query-string-is-not-found') ? request.url : request.url?.split('?')[0]
    if (asked !== '/mcp') throw new Refusal(404, 'Not found')
    this.#served++
    if (this.#served > 10 && defects.has('slow-after-ten-requests')) await sleep(1_000)
    if (this.#served > 5 && defects.has('modern-slow-after-five-requests')) await sleep(3_000)
    if (this.#modern.isMeant(request)) return await this.#modern.serve(request, response)
    if (allowOwnPages(request, response, this.#settings)) return
    const isForwarded = request.headers['x-forwarded-for'] !== undefined
    if (isForwarded && defects.has('forwarded-requests-are-400')) throw new Refusal(400, 'Not by way of a proxy')
    if (defects.has('pipelined-requests-are-503')) this.#countOnSocket(request, response)
    if (defects.has('long-headers-take-long') && isLong(request)) await sleep(700)
    const accepted = this.#check(request, response)
    if (defects.has('sessions-looked-up-before-the-token')) this.#sessions.resolve(request)
    if (!isAuthDeferred(request, this.#settings)) authenticate(request, this.#settings)
    if (request.method !== 'POST') {
      if (this.#settings.stateless) return this.#refuseMethod(request, response)
      const session = this.#sessions.resolve(request)
      const isBad = request.method === 'DELETE' && request.headers['mcp-protocol-version'] === '1999-01-01'
      if (session && isBad && defects.has('bad-version-on-delete-ends-the-session')) this.#sessions.end(session)
      checkVersion(request, session, this.#settings)
      return request.method === 'DELETE'
        ? this.#delete(request, response, session)
        : this.#listen(request, response, session)
    }
    const isLate = lateLookUps.some((defect) => defects.has(defect))
    const early = isLate || isOwnerDeferred(request, this.#settings) ? undefined : this.#sessions.resolve(request)
    const bytes = await this.#read(request, early)
    if (defects.has('origin-checked-after-reading')) checkOrigin(request, this.#settings)
    if (defects.has('token-checked-after-reading')) authenticate(request, this.#settings)
    const value = parseBody(bytes, request, this.#settings)
    if (isAuthDeferred(request, this.#settings)) authenticate(request, this.#settings, value)
    const kind = kindOf(value)
    const isExempt = defects.has('origin-not-checked-for-notifications') && kind !== 'request'
    if (isOriginDeferred(request, this.#settings) && !isExempt) checkOrigin(request, this.#settings)
    const session = early ?? this.#sessions.resolve(request, value)
    const negotiates = isObject(value) && value.method === 'initialize'
    if (!negotiates || defects.has('initialize-of-a-newer-header-refused')) {
      this.#endIfNewer(request, session, kind)
      checkVersion(request, session, this.#settings, kind)
    }
    const { isBatch, messages } = toMessages(value, session?.version, this.#settings)
    this.#checkEventId(request, session)
    const [first] = messages
    if (this.#modern.hasServed && defects.has('modern-requests-bar-initialize')) throw new Refusal(400, 'Too late')
    if (first?.method === 'initialize' && first.id !== undefined)
      return this.#initialize(first, request, response, session)
    const post = { session: this.#sessions.require(session, first), accepted, isBatch, response }
    checkScopeOfTool(request, first, this.#settings)
    await this.#take(messages, post)
  }

  /** As if a version that is not known were a session that is not known. */
  #endIfNewer({ headers }: IncomingMessage, session: Session | undefined, kind: string): void {
    const named = String(headers['mcp-protocol-version'])
    const isNewer = /^\d{4}-\d\d-\d\d$/.test(named) && named > (supportedVersions[0] ?? '')
    const isMeant = session !== undefined && kind === 'request' && isNewer
    if (isMeant && this.#settings.defects.has('newer-version-ends-the-session')) this.#sessions.end(session)
  }

  /** Without sessions there is no stream to open, and nothing to end. */
  #refuseMethod({ method }: IncomingMessage, response: ServerResponse): void {
    const isTolerated = method === 'DELETE' && this.#settings.defects.has('stateless-delete-is-204')
    if (!isTolerated) throw new Refusal(405, 'Method not allowed', { headers: { allow: 'POST' } })
    response.writeHead(204).end()
  }

  #check(request: IncomingMessage, response: ServerResponse): Accepted {
    try {
      return checkHead(request, this.#settings)
    } catch (error) {
      const isForeign = error instanceof Refusal && error.status === 403 && request.headers.origin !== undefined
      if (!isForeign || !this.#settings.defects.has('refused-origin-still-executed')) throw error
      if (request.method !== 'POST') throw error
      this.#refuse(error, request, response)
      return { json: true, sse: true }
    }
  }

  #refuse(refusal: Refusal, request: IncomingMessage, response: ServerResponse): void {
    const { defects } = this.#settings
    if (refusal.code === -32700 && defects.has('parse-error-is-plain-text')) {
      response.writeHead(400, { 'content-type': 'text/plain' }).end('Bad Request')
      return
    }
    const caching = defects.has('refusals-may-be-cached') ? { 'cache-control': 'public, max-age=60' } : {}
    const isPlainPut = request.method === 'PUT' && request.headers.origin === undefined
    const status = isPlainPut && defects.has('put-is-501') ? 501 : refusal.status
    writeJson(response, status, toRefusalBody(refusal, this.#settings), { ...refusal.headers, ...caching })
  }

  async #read(request: IncomingMessage, session: Session | undefined): Promise<Buffer> {
    const { defects } = this.#settings
    const isCrowded = (): boolean => this.#bodies > 15 && defects.has('slow-bodies-block-others')
    if (isCrowded()) await sleep(30)
    if (isCrowded()) throw new Refusal(503, 'Busy')
    this.#bodies++
    try {
      const body = readBody(request, this.#settings)
      if (!defects.has('slow-body-is-500')) return await body
      body.catch(ignore)
      return await Promise.race([body, sleep(5_000).then(() => Promise.reject(new Error('Too slow')))])
    } catch (error) {
      const isTooLarge = error instanceof Refusal && error.status === 413
      if (isTooLarge && session && defects.has('large-body-ends-the-session')) this.#sessions.end(session)
      throw error
    } finally {
      this.#bodies--
    }
  }

  /** Requests on one connection are answered one after the other; two at once are no overload. */
  #countOnSocket({ socket }: IncomingMessage, response: ServerResponse): void {
    const count = (this.#answering.get(socket) ?? 0) + 1
    this.#answering.set(socket, count)
    response.once('close', () => this.#answering.set(socket, (this.#answering.get(socket) ?? 1) - 1))
    if (count > 1) throw new Refusal(503, 'One at a time')
  }

  /** Last-Event-ID means nothing on a POST. */
  #checkEventId(request: IncomingMessage, session: Session | undefined): void {
    const eventId = header(request, 'last-event-id', this.#settings.defects)
    if (eventId !== undefined && this.#settings.defects.has('event-id-on-post-is-resolved')) session?.find(eventId)
  }

  async #listen(request: IncomingMessage, response: ServerResponse, named: Session | undefined): Promise<void> {
    const { defects } = this.#settings
    const eventId = header(request, 'last-event-id', defects)
    const session = this.#sessions.require(named ?? this.#sessions.findByEvent(eventId), undefined, request)
    if (defects.has('get-is-plain-text')) {
      response.writeHead(200, { 'content-type': 'text/plain' }).end('MCP')
      return
    }
    if (defects.has('head-takes-the-stream')) this.#takeForHead(request, session)
    if (defects.has('live-event-after-resume-lost')) await sleep(20)
    if (eventId !== undefined) {
      // The store is there, but nothing reads it; and then nothing is sent either.
      if (defects.has('event-id-opens-a-dead-stream')) return void response.writeHead(200, sseHeaders).flushHeaders()
      const isElsewhere = isSecondNode(request) && defects.has('second-node-knows-no-streams')
      if (isElsewhere) throw new Refusal(400, 'Unknown event id')
      const { stream, after } = session.find(eventId)
      // No client that is told so comes back (WHATWG HTML, Server-sent events).
      if (stream.isSpent(after)) return void response.writeHead(204, { 'cache-control': 'no-store' }).end()
      return stream.attach(response, { after, isGet: true })
    }
    if (isSecondNode(request) && defects.has('second-node-hears-no-pushes')) {
      return void response.writeHead(200, sseHeaders).flushHeaders()
    }
    await this.#checkPlainGet(session)
    if (defects.has('session-ends-with-its-get')) response.once('close', () => this.#sessions.end(session))
    session.standalone.attach(response, { isGet: true })
    if (!session.isInitialized && defects.has('asks-before-initialized')) {
      session.standalone.append({ jsonrpc: '2.0', id: 'early', method: 'roots/list' })
    }
  }

  /** Nothing stands in the way of a GET: not an earlier one that is still open, and not one that is gone. */
  async #checkPlainGet(session: Session): Promise<void> {
    const { defects } = this.#settings
    const { standalone } = session
    session.plainGets++
    if (standalone.isConnected && defects.has('second-get-is-409')) throw new Refusal(409, 'The stream is open')
    if (standalone.isLocked && defects.has('get-is-locked-after-a-disconnect'))
      throw new Refusal(409, 'The stream is open')
    if (session.plainGets > 4 && defects.has('gets-use-up-slots')) throw new Error('No slot')
    if (defects.has('get-head-comes-late')) await sleep(700)
  }

  /** HEAD as GET without a body: it opens a stream that nobody reads, and the next GET finds it taken. */
  #takeForHead({ method }: IncomingMessage, session: Session): void {
    if (this.#takenByHead.has(session)) throw new Refusal(409, 'The stream is taken')
    if (method === 'HEAD') this.#takenByHead.add(session)
  }

  #delete(request: IncomingMessage, response: ServerResponse, named: Session | undefined): void {
    const { defects } = this.#settings
    const session = this.#sessions.require(named, undefined, request)
    if (request.headers['content-type'] !== undefined && defects.has('delete-with-a-type-is-415')) {
      throw new Refusal(415, 'DELETE has no body')
    }
    session.isEndedElsewhere = isSecondNode(request)
    const isHeard = !(session.isEndedElsewhere && defects.has('second-node-ends-no-session'))
    if (isHeard) this.#sessions.end(session)
    if (defects.has('delete-ends-every-session')) this.#sessions.endAll()
    response.writeHead(defects.has('delete-is-201') ? 201 : 204, { 'cache-control': 'no-store' }).end()
  }

  #initialize(
    message: Message,
    request: IncomingMessage,
    response: ServerResponse,
    existing: Session | undefined,
  ): void {
    const { defects, stateless } = this.#settings
    if (defects.has('initialize-is-a-parse-error')) throw new Refusal(400, 'Parse error', { code: -32700 })
    const { session, result } = this.#sessions.initialize(message, request, existing)
    const headers = stateless || defects.has('no-session-id') ? {} : { 'mcp-session-id': session.id }
    writeJson(response, 200, { jsonrpc: '2.0', id: message.id, result }, headers)
  }

  /** Messages of one POST: what needs no answer takes effect at once, and the rest is called. */
  async #take(messages: readonly Message[], post: Post): Promise<void> {
    const { session, response } = post
    const { defects } = this.#settings
    const isAnswered = post.isBatch && defects.has('notification-in-batch-is-answered')
    const requests = messages.filter(({ method, id }) => method !== undefined && id !== undefined)
    const isUnheard = isSecondNode(response.req) && defects.has('second-node-takes-no-answers')
    for (const message of messages) {
      if (message.method === undefined && isUnheard) continue
      if (message.method === undefined) session.takeAnswer(message)
      else if (message.id === undefined) this.#takeNotification(message, session)
    }
    if (requests.length === 0) return this.#accept(messages, post)
    if (
      !session.isInitialized &&
      requests[0]?.method !== 'ping' &&
      defects.has('requests-before-initialized-are-dropped')
    ) {
      response.writeHead(202).end()
      return
    }
    if (session.streams.some(({ isOrphaned }) => isOrphaned) && defects.has('orphaned-call-blocks-the-session')) {
      throw new Error('A call is waiting for its client')
    }
    if (defects.has('flood-blocks-others') && this.#sessions.isFlooded) await sleep(1_500)
    const ids = requests.flatMap(({ id }) => (id === undefined ? [] : [id]))
    const exchange = new Exchange(session, response, { ...post, ids }, this.#settings)
    if (isAnswered && requests.length < messages.length) exchange.answerNobody()
    for (const request of requests) void this.#call(request, exchange, session)
  }

  #takeNotification({ method = '', params, id }: Message, session: Session): void {
    const { defects } = this.#settings
    const known = ['notifications/initialized', 'notifications/cancelled', 'notifications/progress']
    const isKnown = [...known, 'notifications/roots/list_changed'].includes(method) || id !== undefined
    if (!isKnown && defects.has('unknown-notification-is-400')) throw new Refusal(400, 'Unknown notification')
    if (method === 'notifications/initialized') session.isInitialized = true
    if (method !== 'notifications/cancelled') return
    const isInitialize = params?.requestId === session.handshake.initializeId && !session.isInitialized
    if (isInitialize && defects.has('initialize-can-be-cancelled')) this.#sessions.end(session)
    session.cancel(params?.requestId)
  }

  /** Sending Messages 4: exactly 202, and no body. */
  #accept([first]: readonly Message[], { response, isBatch }: Post): void {
    const { defects } = this.#settings
    const kind = first?.method !== undefined ? 'notification' : first?.error ? 'error' : 'response'
    const isCancel = first?.method === 'notifications/cancelled'
    const isWrong =
      (kind === 'notification' && !isBatch && !isCancel && defects.has('notification-is-200')) ||
      (kind === 'response' && !isBatch && defects.has('response-is-200')) ||
      (kind === 'error' && !isBatch && defects.has('error-response-is-200')) ||
      (kind === 'notification' && isBatch && defects.has('batch-of-notifications-is-200')) ||
      (kind === 'response' && isBatch && defects.has('batch-of-responses-is-200'))
    const headers: Record<string, string> = { 'content-length': '0', 'cache-control': 'no-store' }
    const isKept = response.req.headers.connection === 'keep-alive' && first?.method?.endsWith('list_changed')
    if (isKept && defects.has('kept-connection-waits-for-a-body')) {
      response.writeHead(202, { 'content-length': '4' }).flushHeaders()
      return
    }
    if (first?.method === 'tools/list' && defects.has('notification-is-answered')) {
      return writeJson(response, 200, { jsonrpc: '2.0', result: { tools: toolList } })
    }
    response.writeHead(isWrong ? 200 : 202, headers).end()
  }

  async #call(request: Message, exchange: Exchange, session: Session): Promise<void> {
    const { defects } = this.#settings
    const { id = '', method = '' } = request
    const rival = [...session.calls].find((other) => String(other.id) === String(id))
    const isSame = rival?.id === id && defects.has('same-id-twice-is-never-answered')
    const isAlike = rival !== undefined && rival.id !== id && defects.has('number-and-text-ids-collide')
    if (isSame) return
    if (isAlike) return exchange.refuse(409, id)
    const meta = request.params?._meta
    if (meta !== undefined && !isObject(meta) && defects.has('malformed-meta-is-500')) return exchange.refuse(500, id)
    const progressToken = this.#tokenOf(session, meta)
    const abort = new AbortController()
    const call: Call = {
      id,
      method,
      session,
      exchange,
      get progressToken() {
        return progressToken()
      },
      signal: abort.signal,
      cancel(by) {
        if (by === 'session' || !defects.has('cancel-does-not-abort')) abort.abort()
        exchange.withdraw(id)
      },
    }
    session.calls.add(call)
    if (defects.has('early-disconnect-cancels')) exchange.onGone(() => exchange.isStreaming || call.cancel('client'))
    const isCached =
      (this.#sessions.isCrowded && defects.has('crowd-is-answered-from-a-cache')) ||
      defects.has('stateless-clients-share-answers')
    await runCall(request, call, this.#methods, isCached ? this.#cache : undefined)
    session.calls.delete(call)
    if (exchange.isStreaming) session.answered.add(id)
    session.touch()
  }

  /** What a call reports its progress under: its own token, whatever other calls have. */
  #tokenOf(session: Session, meta: unknown): () => RequestId | undefined {
    const { defects } = this.#settings
    const { progressToken: token } = isObject(meta) ? meta : {}
    const isNone = !token && defects.has('falsy-tokens-are-none')
    if (isNone || !(typeof token === 'string' || typeof token === 'number')) return () => undefined
    session.latestToken = token
    return () => (defects.has('latest-token-serves-all-calls') ? session.latestToken : token)
  }
}

/** Those that look a session up once the body is there. */
const lateLookUps: readonly Defect[] = [
  'ended-is-400-for-requests',
  'chosen-session-id-is-adopted',
  'ended-session-id-is-adopted',
  'stale-id-on-initialize-is-500',
]

/** The nodes of this deployment are one process, told apart by the query string. */
function isSecondNode({ url }: IncomingMessage): boolean {
  return url?.includes('node=2') === true
}

const sseHeaders = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' }

/** What takes a regular expression that backtracks long to read. */
function isLong({ headers }: IncomingMessage): boolean {
  return [headers.accept, headers['content-type'], headers.origin].some((value) => (value?.length ?? 0) > 4_000)
}

function ignore(): void {
  // A connection that breaks ends in `close`, which is listened to.
}
