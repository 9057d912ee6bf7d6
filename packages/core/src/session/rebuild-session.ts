import type { SessionRecord } from '../backplane/backplane.ts'
import { toContext } from '../call/build-server.ts'
import { begun, traces } from '../diagnostics/channels.ts'
import type { TakeoverMessage } from '../diagnostics/messages.ts'
import type { HttpRequest } from '../http/http.ts'
import { isRequest } from '../rpc/json-rpc.ts'
import type { AuthInfo } from '../rpc/server.ts'
import { askServer, toHandshake } from './handshake.ts'
import { LiveSession } from './live-session.ts'
import type { SessionParts } from './open-session.ts'

/**
 * Brings a stored session to life on this node: takes it over, and builds its server object anew from the record.
 * `undefined` when it has ended.
 * @throws Rejection `too_many_sessions`
 */
export function rebuildSession(
  parts: SessionParts,
  sessionId: string,
  record: SessionRecord,
  { auth, isForwarded = false, traceContext }: HttpRequest,
): Promise<LiveSession | undefined> {
  if (!traces.takeover.isObserved) return takeOver(parts, sessionId, record, auth)
  const { key: sessionKey, owner: from, term } = record
  const taking = { sessionKey, from, term: term + 1, isForwarded, traceContext }
  const trace: TakeoverMessage = { ...begun(parts.attendance.endpoint), ...taking }
  return traces.takeover.run(trace, () => takeOver(parts, sessionId, record, auth), settleTakeover)
}

function settleTakeover(trace: TakeoverMessage, session: LiveSession | undefined): void {
  trace.outcome = session ? 'taken' : 'missed'
}

async function takeOver(
  parts: SessionParts,
  sessionId: string,
  found: SessionRecord,
  auth: AuthInfo | undefined,
): Promise<LiveSession | undefined> {
  const { options, caps, table } = parts
  const { lapses } = parts.node
  const record = await takeRecord(found, parts)
  if (!record) return undefined
  let session: LiveSession | undefined
  const holder = { principal: record.principal, clientAddress: undefined }
  caps.take(holder)
  try {
    const making = caps.makeRoom(holder)
    if (making !== undefined) await making
    session = await rebuild(parts, sessionId, record, { auth, lapses })
    // Its server object has closed meanwhile.
    if (session?.hasEnded) await session.end('The server closed the session')
  } catch (error) {
    await giveUp(record, parts)
    throw error
  } finally {
    if (!session || session.isStopped) caps.release(holder)
  }
  if (!session || session.isStopped) return undefined
  table.add(session)
  if (session.initialized) parts.settle(session)?.catch((error: unknown) => options.onError(error, 'session-store'))
  return session
}

/** Makes this node the owner, and nobody else on it. `undefined`: the session is gone, or another was first. */
export async function takeRecord(
  { key, term: expectedTerm }: SessionRecord,
  { node, options, table }: SessionParts,
): Promise<SessionRecord | undefined> {
  const taking = { expectedTerm, owner: node.name, ttlMs: options.recordTtlMs }
  const record = await options.backplane.sessions.takeOver(key, taking)
  if (record?.owner !== taking.owner || record.term !== expectedTerm + 1) return undefined
  // A takeover gives the same again when it is repeated, and so does one by a record that was read long ago.
  return table.begin(record) ? record : undefined
}

/**
 * For a session that this node has, and that does not live here: another may have room for it, or succeed. As long as
 * this one lives they would all send its requests here.
 */
export async function giveUp({ key, term }: SessionRecord, { options, isShared }: SessionParts): Promise<void> {
  if (!isShared) return
  try {
    await options.backplane.sessions.update(key, term, { owner: '' }, options.recordTtlMs)
  } catch (error) {
    options.onError(error, 'session-store')
  }
}

async function rebuild(
  parts: SessionParts,
  sessionId: string,
  record: SessionRecord,
  { auth, lapses }: { readonly auth: AuthInfo | undefined; readonly lapses: number },
): Promise<LiveSession | undefined> {
  const { servers } = parts
  const session = new LiveSession(sessionId, record, parts)
  try {
    session.streams.wasAway = session.initialized
    await session.streams.restoreStandalone()
    await servers.build(session.calls, toContext(sessionId, record.initializeParams, auth, true))
    await replay(session, parts)
    if (await isStillOurs(session, parts, lapses)) return session
  } catch (error) {
    await session.stop('The session could not be rebuilt')
    throw error
  }
  await session.stop('The session could not be rebuilt')
  return undefined
}

/**
 * `false`: another node has taken it over, or it is gone. The store is asked only where that may be: it is not as long as
 * this node's lease has run since `lapses` of them.
 */
async function isStillOurs(session: LiveSession, parts: SessionParts, lapses: number): Promise<boolean> {
  const { node, options } = parts
  await node.join()
  const seen = node.lapses
  if (seen === lapses) return true
  const { key, term } = session.record
  return (
    (await options.backplane.sessions.update(key, term, {}, options.recordTtlMs)) && isStillOurs(session, parts, seen)
  )
}

async function replay(session: LiveSession, { options }: SessionParts): Promise<void> {
  for (const message of toHandshake(session.record)) {
    if (!isRequest(message)) session.calls.receive(message)
    else if ('error' in (await askServer(session, message, options.initializeTimeoutMs))) {
      options.onError(new Error(`A server object built anew refused ${message.method}`), 'server')
    }
  }
}
