import type { SessionRecord } from './backplane/backplane.ts'
import { dispatch, dispatchInitialize, dispatchStateless, type PostContext } from './call/dispatch.ts'
import { drainingRejection, Rejection } from './http/errors.ts'
import { guard } from './http/guard.ts'
import { protocolVersionHeader, sessionIdHeader } from './http/headers.ts'
import type { HttpReply, HttpRequest, Mountable } from './http/http.ts'
import type { Acceptable } from './http/media-types.ts'
import { type Incoming, readMessage } from './http/read-message.ts'
import { ended, toErrorReply } from './http/reply.ts'
import { type EndpointOptions, resolveOptions } from './options.ts'
import type { JsonRpcNotification } from './rpc/json-rpc.ts'
import { findRevision, resolveRevision, supportedVersions } from './rpc/revision.ts'
import type { LiveSession } from './session/live-session.ts'
import { Sessions } from './session/sessions.ts'
import { openStandalone, resume } from './stream/resume.ts'

/** What is known of a session, without its id: the id is a secret of its client. */
export type SessionInfo = Omit<SessionRecord, 'owner' | 'term'>

/** What this node holds. Everything returns to 0 when its sessions are over. */
export interface EndpointStats {
  readonly sessions: number
  readonly connections: number
  readonly streams: number
  readonly calls: number
  /** Requests to clients that wait for an answer. */
  readonly questions: number
  /** Running calls that no connection is attached to. */
  readonly detachedCalls: number
  /** Messages that handlers sent and nobody could get, since the endpoint was made. */
  readonly droppedMessages: number
  /** What the event log holds. */
  readonly log: { readonly sessions: number; readonly streams: number; readonly events: number; readonly bytes: number }
}

/** An MCP endpoint: mount it with an adapter, `core/node` or `core/web`. */
export interface Endpoint extends Mountable {
  /**
   * Sends a notification to every initialized session on its standalone stream, on every node, or to one session.
   * A client that is away gets it when it comes back.
   */
  notify(notification: { method: string; params?: Record<string, unknown> }, to?: { sessionKey: string }): Promise<void>
  readonly sessions: EndpointSessions
  stats(): EndpointStats
  /** `true` from the moment `close` is called. */
  readonly closing: boolean
  /**
   * Drains: no new session and no new call, standalone streams end, running calls may finish for `drainMs` milliseconds,
   * what still runs then ends with a JSON-RPC error. Resolves when nothing is left.
   * @param options.drainMs default 10_000
   */
  close(options?: { drainMs?: number }): Promise<void>
}

/** Sessions by key: `await sessionKey(sessionId)`. */
export interface EndpointSessions {
  list(): AsyncIterable<SessionInfo>
  get(key: string): Promise<SessionInfo | undefined>
  /** Ends a session on every node: its calls, its streams, its record. `false` when there was none. */
  end(key: string): Promise<boolean>
}

/** What nodes say to each other. */
type BusMessage =
  | { type: 'notify'; text: string; method: string; sessionKey?: string }
  | { type: 'end'; sessionKey: string }

const channel = 'mcp-http'

/**
 * Builds an endpoint.
 * @throws TypeError for a bad option, naming it.
 */
