import type { Attendance } from '../attendance/attendance.ts'
import type { SessionRecord } from '../backplane/backplane.ts'
import { isBatch, requestsIn } from '../call/dispatch.ts'
import { begun, traces } from '../diagnostics/channels.ts'
import type { ForwardMessage } from '../diagnostics/messages.ts'
import { isRejection, Rejection, unreachableRejection } from '../http/errors.ts'
import type { HttpReply, HttpRequest } from '../http/http.ts'
import type { Incoming } from '../http/read-message.ts'
import { ended, toErrorReply, toJsonReply, toStreamReply } from '../http/reply.ts'
import type { RequestHead } from '../http/request-head.ts'
import { readTraceContext } from '../http/trace-context.ts'
import { rpcCode, toErrorMessage } from '../rpc/json-rpc.ts'
import { resolveRevision } from '../rpc/revision.ts'
import type { LiveSessionOptions } from '../session/live-session.ts'
import type { SessionHandle } from '../session/session-handle.ts'
import { lostCall } from '../stream/abandoned-stream.ts'
import { Connection } from '../stream/connection.ts'
import { standaloneTag } from '../stream/event-id.ts'
import { expiryOf, oldAt } from '../stream/expiry.ts'
import type { Feed, Place } from '../stream/feed.ts'
import { noGapMessages, toGapMessages } from '../stream/history-gap.ts'
import { ResumableFormat } from '../stream/sse-format.ts'
import { NodeGone, NotReached } from './asks.ts'
import type { Cluster } from './cluster.ts'
import { type Forwarded, toForwarded } from './forwarded-request.ts'
import type { Outcome, WireStream } from './wire.ts'

export interface RemoteSessionParts {
  readonly cluster: Cluster
  readonly attendance: Attendance
  readonly options: LiveSessionOptions
  readonly record: SessionRecord
  /** The request that it was found for. */
  readonly request: HttpRequest
  /** Finds the session for the request when its owner has it no more; `undefined` when it has ended. */
  readonly findAnew: () => Promise<SessionHandle | undefined>
  /** The next request looks in the store: its owner may have given it up. */
  readonly forget: () => void
}

/** A session that lives on another node. */
export class RemoteSession implements SessionHandle {
  readonly #parts: RemoteSessionParts
  /** Who has it since its owner is gone. */
  #next: SessionHandle | undefined

  constructor(parts: RemoteSessionParts) {
    this.#parts = parts
  }

  get record(): SessionRecord {
    return this.#next?.record ?? this.#parts.record
  }

