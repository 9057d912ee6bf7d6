import type { LogPosition } from '../backplane/backplane.ts'
import { fieldName, fieldValue } from '../http/headers.ts'
import { readTraceContext } from '../http/trace-context.ts'
import { isRequestId, type RequestId } from '../rpc/json-rpc.ts'
import type { AuthInfo } from '../rpc/server.ts'
import type { SessionActivity } from '../session/session-activity.ts'
import type { Place } from '../stream/feed.ts'
import type { StreamInfo } from '../stream/stream-info.ts'
import type { Cursor } from '../stream/stream-reader.ts'
import type { Forwarded } from './forwarded-request.ts'

/** Asks the owner of a session to answer a request. `id` names the request, and the stream that answers it. */
export interface Ask {
  readonly type: 'ask'
  readonly id: string
  readonly from: string
  readonly request: Forwarded
}

/** A reply that is no stream. */
export interface WireReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
}

/** A stream that the asking node reads from the log for its client, and hears of. */
export interface WireStream {
  readonly headers: Readonly<Record<string, string>>
  readonly streamTag: string
  readonly requestIds: readonly RequestId[]
  readonly from: Cursor
  readonly head: number
  readonly headAt: LogPosition
  readonly ended: boolean
  readonly isAnnounced: boolean
  readonly isCut: boolean
  readonly ages: boolean
  readonly expires: boolean
}

/** What the owner says of a request: its reply, or that the session is not with it. */
export type Outcome = { readonly reply: WireReply } | { readonly stream: WireStream } | { readonly elsewhere: true }

/** An event that is in the log, so that who hears of it need not read it there. */
export interface WireEvent extends Place {
  /** A message as JSON, which is read and written anew where it is heard. */
  readonly data: string
  readonly last: boolean
}

/** A session of the node that was asked. */
export interface WireActivity extends SessionActivity {
  readonly key: string
}

/** Between the node that a client is connected to and the owner of its session, on a channel of each node. */
export type Word =
  | Ask
  /** What do your sessions do? With `key`: which streams has this one? */
  | { readonly type: 'look'; readonly id: string; readonly from: string; readonly key?: string | undefined }
  /** Older nodes know nothing of streams. */
  | {
      readonly type: 'seen'
      readonly id: string
      readonly sessions: readonly WireActivity[]
      readonly streams?: readonly StreamInfo[] | undefined
    }
  /** The owner has the request, and will answer. */
  | { readonly type: 'taken'; readonly id: string }
  | { readonly type: 'answer'; readonly id: string; readonly outcome: Outcome }
  /** The answer is late: is it lost? */
  | { readonly type: 'poke'; readonly id: string; readonly from: string }
  /** Nothing is known of that request. */
  | { readonly type: 'unknown'; readonly id: string }
  /** The client left before it was sent anything. */
  | { readonly type: 'left'; readonly id: string }
  /** The stream has come to here. The newest events may be told with it: they are stored. */
  | ({
      readonly type: 'came'
      readonly id: string
      readonly ended: boolean
      readonly events?: readonly WireEvent[]
    } & Place)
  /** The response is to end; with `retryMs` for a while. */
  | { readonly type: 'cut'; readonly id: string; readonly retryMs?: number; readonly isKnown?: boolean }
  /** Something may have happened that is no event of the stream. Older nodes do not know it. */
  | { readonly type: 'makeUp'; readonly id: string }
  /** The client has the stream up to here; `closed`: and reads no more. */
  | ({ readonly type: 'read'; readonly id: string; readonly from: string; readonly closed: boolean } & Place)

/** Raised when an older node would misread a word. Nodes of two versions share a bus during a deploy. */
const version = 1

type Members = Readonly<Record<string, unknown>>

export function toText(word: Word): string {
  return JSON.stringify({ version, ...word })
}

/**
 * Reads a word, which others may have written as well. `undefined`: of a version or type that this node does not know, and so
 * not for it.
 * @throws TypeError for what is malformed
 */
export function readWord(value: unknown): Word | undefined {
  const word = members('a word between nodes', value)
  if (word.version !== version) return undefined
  const id = string('id', word.id)
  switch (word.type) {
    case 'ask':
      return { type: 'ask', id, ...readFrom(word), ...readAsked(word) }
    case 'taken':
    case 'unknown':
    case 'left':
    case 'makeUp':
      return { type: word.type, id }
    case 'poke':
      return { type: 'poke', id, ...readFrom(word) }
    case 'look':
      return { type: 'look', id, ...readFrom(word), key: optionally(string, 'key', word.key) }
    case 'seen':
      return {
        type: 'seen',
        id,
        sessions: readActivities(word.sessions),
        streams: optionally(readInfos, 'streams', word.streams),
      }
    case 'answer':
      return { type: 'answer', id, outcome: readOutcome(members('outcome', word.outcome)) }
    case 'came':
      return { type: 'came', id, ended: boolean('ended', word.ended), events: readEvents(word), ...readPlace(word) }
    case 'cut':
      return word.retryMs === undefined
        ? { type: 'cut', id, isKnown: word.isKnown === true }
        : { type: 'cut', id, retryMs: count('retryMs', word.retryMs) }
    case 'read':
      return { type: 'read', id, ...readFrom(word), closed: boolean('closed', word.closed), ...readPlace(word) }
    default:
      return undefined
  }
}

