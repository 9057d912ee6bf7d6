import type { Attendance } from '../attendance/attendance.ts'
import type { PresentSession, Seat } from '../attendance/seat.ts'
import type { EventLog, SessionChanges, SessionRecord, SessionStore } from '../backplane/backplane.ts'
import type { CallsOptions } from '../call/call.ts'
import { Calls } from '../call/calls.ts'
import { dispatch } from '../call/dispatch.ts'
import { checkScopes } from '../call/scopes.ts'
import { drainingRejection, Rejection } from '../http/errors.ts'
import type { HttpReply, HttpRequest } from '../http/http.ts'
import type { Incoming } from '../http/read-message.ts'
import { toStreamReply } from '../http/reply.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'
import type { RequestId } from '../rpc/json-rpc.ts'
import { resolveRevision } from '../rpc/revision.ts'
import { Connection } from '../stream/connection.ts'
import { toGapMessages } from '../stream/history-gap.ts'
import { listen } from '../stream/listen.ts'
import { LogWriter } from '../stream/log-writer.ts'
import { resume } from '../stream/resume.ts'
import { SessionStreams, type StreamsOptions } from '../stream/session-streams.ts'
import { createObserver } from './record-changes.ts'
import { type RecordHolder, RecordWriter } from './record-writer.ts'
import { type SessionHandle, SessionMoved } from './session-handle.ts'
import { traceReplay } from './trace-replay.ts'

/** Options of the endpoint that a live session goes by. */
export interface LiveSessionOptions extends Omit<CallsOptions, 'onError'>, Omit<StreamsOptions, 'onError'> {
  readonly sessionIdleMs: number
  /** How long a record lives in the store after its session was used. */
  readonly recordTtlMs: number
  readonly backplane: { readonly sessions: SessionStore; readonly events: EventLog }
  readonly onError: (error: unknown, where: 'server' | 'session-store' | 'event-log') => void
}

export interface LiveSessionParts {
  readonly options: LiveSessionOptions
  readonly attendance: Attendance
  /** Several nodes share the sessions, so that one is taken over is no fault. */
  readonly isShared: boolean
  /** The session no longer lives on this node: nobody finds it here any more. */
  readonly leave: (session: LiveSession) => void
  /** The session is initialized: it counts fully now. */
  readonly settle: (session: LiveSession) => Promise<void> | undefined
}

/** The live half of a session: its server object's calls, and its streams. Lives on one node, the owner. */
export class LiveSession implements SessionHandle, PresentSession, RecordHolder {
  readonly sessionId: string
  readonly clientAddress: string | undefined
  readonly seat: Seat
  readonly calls: Calls
  readonly streams: SessionStreams
  record: SessionRecord
  readonly #parts: LiveSessionParts
  readonly #recordWriter: RecordWriter
  #isStopped = false
  /** It is over, here and everywhere. */
  hasEnded = false
  /** Why it does not live here any more. */
  endReason: string | undefined