export function createEndpoint(given: EndpointOptions): Endpoint {
  const options = resolveOptions(given)
  const { backplane } = options
  const sessions = new Sessions(options)
  let closing: Promise<void> | undefined

  const listening = Promise.resolve(backplane.bus.subscribe(channel, hear))
  listening.catch((error: unknown) => options.onError(error, 'message-bus'))

  return {
    handle,
    notify,
    sessions: { list, get, end },
    stats,
    close,
    get closing() {
      return closing !== undefined
    },
  }

  async function handle(request: HttpRequest): Promise<HttpReply> {
    try {
      const acceptable = guard(request, options)
      const auth = options.auth(request)
      request.auth = auth instanceof Promise ? await auth : auth
      checkVersion(request)
      if (request.method === 'POST') return await post(request, acceptable)
      const session = await resolveSession(request)
      if (request.method === 'GET') return await openStream(request, session)
      await sessions.end(session, 'The client ended the session')
      return ended
    } catch (error) {
      return toErrorReply(error instanceof Rejection ? error : report(error, request))
    }
  }

  async function post(request: HttpRequest, acceptable: Acceptable): Promise<HttpReply> {
    const context: PostContext = { request, acceptable, options, sessions, draining: closing !== undefined }
    const named = options.sessions && request.header(sessionIdHeader)
    // Whoever names no session of its own gets no body read for it.
    const found = named ? resolveSession(request) : undefined
    const session = found instanceof Promise ? await found : found
    const { parsedBody } = request
    const body = parsedBody === undefined ? await request.readBody(options.maxBodyBytes) : parsedBody
    const incoming = readMessage(body, options)
    try {
      if (!options.sessions) return await dispatchStateless(incoming, revisionOf(request), context)
      if (!session) return await dispatchInitialize(incoming, context)
      // It may have ended while the body came in.
      if (session.ended) throw new Rejection('session_not_found')
      return await dispatch(incoming, session, context)
    } catch (error) {
      throw withRequestId(error instanceof Rejection ? error : report(error, request), incoming)
    }
  }

  /** Our fault: told to whoever listens, and answered without its details. */
  function report(error: unknown, request: HttpRequest): Rejection {
    options.onError(error, 'request')
    try {
      request.onError?.(error)
    } catch {
      // It is reported already, and the request still wants its answer.
    }
    return new Rejection('internal_error')
  }

  function resolveSession(request: HttpRequest): LiveSession | Promise<LiveSession> {
    const sessionId = request.header(sessionIdHeader)
    if (!sessionId) throw new Rejection('session_required')
    // What does not live here any more is not brought to life by an endpoint that closes.
    if (closing !== undefined && !sessions.isLive(sessionId)) throw drainingRejection()
    return sessions.resolve(request, sessionId)
  }

  function openStream(request: HttpRequest, session: LiveSession): HttpReply | Promise<HttpReply> {
    const lastEventId = request.header('last-event-id')
    const isDraining = closing !== undefined
    if (lastEventId !== undefined)
      return resume(session, lastEventId, { request, codec: options.eventIds, draining: isDraining })
    if (isDraining) throw drainingRejection()
    return openStandalone(session, request)
  }

  async function notify(
    notification: { method: string; params?: Record<string, unknown> },
    to?: { sessionKey: string },
  ): Promise<void> {
    const { method, params } = notification
    const message: JsonRpcNotification = params ? { jsonrpc: '2.0', method, params } : { jsonrpc: '2.0', method }
    await publish({ type: 'notify', text: JSON.stringify(message), method, ...to })
  }

  async function* list(): AsyncIterable<SessionInfo> {
    for await (const record of backplane.sessions.list()) yield toInfo(record)
  }

  async function get(key: string): Promise<SessionInfo | undefined> {
    const record = await backplane.sessions.get(key)
    return record && toInfo(record)
  }

  async function end(key: string): Promise<boolean> {
    const existed = await backplane.sessions.delete(key)
    await publish({ type: 'end', sessionKey: key })
    await backplane.events.delete(key)
    return existed
  }

  async function publish(message: BusMessage): Promise<void> {
    await listening
    await backplane.bus.publish(channel, JSON.stringify(message))
  }

  function hear(text: string): void {
    try {
      receive(JSON.parse(text) as BusMessage)
    } catch (error) {
      // Others may write to a shared bus too.
      options.onError(error, 'message-bus')
    }
  }

  function receive(message: BusMessage): void {
    const one = message.sessionKey === undefined ? undefined : sessions.findByKey(message.sessionKey)
    if (message.type === 'end') {
      if (one) sessions.over(one)
      return
    }
    const all = message.sessionKey === undefined ? sessions.all : one ? [one] : []
    for (const session of all) if (session.record.initialized) session.notify(message.text, message.method)
  }

  function stats(): EndpointStats {
    const totals = { calls: 0, streams: 0, questions: 0 }
    for (const { calls, streams, questions } of sessions.all) {
      totals.calls += calls
      totals.streams += streams.size
      totals.questions += questions
    }
    const log = backplane.events.stats()
    return { sessions: sessions.size, ...totals, ...sessions.counts(), log }
  }

  function close({ drainMs = 10_000 }: { drainMs?: number } = {}): Promise<void> {
    closing ??= drain(drainMs)
    return closing
  }

  async function drain(drainMs: number): Promise<void> {
    for (const session of sessions.all) session.streams.standalone?.connection?.end()
    await sessions.idle(drainMs)
    await sessions.closeAll('The server is shutting down')
    const unsubscribe = await listening.catch(() => undefined)
    await unsubscribe?.()
  }
}

/** An unsupported version is refused whatever else the request says; an absent one is fine (Protocol Version Header). */
function checkVersion(request: HttpRequest): void {
  const version = request.header(protocolVersionHeader)
  if (version === undefined || findRevision(version)) return
  throw new Rejection('unsupported_version', {
    message: `Unsupported MCP-Protocol-Version: supported are ${supportedVersions.join(', ')}`,
  })
}

/** Without sessions only the header tells. */
function revisionOf(request: HttpRequest): ReturnType<typeof resolveRevision> {
  return resolveRevision(request.header(protocolVersionHeader))
}

/** The refusal of a single request names it (Error Responses). */
function withRequestId(rejection: Rejection, incoming: Incoming): Rejection {
  if ('method' in incoming && 'id' in incoming) rejection.requestId ??= incoming.id
  return rejection
}

function toInfo({ owner: _owner, term: _term, ...info }: SessionRecord): SessionInfo {
  return info
}
