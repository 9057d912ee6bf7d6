import { traces } from '../diagnostics/channels.ts'
import type { CallMessage } from '../diagnostics/messages.ts'
import { drainingRejection, Rejection } from '../http/errors.ts'
import type { HttpReply, HttpRequest } from '../http/http.ts'
import { within } from '../promises/deadline.ts'
import { isThenable, type MaybePromise } from '../promises/maybe-promise.ts'
import { nextTurn } from '../promises/next-turn.ts'
import {
  isOfTask,
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
  rpcCode,
  toErrorMessage,
} from '../rpc/json-rpc.ts'
import type { McpServerLike } from '../rpc/server.ts'
import { Asking } from './asking.ts'
import type { Call, CallsParts } from './call.ts'
import { finishAnswered, finishCall, traceCall } from './call-trace.ts'
import { Exchange, type Posted } from './exchange.ts'
import { MessageExtra } from './message-extra.ts'
import { callOfProgress, kindOf, progressTokenOf } from './progress.ts'
import { ConnectedTransport, type Outgoing } from './server-transport.ts'

type Receive = (message: JsonRpcMessage, extra?: MessageExtra) => unknown

/** Time, in milliseconds, that a server object may take to close. */
const closeTimeoutMs = 10_000

/** Everything between one server object and its client: the calls that run, its messages and its questions. */
export class Calls implements Outgoing {
  readonly parts: CallsParts
  readonly transport: ConnectedTransport
  readonly #asking: Asking
  readonly #running = new Map<number, Call>()
  #server: McpServerLike | undefined
  #lastInnerId = 0
  /** Nothing can be sent any more. */
  ended = false
  /** How often {@link run} was asked. */
  posts = 0

