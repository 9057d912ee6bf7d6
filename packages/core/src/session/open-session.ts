import { isEmbedded } from '../backplane/memory/memory-backplane.ts'
import { type Servers, toContext } from '../call/build-server.ts'
import { drainingRejection } from '../http/errors.ts'
import type { HttpRequest } from '../http/http.ts'
import { toFailure } from '../http/reply.ts'
import { isThenable, type MaybePromise } from '../promises/maybe-promise.ts'
import { type JsonRpcRequest, type JsonRpcResponse, toAnswerText } from '../rpc/json-rpc.ts'
import type { AuthInfo } from '../rpc/server.ts'
import type { CapsOptions, SessionCaps } from './caps.ts'
import { askServer } from './handshake.ts'
import { LiveSession, type LiveSessionOptions, type LiveSessionParts } from './live-session.ts'
import { createSessionId, isSessionId, toSessionKey } from './session-id.ts'
import { toKeptCapabilities, toKeptParams, toRecord } from './session-record.ts'
import type { SessionTable } from './session-table.ts'

/** Options of the endpoint that sessions are opened and rebuilt by. */
export interface SessionsOptions extends LiveSessionOptions, CapsOptions {
  readonly initializeTimeoutMs: number
  readonly generateSessionId: () => string
  readonly principal: (auth: AuthInfo) => string
}

/** Everything that sessions are made of on this node. */
export interface SessionParts extends LiveSessionParts {
  readonly options: SessionsOptions
  readonly table: SessionTable
  readonly caps: SessionCaps
  readonly servers: Servers
  readonly node: ThisNode
}

/** The node that sessions live on. */
export interface ThisNode {
  readonly name: string
  /** How often others may have taken sessions over from it. Those that live here are looked at then. */
  readonly lapses: number
  /** Resolves when it may own sessions: others know that it lives. */
  join(): Promise<void>
}

/** `session` is `undefined` when the server object refused to initialize. */
export interface Opened {
  readonly session: LiveSession | undefined
  /** The server object's answer, as JSON. */
  readonly text: string
}

/**
 * Opens a session with the client's `initialize`, its version negotiated. When the server object refuses, no session
 * remains.
 * @throws Rejection `too_many_sessions`
 */
export async function openSession(parts: SessionParts, message: JsonRpcRequest, request: HttpRequest): Promise<Opened> {
  const { caps, options } = parts
  const principal = request.auth ? options.principal(request.auth) : null
  const holder = { principal, clientAddress: request.clientAddress }
  caps.take(holder)
  let opened: Opened | undefined
  try {
    const making = caps.makeRoom(holder)
    if (making !== undefined) await making
    opened = await handshake(parts, message, request, principal)
    return opened
  } finally {
    if (!opened?.session) caps.release(holder)
  }
}

async function handshake(
  parts: SessionParts,
  message: JsonRpcRequest,
  request: HttpRequest,
  principal: string | null,
): Promise<Opened> {
  const { options, attendance, table } = parts
  const sessionId = createId(options)
  const initializeParams = toKeptParams(message.params ?? {})
  const known = toSessionKey(sessionId)
  const key = isThenable(known) ? await known : known
  // Everything that is kept under the key belongs to another session then. Our own ids never repeat.
  const isOurs = options.generateSessionId === createSessionId
  if (!isOurs && (await options.backplane.sessions.get(key))) throw repeatedId()
  const record = toRecord({ key, principal, initializeParams, owner: parts.node.name })
  if (parts.isShared) await parts.node.join()
  const session = new LiveSession(sessionId, record, parts, request.clientAddress)
  try {
    const { answer, text, isStored } = await holdingEvents(session, options, async () => {
      const answer = await initialize(session, message, request, parts)
      const text = toText(message, answer)
      // The endpoint closed meanwhile.
      if (attendance.isClosed) throw drainingRejection()
      return { answer, text, isStored: 'result' in answer && (await store(session, answer.result, options)) }
    })
    if (!('result' in answer)) {
      await discard(session, 'initialize was refused')
      return { session: undefined, text }
    }
    if (!isStored) {
      // What the log has under the key is the other session's.
      await session.stop('The session id is in use')
      throw repeatedId()
    }
    if (session.isStopped) throw await closed(session)
    table.add(session)
    return { session, text }
  } catch (error) {
    if (!session.calls.ended) await discard(session, 'The session could not be opened')
    throw error
  }
}

/** What the server object sends until its session is stored is appended then: a log may look at the record. */
function holdingEvents<T>(session: LiveSession, options: SessionsOptions, work: () => Promise<T>): Promise<T> {
  return isEmbedded(options.backplane.events) ? work() : whileHeld(session, work)
}

async function whileHeld<T>({ streams }: LiveSession, work: () => Promise<T>): Promise<T> {
  let end: () => void = () => undefined
  streams.writer.holdUntil(
    new Promise<void>((resolve) => {
      end = resolve
    }),
  )
  try {
    return await work()
  } finally {
    end()
  }
}

async function initialize(
  session: LiveSession,
  message: JsonRpcRequest,
  request: HttpRequest,
  { servers, options }: SessionParts,
): Promise<JsonRpcResponse> {
  await servers.build(session.calls, toContext(session.sessionId, message.params ?? {}, request.auth, false))
  return askServer(session, message, options.initializeTimeoutMs, request)
}

function toText({ id }: JsonRpcRequest, answer: JsonRpcResponse): string {
  try {
    return toAnswerText(id, answer)
  } catch (error) {
    throw toFailure('server', error)
  }
}

/** `false` when another session has its key. */
function store(
  session: LiveSession,
  result: Readonly<Record<string, unknown>>,
  { backplane, recordTtlMs }: SessionsOptions,
): MaybePromise<boolean> {
  session.establish({
    protocolVersion: String(result.protocolVersion),
    serverCapabilities: toKeptCapabilities(result.capabilities),
  })
  return backplane.sessions.create(session.record, recordTtlMs)
}

function repeatedId(): Error {
  return new Error('Expected generateSessionId to return an id that no session has, got one that is in use')
}

/** The server object has closed while its session was being stored. */
async function closed(session: LiveSession): Promise<Error> {
  await session.end('The server closed the session')
  return toFailure('server', new Error('The server object closed while its session was opened'))
}

/** Removes a session that never opened. */
async function discard(session: LiveSession, reason: string): Promise<void> {
  await session.stop(reason)
  await session.streams.writer.delete()
}

function createId({ generateSessionId }: SessionsOptions): string {
  const sessionId = generateSessionId()
  if (typeof sessionId === 'string' && isSessionId(sessionId)) return sessionId
  throw new TypeError('Expected generateSessionId to return 22 to 128 visible ASCII characters')
}