  constructor(sessionId: string, record: SessionRecord, parts: LiveSessionParts, clientAddress?: string) {
    const { attendance, options } = parts
    const log = options.backplane.events
    this.#parts = parts
    this.sessionId = sessionId
    this.clientAddress = clientAddress
    this.record = record
    this.seat = attendance.seat(this)
    this.#recordWriter = new RecordWriter(this, options)
    const { key, term } = record
    const writer = new LogWriter({ sessionKey: key, term, log, failed: (failure) => this.#appendFailed(failure) })
    // No spread, here and in what is made for each call: V8 gives every object that one begins a hidden class of its
    // own, and then each read of it misses its cache.
    this.streams = new SessionStreams(resolveRevision(record.protocolVersion), {
      sessionKey: key,
      writer,
      log,
      attendance,
      options,
      activity: this.seat,
      makeUpForGap: () => toGapMessages(this.record),
    })
    this.calls = new Calls({
      sessionId,
      sessionKey: key,
      term,
      attendance,
      options,
      activity: this.seat,
      streams: this.streams,
      observe: createObserver(this, (changes) => this.#change(changes)),
      serverClosed: () => this.#endLater('The server closed the session'),
    })
  }

  get principal(): string | null {
    return this.record.principal
  }

  get runningCalls(): number {
    return this.calls.size
  }

  get uses(): number {
    return this.calls.posts
  }

  get isStopped(): boolean {
    return this.#isStopped
  }

  get initialized(): boolean {
    return this.record.initialized
  }

  /** Takes the server object's answer to `initialize`. */
  establish(answer: Pick<SessionRecord, 'protocolVersion' | 'serverCapabilities'>): void {
    this.record = { ...this.record, ...answer }
    this.streams.revision = resolveRevision(answer.protocolVersion)
  }

  // ---- SessionHandle ----

  post(incoming: Incoming, request: HttpRequest, head: RequestHead): MaybePromise<HttpReply> {
    const checking = checkScopes(this.calls.transport.findScopeChallenge, incoming, request.auth)
    if (checking === undefined) return this.#post(incoming, request, head)
    return checking.then(() => this.#post(incoming, request, head))
  }

  #post(incoming: Incoming, request: HttpRequest, { acceptable }: RequestHead): MaybePromise<HttpReply> {
    // It may have ended while the body came in.
    if (this.#isStopped) throw this.#whyNot()
    return dispatch(incoming, this.calls, this.streams.revision, { request, acceptable })
  }

  listen(
    request: HttpRequest,
    lastEventId: string | undefined,
    isRecovery = request.isRecovery === true,
  ): MaybePromise<HttpReply> {
    if (this.#isStopped) throw this.#whyNot()
    return lastEventId === undefined ? listen(this.streams, request) : this.#resume(request, lastEventId, isRecovery)
  }

  #resume(request: HttpRequest, eventId: string, isRecovery: boolean): Promise<HttpReply> {
    const { endpoint } = this.#parts.attendance
    const replayed = { endpoint, sessionKey: this.record.key, eventId, request, isRecovery }
    return traceReplay(replayed, () => this.#resumeNow(request, eventId))
  }

  async #resumeNow(request: HttpRequest, lastEventId: string): Promise<HttpReply> {
    const { eventIds: codec } = this.#parts.options
    try {
      const reply = await resume(this.streams, lastEventId, { request, codec })
      // Streams that were closed meanwhile look as if they had ended: a client that hears so never comes back.
      if (!this.#isStopped) return reply
      if (reply.body instanceof Connection) reply.body.handOver()
    } catch (error) {
      if (!this.#isStopped) throw error
    }
    throw this.#whyNot()
  }

  #whyNot(): Error {
    if (this.#parts.attendance.refuses) return drainingRejection()
    return this.hasEnded ? new Rejection('session_not_found') : new SessionMoved()
  }

  /** Ends the session on this node and in the store. Does not wait for the server object to close. */
  async end(reason: string): Promise<void> {
    if (await this.#end(reason)) return
    // Its record is gone already, or another node's.
    if (!(await this.#parts.options.backplane.sessions.get(this.record.key))) return
    this.hasEnded = false
    throw new SessionMoved()
  }

  /** `false`: there was nothing of ours to end. */
  async #end(reason: string): Promise<boolean> {
    const { backplane, onError } = this.#parts.options
    // Of a session that another node has taken over nothing is ours to delete.
    const forget = async (): Promise<boolean> => backplane.sessions.delete(this.record.key, this.record.term)
    this.hasEnded = true
    // The record first: as long as it is there the next request would bring the session back to life.
    const forgetting = forget()
    this.#stop(reason, forgetting).catch((error: unknown) => onError(error, 'server'))
    // Where the record may be there still, the session may come back to life, and goes on in its log.
    const isForgotten = await forgetting
    await this.streams.writer.delete()
    return isForgotten
  }

  /** A reply to `initialize` as an event stream. */
  answerOnStream(text: string, requestId: RequestId, request: HttpRequest, headers: Record<string, string>): HttpReply {
    const whole = this.streams.answerWhole(requestId, text)
    if (whole) return toStreamReply(whole, headers)
    const stream = this.streams.open([requestId])
    stream.append('message', text, true)
    const from = { index: 0, position: stream.origin }
    return toStreamReply(this.streams.connect(stream, request.auth, from), headers)
  }

  /** Ends the live half: calls get an error, connections are cut, the server object is closed. The record stays. */
  async stop(reason: string): Promise<void> {
    await this.#stop(reason, undefined)
  }

  async #stop(reason: string, forgetting: Promise<boolean> | undefined): Promise<void> {
    if (this.#isStopped) return
    // First: what its calls are answered with may find the session lost, and stop it again.
    this.#isStopped = true
    this.endReason = reason
    const leave = (): void => this.#parts.leave(this)
    // A request that found only its record would take the session over before that is gone.
    if (forgetting !== undefined) forgetting.then(leave, leave)
    else leave()
    this.calls.end(reason)
    this.streams.close()
    await this.calls.closeServer()
  }

  // ---- PresentSession ----

  async makeRoom(reason: string): Promise<void> {
    await this.#end(reason)
  }

  expire(reason: string): void {
    if (!this.#isStopped) this.#endLater(reason)
  }

  prolong(): void {
    this.#recordWriter.write({})
  }

  /** Gives its server object back, and leaves the session to whichever node is asked for it next. */
  hibernate(): void {
    // One that is being ended is still in its seat.
    if (this.#isStopped || this.streams.writer.isBusy) return
    const { sessionIdleMs, onError } = this.#parts.options
    // Nobody here will end it: its record does.
    const leftMs = Math.max(1, Math.ceil(sessionIdleMs - this.seat.idleMs))
    this.release('The session hibernates', leftMs).catch((error: unknown) => onError(error, 'session-store'))
  }

  /** Ends the live half, and says in the store that no node has the session: the next one need not wait for a lease. */
  async release(reason: string, ttlMs = this.#parts.options.recordTtlMs): Promise<void> {
    // First: a call that came in between would run with an owner that has given up.
    const stopped = this.stop(reason)
    await this.#recordWriter.confirm({ owner: '' }, ttlMs)
    await stopped
  }

  /** Asks the store whether the session is still this node's, and leaves it when it is not. */
  async confirm(): Promise<void> {
    if (!(await this.#recordWriter.confirm())) this.lost()
  }

  // ---- RecordHolder ----

  /** Another node owns the session, or its log is gone: the record and the log are not ours any more. */
  lost(): void {
    if (this.#isStopped) return
    this.#leaveBehind().catch((error: unknown) => this.#parts.options.onError(error, 'session-store'))
  }

  #endLater(reason: string): void {
    this.#end(reason).catch((error: unknown) => this.#parts.options.onError(error, 'session-store'))
  }

  #change(changes: SessionChanges): void {
    this.record = { ...this.record, ...changes }
    if (changes.initialized) {
      this.seat.initialized()
      this.#parts.settle(this)?.catch((error: unknown) => this.#parts.options.onError(error, 'session-store'))
    }
    this.#recordWriter.write(changes)
  }

  #appendFailed(failure: unknown): void {
    if (failure === 'fenced' || failure === 'gone') this.lost()
    else this.#parts.options.onError(failure, 'event-log')
  }

  async #leaveBehind(): Promise<void> {
    const { backplane, onError } = this.#parts.options
    const stopped = this.stop('The session lives on elsewhere')
    const record = await backplane.sessions.get(this.record.key)
    // With a record the log is for who has the session next, also where nobody has taken it over yet.
    if (record && !this.#parts.isShared) onError(new Error(takenOver), 'session-store')
    // Without one nobody owns the log, nor would anybody ever delete it.
    else if (!record) await this.streams.writer.delete()
    await stopped
  }
}

const takenOver =
  'Another node has taken over a session that lived here. Several nodes on one session store are not served yet: calls, answers and DELETE reach only the node that has the session. Let the balancer send all requests of a session to one node'
