import type { SessionChanges, SessionRecord } from '../backplane/backplane.ts'
import { type Call, Exchange } from '../call/exchange.ts'
import { MessageExtra } from '../call/message-extra.ts'
import { Questions } from '../call/questions.ts'
import type { HttpRequest } from '../http/http.ts'
import type { Acceptable } from '../http/media-types.ts'
import type { ResolvedOptions } from '../options.ts'
import {
  isRequest,
  isResponse,
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
  rpcCode,
  toErrorMessage,
} from '../rpc/json-rpc.ts'
import { type Revision, resolveRevision } from '../rpc/revision.ts'
import type { McpServerLike, SendOptions, ServerTransport } from '../rpc/server.ts'
import type { Connection } from '../stream/connection.ts'
import { SessionLog } from '../stream/session-log.ts'
import { SessionStreams, type StreamsHost } from '../stream/session-streams.ts'
import { kindOf } from '../stream/stream.ts'

/** What a live session tells the table it stands in. */
export interface SessionHost {
  /** The session has a running call or an open connection, or has neither any more. */
  busy(session: LiveSession): void
  free(session: LiveSession): void
  opened(connection: Connection): void
  closed(connection: Connection): void
  /** Nobody is attached to a running exchange, or somebody is again. */
  detached(exchange: Exchange): void
  attached(exchange: Exchange): void
  /** A handler sent something that has no reader any more. */
  dropped(): void
  /** The record changed. */
  changed(session: LiveSession, changes: SessionChanges): void
  /** The server object closed its transport: the session is over. */
  over(session: LiveSession): void
  /** Another node owns the session, or its log is gone: what lives here is over. */
  lost(session: LiveSession): void
}

type Receive = (message: JsonRpcMessage, extra?: MessageExtra) => void

const sent = Promise.resolve()

/** Subscriptions that are remembered for a server object built anew; the oldest are forgotten first. */
const maxSubscriptions = 1_000

/**
 * The live half of a session: the transport that the user's server object drives. Lives on one node, the owner.
 */
export class LiveSession implements ServerTransport, StreamsHost {
  /** Undefined when served without sessions. */
  readonly sessionId: string | undefined
  readonly streams: SessionStreams
  /** When it last became free, in milliseconds since the epoch. */
  freeSince = 0
  record: SessionRecord
  revision: Revision
  onmessage: ServerTransport['onmessage']
  onclose: (() => void) | undefined
  onerror: ((error: Error) => void) | undefined
  readonly #host: SessionHost
  readonly #options: ResolvedOptions
  readonly #questions: Questions<Call>
  readonly #calls = new Map<number, Call>()
  #server: McpServerLike | undefined
  #lastInnerId = 0
  #ended = false

  constructor(host: SessionHost, options: ResolvedOptions, sessionId: string | undefined, record: SessionRecord) {
    this.#host = host
    this.#options = options
    this.sessionId = sessionId
    this.record = record
    this.revision = resolveRevision(record.protocolVersion)
    const log = new SessionLog({
      sessionKey: record.key,
      term: record.term,
      // Without sessions nobody can resume: events wait in memory only as long as their connection lasts.
      log: sessionId === undefined ? options.transientEvents : options.backplane.events,
      failed: (failure) => this.#appendFailed(failure),
    })
    this.#questions = new Questions(record.term)
    this.streams = new SessionStreams(this, log, options, sessionId !== undefined)
  }

  // ---- What the endpoint asks of a session ----