  async post(incoming: Incoming, request: HttpRequest, head: RequestHead): Promise<HttpReply> {
    const anew = async (): Promise<HttpReply> => (await this.#findAnew()).post(incoming, request, head)
    try {
      return (await this.#ask(toForwarded(request, incoming), request)) ?? (await anew())
    } catch (error) {
      const isLost = (error instanceof NodeGone || error instanceof NotReached) && error.wasTaken
      return (isLost ? toLostReply(incoming) : undefined) ?? failed(error, anew)
    }
  }

  async listen(request: HttpRequest, lastEventId: string | undefined, isRecovery = false): Promise<HttpReply> {
    const anew = async (): Promise<HttpReply> => (await this.#findAnew()).listen(request, lastEventId, isRecovery)
    const { 'last-event-id': _asked, ...others } = request.headers
    const headers = lastEventId === undefined ? others : { ...others, 'last-event-id': lastEventId }
    const forwarded = { ...toForwarded(request), method: 'GET', headers, ...(isRecovery && { isRecovery }) }
    try {
      return (await this.#ask(forwarded, request)) ?? (await anew())
    } catch (error) {
      return failed(error, anew)
    }
  }

  async end(reason: string): Promise<void> {
    try {
      const reply = await this.#ask({ ...toForwarded(this.#parts.request), method: 'DELETE' })
      if (reply && reply.status >= 500) throw unreachableRejection()
      if (reply) return
    } catch (error) {
      if (!(error instanceof NodeGone)) throw error instanceof NotReached ? unreachableRejection() : error
    }
    await (await this.#findAnew()).end(reason)
  }

  /** `undefined`: the session is not with its owner any more. */
  #ask(request: Forwarded, client?: HttpRequest): Promise<HttpReply | undefined> {
    if (!traces.forward.isObserved) return this.#askNow(request, client)
    const { attendance, record } = this.#parts
    const { key: sessionKey, owner } = record
    const trace: ForwardMessage = { ...begun(attendance.endpoint), sessionKey, owner, httpMethod: request.method }
    const ask = (): Promise<HttpReply | undefined> =>
      this.#askNow({ ...request, traceContext: readTraceContext(trace.traceContext) }, client)
    return traces.forward.run(trace, ask, settleForward)
  }

  async #askNow(request: Forwarded, client?: HttpRequest): Promise<HttpReply | undefined> {
    const { cluster, record } = this.#parts
    const id = crypto.randomUUID()
    const receive = (outcome: Outcome): HttpReply | undefined => this.#toReply(id, outcome)
    const question = { id, owner: record.owner, request, receive }
    return await cluster.asks.ask(question, client && ((listener) => client.onGone(listener)))
  }

  #toReply(id: string, outcome: Outcome): HttpReply | undefined {
    if ('elsewhere' in outcome) return undefined
    if ('stream' in outcome) return this.#relay(id, outcome.stream)
    const { status, headers, body } = outcome.reply
    if (status >= 500) this.#parts.forget()
    return { status, headers, body }
  }

  #relay(id: string, stream: WireStream): HttpReply {
    const { cluster, record, request } = this.#parts
    const feed = cluster.relayed.add(id, record.owner, stream, (place) => this.#recover(stream.streamTag, place))
    const connect = (closed?: () => void): Connection => this.#connect(feed, stream, closed)
    const connection = request.method === 'GET' ? cluster.relayed.follow(record.key, connect) : connect()
    if (stream.isCut) connection.cut()
    return toStreamReply(connection, stream.headers)
  }

  #connect(feed: Feed, stream: WireStream, closed: (() => void) | undefined): Connection {
    const { attendance, options, record, request } = this.#parts
    const { eventIds, retryMs, backplane, onError } = options
    const isStandalone = stream.streamTag === standaloneTag
    const { priming } = resolveRevision(record.protocolVersion)
    return new Connection({
      feed,
      sessionKey: record.key,
      log: backplane.events,
      attendance,
      activity: elsewhere,
      from: stream.from,
      format: new ResumableFormat({ eventIds, retryMs, priming }),
      oldAt: stream.ages ? oldAt(options) : Infinity,
      expiresAt: stream.expires ? expiryOf(request.auth) : Infinity,
      makeUpForGap: isStandalone ? () => toGapMessages(this.record) : noGapMessages,
      closed,
      onError: (error) => onError(error, 'event-log'),
    })
  }

  /** The owner is gone: who has the session now says how the stream goes on. */
  async #recover(streamTag: string, place: Place): Promise<HttpReply> {
    const { options, request } = this.#parts
    const session = await this.#parts.findAnew()
    if (!session) return ended
    this.#next = session
    try {
      return await session.listen(request, options.eventIds.encode({ streamTag, ...place }), true)
    } catch (error) {
      // As it comes from another node.
      if (isRejection(error)) return toErrorReply(error)
      throw error
    }
  }

  async #findAnew(): Promise<SessionHandle> {
    const session = await this.#parts.findAnew()
    if (session) return session
    throw new Rejection('session_not_found')
  }
}

function settleForward(trace: ForwardMessage, reply: HttpReply | undefined): void {
  trace.outcome = reply ? 'answered' : 'elsewhere'
}

function failed(error: unknown, anew: () => Promise<HttpReply>): Promise<HttpReply> {
  if (error instanceof NodeGone) return anew()
  throw error instanceof NotReached ? unreachableRejection() : error
}

/** What a session's owner counts, its reader here need not. */
const elsewhere = { began: (): void => undefined, finished: (): void => undefined }

/** The requests were with a node that is gone, or that is not waited for, and what became of them nobody knows. */
function toLostReply(incoming: Incoming): HttpReply | undefined {
  const requests = requestsIn(incoming)
  if (requests.length === 0) return undefined
  const errors = requests.map(({ id }) => toErrorMessage(rpcCode.refused, lostCall, id))
  return toJsonReply(JSON.stringify(isBatch(incoming) ? errors : errors[0]))
}