function readFrom({ from }: Members): { readonly from: string } {
  return { from: string('from', from) }
}

function readAsked({ request }: Members): { readonly request: Forwarded } {
  const { method, url, headers, body, auth, clientAddress, traceContext, isRecovery } = members('request', request)
  const forwarded: Forwarded = {
    method: string('method', method),
    url: string('url', url),
    headers: readHeaders(headers),
    body,
    auth: auth === undefined ? undefined : (members('auth', auth) as unknown as AuthInfo),
    clientAddress: clientAddress === undefined ? undefined : string('clientAddress', clientAddress),
    traceContext: readTraceContext(traceContext),
    ...(isRecovery === true && { isRecovery }),
  }
  return { request: forwarded }
}

function readHeaders(headers: unknown): Forwarded['headers'] {
  const read = members('headers', headers)
  for (const [name, value] of Object.entries(read)) {
    if (Array.isArray(value)) for (const line of value) string(name, line)
    else string(name, value)
  }
  return read as Forwarded['headers']
}

function readOutcome({ reply, stream, elsewhere }: Members): Outcome {
  if (elsewhere === true) return { elsewhere }
  return reply === undefined ? { stream: readStream(members('stream', stream)) } : { reply: readReply(reply) }
}

function readReply(reply: unknown): WireReply {
  const { status, headers, body } = members('reply', reply)
  const read = { status: count('status', status), headers: readPlainHeaders(headers) }
  if (read.status < 200 || read.status > 599) throw malformed('status', read.status)
  // Whatever is in it, it is JSON.
  if (body !== undefined) JSON.parse(string('body', body))
  return { ...read, body: body as string | undefined }
}

function readStream(stream: Members): WireStream {
  const cursor = members('from', stream.from)
  return {
    headers: readPlainHeaders(stream.headers),
    streamTag: string('streamTag', stream.streamTag),
    requestIds: readRequestIds(stream.requestIds),
    from: {
      ...readPlace(cursor),
      historyGone: cursor.historyGone === true,
      isGapTold: cursor.isGapTold === true,
    },
    head: count('head', stream.head),
    headAt: readPosition(stream.headAt),
    ended: boolean('ended', stream.ended),
    isAnnounced: boolean('isAnnounced', stream.isAnnounced),
    isCut: boolean('isCut', stream.isCut),
    ages: boolean('ages', stream.ages),
    expires: boolean('expires', stream.expires),
  }
}

function readEvents({ events }: Members): WireEvent[] {
  if (events === undefined) return []
  if (!Array.isArray(events)) throw malformed('events', events)
  return events.map((event) => {
    const { data, last, ...place } = members('event', event)
    const message = members('data', JSON.parse(string('data', data)))
    return { ...readPlace(place), data: JSON.stringify(message), last: boolean('last', last) }
  })
}

function readActivities(sessions: unknown): WireActivity[] {
  if (!Array.isArray(sessions)) throw malformed('sessions', sessions)
  return sessions.map((session) => {
    const { key, runningCalls, connections, idleMs } = members('session', session)
    return {
      key: string('key', key),
      runningCalls: count('runningCalls', runningCalls),
      connections: count('connections', connections),
      idleMs: count('idleMs', idleMs),
    }
  })
}

function readInfos(name: string, streams: unknown): StreamInfo[] {
  if (!Array.isArray(streams)) throw malformed(name, streams)
  return streams.map((stream) => {
    const { streamTag, kind, requestIds, head, cursor, isRead, ended } = members('stream', stream)
    if (kind !== 'call' && kind !== 'standalone') throw malformed('kind', kind)
    return {
      streamTag: string('streamTag', streamTag),
      kind,
      requestIds: readRequestIds(requestIds),
      head: count('head', head),
      cursor: optionally(count, 'cursor', cursor),
      isRead: boolean('isRead', isRead),
      ended: boolean('ended', ended),
    }
  })
}

function readRequestIds(requestIds: unknown): RequestId[] {
  if (!Array.isArray(requestIds) || !requestIds.every(isRequestId)) throw malformed('requestIds', requestIds)
  return requestIds
}

function readPlainHeaders(headers: unknown): Readonly<Record<string, string>> {
  const read = members('headers', headers)
  for (const [name, value] of Object.entries(read)) {
    if (!fieldName.test(name) || !fieldValue.test(string(name, value))) throw malformed(name, value)
  }
  return read as Readonly<Record<string, string>>
}

function readPlace({ index, position }: Members): Place {
  return { index: count('index', index), position: readPosition(position) }
}

function readPosition(position: unknown): LogPosition {
  const { term, n } = members('position', position)
  return { term: count('term', term), n: count('n', n) }
}

function string(name: string, value: unknown): string {
  if (typeof value === 'string') return value
  throw malformed(name, value)
}

function boolean(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw malformed(name, value)
}

function count(name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number
  throw malformed(name, value)
}

function optionally<Value>(
  read: (name: string, value: unknown) => Value,
  name: string,
  value: unknown,
): Value | undefined {
  return value === undefined ? undefined : read(name, value)
}

function members(name: string, value: unknown): Members {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Members
  throw malformed(name, value)
}

function malformed(name: string, value: unknown): TypeError {
  const shown = JSON.stringify(value)?.slice(0, 100)
  return new TypeError(`Expected a word between nodes with a proper ${name}, got ${shown}`)
}