  get canPoll(): boolean {
    return this.sessionId !== undefined && this.revision.polling
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Running calls. */
  get calls(): number {
    return this.#calls.size
  }

  /** Requests to the client that wait for an answer. */
  get questions(): number {
    return this.#questions.size
  }

  /** What the server object answered to `initialize`. */
  establish(answer: Pick<SessionRecord, 'protocolVersion' | 'serverCapabilities'>): void {
    this.record = { ...this.record, ...answer }
    this.revision = resolveRevision(answer.protocolVersion)
  }

  async connectServer(server: McpServerLike): Promise<void> {
    this.#server = server
    await server.connect(this as never)
  }

  /** Answers the requests of one POST. */
  run(requests: readonly JsonRpcRequest[], request: HttpRequest, acceptable: Acceptable, batch: boolean): Exchange {
    const requestIds = requests.map(({ id }) => id)
    const exchange = new Exchange(this, { request, acceptable, response: this.#options.response, batch, requestIds })
    const calls = requests.map((message) => this.#addCall(message, exchange))
    exchange.begin(this.#options.upgradeAfterMs)
    request.onGone(() => exchange.leave())
    const { standalone } = this.streams
    const closeStandalone = standalone && (() => standalone.connection?.end())
    const extra = new MessageExtra(request, exchange, closeStandalone)
    requests.forEach((message, i) => {
      this.#dispatchCall({ ...message, id: calls[i]?.innerId as number }, extra)
    })
    return exchange
  }

  /** A request of our own making, or whose answer is looked at first: `initialize` and what is replayed after a takeover. */
  request(message: JsonRpcRequest, request?: HttpRequest): Promise<JsonRpcResponse> {
    return new Promise((resolve) => {
      const call = this.#register(message, undefined, resolve)
      this.#dispatchCall({ ...message, id: call.innerId }, request && new MessageExtra(request))
    })
  }

  /** A notification from the client. */
  receive(notification: JsonRpcNotification, request?: HttpRequest): void {
    if (notification.method === 'notifications/cancelled') return this.#cancelled(notification)
    if (notification.method === 'notifications/initialized' && !this.record.initialized)
      this.#change({ initialized: true })
    this.#deliver(notification, request && new MessageExtra(request))
  }

  /** The client's answer to a question. `false` when there never was such a question. */
  receiveAnswer(response: JsonRpcResponse, request: HttpRequest): boolean {
    const answer = this.#questions.answer(response)
    if (answer) this.#deliver(answer, new MessageExtra(request))
    return answer !== undefined || this.#questions.hasAsked(response.id)
  }

  /** Puts a notification on the standalone stream. `text` is the message as JSON. */
  notify(text: string, method: string): void {
    const { standalone } = this.streams
    if (standalone) this.streams.append(standalone, { kind: kindOf(method, false), data: text, last: false })
  }

  /** Nobody will read the answers: handlers are told to stop, and whoever comes back gets an error. */
  abandon(exchange: Exchange, reason: string): void {
    for (const call of [...exchange.calls]) {
      this.#stop(call, reason)
      exchange.answer(call, toErrorMessage(rpcCode.refused, reason, call.requestId))
      this.#remove(call)
    }
  }

  /** Every running call ends with an error, and the handlers are told to stop. */
  abandonAll(reason: string): void {
    for (const call of [...this.#calls.values()]) if (call.exchange) this.abandon(call.exchange, reason)
  }

  /** Ends the live session: calls get an error, connections end, the server object is closed. */
  async end(reason: string): Promise<void> {
    if (this.#ended) return
    this.abandonAll(reason)
    this.#ended = true
    for (const call of [...this.#calls.values()])
      call.onAnswer?.(toErrorMessage(rpcCode.refused, reason, call.requestId))
    this.#calls.clear()
    this.streams.close()
    this.onclose?.()
    try {
      await this.#server?.close()
    } catch (error) {
      this.#options.onError(error, 'server')
    }
  }

  // ---- What streams and exchanges ask of it ----

  opened(connection: Connection): void {
    this.#host.opened(connection)
    this.#updateBusy()
  }

  closed(connection: Connection): void {
    this.#host.closed(connection)
    this.#updateBusy()
  }

  detached(exchange: Exchange): void {
    if (exchange.calls.length > 0) this.#host.detached(exchange)
  }

  attached(exchange: Exchange): void {
    this.#host.attached(exchange)
  }

  /** JSON text of an answer; of an error, if a handler's result cannot be JSON. */
  stringify(message: JsonRpcResponse, requestId: RequestId): string {
    try {
      return JSON.stringify(message)
    } catch (error) {
      this.#options.onError(error, 'server')
      return JSON.stringify(toErrorMessage(rpcCode.internalError, 'Internal error: the result is not JSON', requestId))
    }
  }

  // ---- ServerTransport: what the user's server object calls ----

  start(): Promise<void> {
    return sent
  }

  /** Resolves when the sender may go on: a handler that awaits it is held to its reader's pace. */
  send(message: JsonRpcMessage, options?: SendOptions): Promise<void> {
    if (isResponse(message)) this.#answer(message)
    else if (isRequest(message)) this.#ask(message, options?.relatedRequestId)
    else return this.#push(message, options?.relatedRequestId) ?? sent
    return sent
  }

  close(): Promise<void> {
    if (!this.#ended) this.#host.over(this)
    return sent
  }

  // ---- Inside ----

  #addCall(message: JsonRpcRequest, exchange: Exchange): Call {
    const call = this.#register(message, exchange, this.#observerOf(message))
    exchange.add(call)
    this.#updateBusy()
    return call
  }

  #register(message: JsonRpcRequest, exchange: Exchange | undefined, onAnswer: Call['onAnswer']): Call {
    const call: Call = { innerId: ++this.#lastInnerId, requestId: message.id, exchange, onAnswer }
    this.#calls.set(call.innerId, call)
    return call
  }

  #remove(call: Call): void {
    this.#calls.delete(call.innerId)
    const { exchange } = call
    if (exchange?.calls.length === 0) this.#host.attached(exchange)
    this.#updateBusy()
  }

  #updateBusy(): void {
    if (this.#ended) return
    if (this.#calls.size > 0 || this.streams.connections > 0) this.#host.busy(this)
    else this.#host.free(this)
  }

  /** What another node must know to build the server object anew. */
  #observerOf({ method, params }: JsonRpcRequest): Call['onAnswer'] {
    const change = changeOf(method, params, this)
    return change && ((response) => 'result' in response && this.#change(change()))
  }

  #change(changes: SessionChanges): void {
    this.record = { ...this.record, ...changes }
    this.#host.changed(this, changes)
  }

  #dispatchCall(message: JsonRpcRequest, extra: MessageExtra | undefined): void {
    try {
      this.#deliver(message, extra)
    } catch (error) {
      this.#options.onError(error, 'server')
      this.#answer(toErrorMessage(rpcCode.internalError, 'Internal error', message.id))
    }
  }

  #deliver(message: JsonRpcMessage, extra?: MessageExtra): void {
    ;(this.onmessage as Receive | undefined)?.(message, extra)
  }

  #answer(response: JsonRpcResponse): void {
    const call = this.#calls.get(response.id as number)
    if (!call) return this.#host.dropped()
    call.onAnswer?.(response)
    call.exchange?.answer(call, response)
    this.#remove(call)
  }

  #push(notification: JsonRpcNotification, relatedRequestId: RequestId | undefined): Promise<void> | undefined {
    const known =
      notification.method === 'notifications/cancelled' ? this.#questions.cancel(notification) : notification
    if (!known || this.#ended) return this.#drop()
    if (relatedRequestId === undefined) {
      this.notify(JSON.stringify(known), known.method)
      return this.streams.standalone?.room()
    }
    const exchange = this.#calls.get(relatedRequestId as number)?.exchange
    if (!exchange?.send(JSON.stringify(known), known.method, false)) return this.#drop()
    return exchange.stream?.room()
  }

  #drop(): undefined {
    this.#host.dropped()
  }

  #ask(request: JsonRpcRequest, relatedRequestId: RequestId | undefined): void {
    const call = this.#calls.get(relatedRequestId as number)
    if (!this.#carry(request, relatedRequestId, call)) {
      const error = toErrorMessage(
        rpcCode.refused,
        'The client cannot be asked: no event stream reaches it',
        request.id,
      )
      // As an answer would: after `send` has returned.
      queueMicrotask(() => this.#deliver(error))
    }
  }

  #carry(request: JsonRpcRequest, relatedRequestId: RequestId | undefined, call: Call | undefined): boolean {
    const { standalone } = this.streams
    if (this.#ended || !standalone || (relatedRequestId !== undefined && !call?.exchange?.canCarry)) return false
    const question = this.#questions.ask(request, call)
    const text = JSON.stringify(question)
    if (call?.exchange) return call.exchange.send(text, question.method, true)
    this.streams.append(standalone, { kind: 'message', data: text, last: false })
    return true
  }

  /** A repeated id that is in flight several times names no call for sure, so it cancels none. */
  #cancelled({ params }: JsonRpcNotification): void {
    const calls = [...this.#calls.values()].filter(({ requestId }) => requestId === params?.requestId)
    const [call] = calls
    if (!call?.exchange || calls.length > 1) return
    this.#stop(call, params?.reason)
    call.exchange.cancel(call)
    this.#remove(call)
  }

  /** Tells the handler to stop, and the client that what the handler asked needs no answer. */
  #stop(call: Call, reason: unknown): void {
    this.#calls.delete(call.innerId)
    this.#deliver({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: call.innerId, ...(typeof reason === 'string' && { reason }) },
    })
    for (const { toClient, toServer } of this.#questions.withdraw(call)) {
      call.exchange?.send(JSON.stringify(toClient), toClient.method, false)
      this.#deliver(toServer)
    }
  }

  #appendFailed(failure: unknown): void {
    if (failure === 'fenced' || failure === 'gone') this.#host.lost(this)
    else this.#options.onError(failure, 'event-log')
  }
}

function changeOf(
  method: string,
  params: JsonRpcRequest['params'],
  session: LiveSession,
): (() => SessionChanges) | undefined {
  const uri = params?.uri
  if (method === 'logging/setLevel' && typeof params?.level === 'string') {
    const logLevel = params.level
    return () => ({ logLevel })
  }
  if (typeof uri !== 'string') return undefined
  const others = () => session.record.subscriptions.filter((subscribed) => subscribed !== uri)
  if (method === 'resources/subscribe') return () => ({ subscriptions: [...others(), uri].slice(-maxSubscriptions) })
  if (method === 'resources/unsubscribe') return () => ({ subscriptions: others() })
  return undefined
}