  constructor(parts: CallsParts) {
    this.parts = parts
    this.transport = new ConnectedTransport(parts.sessionId, this)
    this.#asking = new Asking({
      calls: parts,
      running: this.#running,
      deliver: (message) => this.#deliver(message),
    })
  }

  get size(): number {
    return this.#running.size
  }

  /** Questions that wait for an answer. */
  get questions(): number {
    return this.#asking.questions.size
  }

  connect(server: McpServerLike): MaybePromise<void> {
    this.#server = server
    return server.connect(this.transport as never)
  }

  // ---- From the client ----

  /**
   * Answers the requests of one POST.
   * @throws Rejection `draining`, `too_many_calls`, and what `observe` throws
   */
  run(requests: readonly JsonRpcRequest[], posted: Posted): Promise<HttpReply> {
    const { attendance, options, streams } = this.parts
    if (attendance.refuses && !posted.request.isForwarded) throw drainingRejection()
    if (this.#running.size + requests.length > options.maxCallsPerSession) {
      throw new Rejection('too_many_calls', { headers: { 'retry-after': '1' } })
    }
    this.posts++
    const observers = requests.map((message) => this.#observerOf(message))
    const firstInnerId = this.#lastInnerId + 1
    const exchange = new Exchange(this, firstInnerId, requests, posted)
    const extra = new MessageExtra(posted.request, exchange, streams.standalone, posted.classification)
    const calls = requests.map((message, i) => this.#register(message, exchange, observers[i]))
    exchange.registered()
    for (let i = 0; i < calls.length; i++) {
      const [call, message] = [calls[i] as Call, requests[i] as JsonRpcRequest]
      // Its client may have left while the server object was built, which may have cancelled it.
      if (!this.#running.has(call.innerId)) continue
      call.trace = traceCall(this.parts, message, posted.request)
      this.#hand({ ...message, id: call.innerId }, extra, call.trace)
    }
    exchange.handed()
    return exchange.reply
  }

  /** A request whose answer the caller takes: `initialize`, and the handshake that is replayed after a takeover. */
  request(message: JsonRpcRequest, request?: HttpRequest): Promise<JsonRpcResponse> {
    return new Promise((resolve) => {
      const call = this.#register(message, undefined, resolve)
      // A handshake that is replayed is no request of a client.
      call.trace = request && traceCall(this.parts, message, request)
      this.#hand({ ...message, id: call.innerId }, request && new MessageExtra(request), call.trace)
    })
  }

  /**
   * A notification from the client.
   * @throws Rejection what `observe` throws
   */
  receive(notification: JsonRpcNotification, request?: HttpRequest): void {
    // First, since it may refuse, and what runs inside of a subscriber's code must not throw.
    const apply = this.parts.observe?.(notification)
    const receive = (): void => this.#receive(notification, request, apply)
    const trace = request && traceCall(this.parts, notification, request)
    if (!trace) return receive()
    traces.call.begin(trace, receive)
    finishCall(trace, 'result')
  }

  #receive(notification: JsonRpcNotification, request?: HttpRequest, apply?: () => void): void {
    if (notification.method === 'notifications/cancelled') return this.#cancelled(notification)
    apply?.()
    this.#deliver(notification, request && new MessageExtra(request))
  }

  /** The client's answer to a question. `false` when there never was such a question. */
  receiveAnswer(response: JsonRpcResponse, request: HttpRequest): boolean {
    const answer = this.#asking.questions.answer(response)
    if (answer) this.#deliver(answer, new MessageExtra(request))
    return answer !== undefined || this.#asking.questions.hasAsked(response.id)
  }

  // ---- Ends ----

  /** Nobody will read the answers: stops the handlers, and leaves an error for a client that comes back. */
  abandon(exchange: Exchange, reason: string): void {
    const { firstInnerId, requestIds } = exchange
    for (let i = 0; i < requestIds.length; i++) {
      const call = this.#running.get(firstInnerId + i)
      if (!call) continue
      this.#stop(call, reason)
      const error = toErrorMessage(rpcCode.refused, reason, call.requestId)
      exchange.answer(call.requestId, error)
      if (call.trace) finishCall(call.trace, 'abandoned', error)
      this.parts.activity.finished()
    }
  }

  /** Ends every running call with an error, and stops its handler. Nothing can be sent any more. */
  end(reason: string): void {
    for (const { exchange } of [...this.#running.values()]) if (exchange) this.abandon(exchange, reason)
    this.ended = true
    this.#asking.questions.end()
    for (const { onAnswer, requestId, trace } of [...this.#running.values()]) {
      const error = toErrorMessage(rpcCode.refused, reason, requestId)
      onAnswer?.(error)
      if (trace) finishCall(trace, 'abandoned', error)
    }
    this.#running.clear()
  }

  /** Closes the server object, after {@link end}. Never rejects, and does not wait for ever. */
  async closeServer(): Promise<void> {
    try {
      this.transport.onclose?.()
    } catch (error) {
      this.#report(error)
    }
    try {
      if (this.#server) await within(closeTimeoutMs, this.#server.close(), 'the server object to close')
    } catch (error) {
      this.#report(error)
    }
  }

  // ---- Outgoing: from the server object ----

  send(message: JsonRpcMessage, relatedRequestId: RequestId | undefined): Promise<void> | undefined {
    if (!('method' in message)) this.#answer(message)
    else if ('id' in message) this.#asking.ask(message, relatedRequestId, this.ended)
    else return this.#push(message, relatedRequestId)
    return undefined
  }

  serverClosed(): void {
    if (!this.ended) this.parts.serverClosed()
  }

  /** Puts a notification on the standalone stream. `text` is the message as JSON. */
  notify(text: string, method: string): void {
    this.parts.streams.standalone?.append(kindOf(method), text)
  }

  #register(message: JsonRpcRequest, exchange: Exchange | undefined, onAnswer: Call['onAnswer']): Call {
    const innerId = ++this.#lastInnerId
    const progressToken = progressTokenOf(message)
    const call: Call = { innerId, requestId: message.id, progressToken, exchange, onAnswer, trace: undefined }
    this.#running.set(call.innerId, call)
    this.parts.activity.began()
    return call
  }

  #observerOf(message: JsonRpcRequest): Call['onAnswer'] {
    const apply = this.parts.observe?.(message)
    return apply && ((response) => 'result' in response && apply())
  }

  /** Hands a request to the server object. */
  #hand(message: JsonRpcRequest, extra: MessageExtra | undefined, trace: CallMessage | undefined): void {
    if (trace) traces.call.begin(trace, () => this.#handNow(message, extra))
    else this.#handNow(message, extra)
  }

  #handNow(message: JsonRpcRequest, extra: MessageExtra | undefined): void {
    try {
      this.#pass(message, extra)
    } catch (error) {
      this.#report(error)
      this.#answer(toErrorMessage(rpcCode.internalError, 'Internal error', message.id))
    }
  }

  /** The server object's code is not ours: what it throws must not reach whatever runs now. */
  #deliver(message: JsonRpcMessage, extra?: MessageExtra): void {
    try {
      this.#pass(message, extra)
    } catch (error) {
      this.#report(error)
    }
  }

  #pass(message: JsonRpcMessage, extra: MessageExtra | undefined): void {
    const result = (this.transport.onmessage as Receive | undefined)?.(message, extra)
    if (isThenable(result)) Promise.resolve(result).catch((error: unknown) => this.#report(error))
  }

  #report(error: unknown): void {
    this.parts.options.onError(error, 'server')
  }

  #answer(response: JsonRpcResponse): void {
    const call = this.#running.get(response.id as number)
    if (!call) return void this.#undelivered()
    this.#running.delete(call.innerId)
    call.onAnswer?.(response)
    const given = call.exchange ? call.exchange.answer(call.requestId, response) : response
    if (call.trace) finishAnswered(call.trace, given)
    this.parts.activity.finished()
  }

  #push(notification: JsonRpcNotification, relatedRequestId: RequestId | undefined): Promise<void> | undefined {
    const known =
      notification.method === 'notifications/cancelled' ? this.#asking.questions.cancel(notification) : notification
    if (!known || this.ended) return this.#undelivered()
    const text = JSON.stringify(known)
    const isApart = relatedRequestId === undefined
    const call = isApart ? callOfProgress(known, this.#running.values()) : this.#running.get(relatedRequestId as number)
    if (!call && (isApart || isOfTask(known))) {
      this.notify(text, known.method)
      const { standalone } = this.parts.streams
      return standalone?.room() ?? (standalone?.reader ? undefined : nextTurn())
    }
    if (!call?.exchange?.send(kindOf(known.method), text)) return this.#undelivered()
    return call.exchange.stream?.room()
  }

  /** A handler sent something that nobody can get. One that goes on sending must not hold up everybody else. */
  #undelivered(): Promise<void> {
    this.parts.attendance.undelivered++
    return nextTurn()
  }

  /** A repeated id that is in flight several times names no call for sure, so it cancels none. */
  #cancelled({ params }: JsonRpcNotification): void {
    const calls = [...this.#running.values()].filter(({ requestId }) => requestId === params?.requestId)
    const [call] = calls
    if (!call?.exchange || calls.length > 1) return
    this.#stop(call, params?.reason)
    call.exchange.cancel(call.requestId)
    if (call.trace) finishCall(call.trace, 'cancelled')
    this.parts.activity.finished()
  }

  /** Tells the handler to stop, and the client that the handler's questions need no answer. */
  #stop(call: Call, reason: unknown): void {
    this.#running.delete(call.innerId)
    this.#deliver({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: call.innerId, ...(typeof reason === 'string' && { reason }) },
    })
    for (const { toClient, toServer } of this.#asking.questions.withdraw(call)) {
      call.exchange?.send(kindOf(toClient.method), JSON.stringify(toClient))
      this.#deliver(toServer)
    }
  }
}
