import type { RunningExchange } from '../attendance/attendance.ts'
import type { EventKind } from '../backplane/backplane.ts'
import type { EventStreamBody, HttpReply, HttpRequest } from '../http/http.ts'
import type { Acceptable } from '../http/media-types.ts'
import { clientLeft, toJsonReply, toStreamReply } from '../http/reply.ts'
import { afterThisTurn } from '../promises/after-this-turn.ts'
import type { Link } from '../queues/linked-list.ts'
import {
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
  rpcCode,
  toAnswerText,
  toErrorMessage,
} from '../rpc/json-rpc.ts'
import type { Revision } from '../rpc/revision.ts'
import type { AuthInfo } from '../rpc/server.ts'
import type { Connection } from '../stream/connection.ts'
import type { Cursor } from '../stream/stream-reader.ts'
import type { StreamWriter } from '../stream/stream-writer.ts'
import type { Calls } from './calls.ts'

export type ResponseShape = 'auto' | 'sse' | 'json'

/** The streams that a server object's messages can go to. */
export interface CallStreams {
  /** For messages that belong to no call; `undefined` where no client can listen. */
  readonly standalone: StreamWriter | undefined
  /** A call's connection may be cut before the answer: the client comes back for it. */
  readonly canPoll: boolean
  readonly revision: Revision
  /** A stream for the answers to these requests. */
  open(requestIds: readonly RequestId[], attended: (isAttended: boolean) => void): StreamWriter
  connect(stream: StreamWriter, auth: AuthInfo | undefined, from: Cursor): Connection
  /** The one answer of a stream that has not been opened. `undefined`: it must be opened for it. */
  answerWhole(requestId: RequestId, text: string): EventStreamBody | undefined
}

/** A POST, beside its messages. */
export interface Posted {
  readonly request: HttpRequest
  readonly acceptable: Acceptable
  readonly isBatch: boolean
  /** What the server object is told of the revision that the request was sent by, with its messages. */
  readonly classification?: Classification
  /** HTTP status of a call that is answered with this error; without it 200, as of every answer. */
  readonly statusOf?: (errorCode: number, beforeHandler: boolean) => number
}

/** In the words of SDK 2.x. */
export interface Classification {
  readonly era: 'modern'
  readonly revision: string
}

/**
 * How the answer travels: not decided yet, as JSON, as a stream that it ends, as one that is nothing else, or not at all
 * since the client left too early.
 */
type Shape = 'undecided' | 'json' | 'stream' | 'whole' | 'left'

/**
 * One POST being answered, from its arrival to its last answer. Decides between a JSON body and an event stream, as
 * late as it can: an answer that is ready at once needs no stream.
 */
export class Exchange implements RunningExchange {
  readonly reply: Promise<HttpReply>
  /** The client's ids of its requests. Their calls have consecutive ids inside, from {@link firstInnerId}. */
  readonly requestIds: readonly RequestId[]
  readonly firstInnerId: number
  stream: StreamWriter | undefined
  readonly #calls: Calls
  readonly #posted: Posted
  readonly #canStream: boolean
  readonly #canJson: boolean
  readonly #answers: string[] = []
  /** Calls without an answer yet. */
  #unanswered: number
  /** The server object has all requests. What it answers before that it answers without a handler. */
  #isHanded = false
  #shape: Shape = 'undecided'
  #decide: (reply: HttpReply) => void = nobody
  #upgradeTimer: ReturnType<typeof setTimeout> | undefined
  #connection: Connection | undefined
  /** While calls run and nobody is connected to read their answers. */
  #detached: Link<RunningExchange> | undefined

  constructor(calls: Calls, firstInnerId: number, requests: readonly JsonRpcRequest[], posted: Posted) {
    const { response, upgradeAfterMs } = calls.parts.options
    this.#calls = calls
    this.firstInnerId = firstInnerId
    this.requestIds = requests.map(({ id }) => id)
    this.#posted = posted
    this.#unanswered = requests.length
    this.#canStream = posted.acceptable.eventStream && response !== 'json'
    this.#canJson = posted.acceptable.json && response !== 'sse'
    this.reply = new Promise((resolve) => {
      this.#decide = resolve
    })
    // Where an error may have a status of its own, a stream that is the only way waits as well.
    if (this.#canStream && (this.#canJson || posted.statusOf)) {
      this.#upgradeTimer = setTimeout(() => this.#upgrade(), upgradeAfterMs)
    }
  }

  /** A handler may cut this connection and let the client poll. */
  get canPoll(): boolean {
    return this.#canStream && this.#calls.parts.streams.canPoll
  }

  /** The client can be sent something before the answer. */
  get canCarry(): boolean {
    return this.#canStream && this.#shape !== 'left'
  }

  /** Sends a message that belongs to a call, before its answer. `false`: nothing can carry it. */
  send(kind: EventKind, text: string): boolean {
    if (this.#shape === 'undecided' && this.#canStream) this.#upgrade()
    if (this.#shape !== 'stream') return false
    this.stream?.append(kind, text)
    return true
  }

  /** Sends a request to the client, where {@link canCarry}. Call what it returns when that needs no answer any more. */
  ask(text: string): (() => void) | undefined {
    if (this.#shape === 'undecided') this.#upgrade()
    return this.stream?.ask(text)
  }

  /** Its calls are known by their ids: from now on they can be cancelled, and are where the client has left by now. */
  registered(): void {
    this.#posted.request.onGone(() => this.#leave())
  }

  /**
   * The server object has all requests. Where a stream is the only way it is opened as soon as they have run as far as
   * they do by themselves: what is answered by then needs no stream to wait in.
   */
  handed(): void {
    this.#isHanded = true
    if (!this.#canJson && !this.#posted.statusOf && this.#shape === 'undecided') afterThisTurn(() => this.#upgrade())
  }

  /** Returns what the client gets: an error, if what a handler gave is none, or not JSON. */
  answer(requestId: RequestId, response: JsonRpcResponse): JsonRpcResponse {
    const text = this.#stringify(requestId, response)
    if (text === undefined) return this.answer(requestId, toErrorMessage(rpcCode.internalError, noAnswer, requestId))
    const isLast = this.#countAnswer()
    const status = this.#statusOf(response)
    if (!this.#canJson && status === 200 && !this.#answerWhole(text)) this.#upgrade()
    if (this.#shape === 'whole') return response
    if (this.#shape === 'stream') this.stream?.append('message', text, isLast)
    else {
      this.#answers.push(text)
      if (isLast) this.#decideJson(status)
    }
    return response
  }

  /** The client cancelled: no answer, but the connection ends (Cancellation 4). */
  cancel(requestId: RequestId): void {
    if (!this.#countAnswer()) return
    if (this.#shape === 'undecided' && this.#canStream) this.#upgrade()
    if (this.#shape === 'stream') return this.stream?.append('message', '', true)
    // Plain HTTP needs some answer.
    const error = toErrorMessage(rpcCode.refused, 'Request cancelled', requestId)
    if (this.#answers.length === 0) this.#answers.push(JSON.stringify(error))
    this.#decideJson()
  }

  /** Cuts the connection that reads the stream now; the call goes on and the client comes back for the rest. */
  cutConnection(): void {
    if (this.#shape === 'undecided') this.#upgrade()
    this.stream?.whenKnown(() => {
      const reader = this.stream?.reader ?? this.#connection
      reader?.cut()
    })
  }

  abandon(reason: string): void {
    this.#attended(true)
    this.#calls.abandon(this, reason)
  }

  /** One call less to answer. `true`: it was the last. */
  #countAnswer(): boolean {
    this.#unanswered--
    if (this.#unanswered === 0) this.#attended(true)
    return this.#unanswered === 0
  }

  #attended(isAttended: boolean): void {
    const { attendance } = this.#calls.parts
    if (!isAttended && this.#unanswered > 0) this.#detached ??= attendance.detached(this)
    else if (isAttended && this.#detached) {
      attendance.attached(this.#detached)
      this.#detached = undefined
    }
  }

  /** The client left before it was sent anything. It has no event id to resume from, so its answer can reach nobody. */
  #leave(): void {
    if (this.#shape !== 'undecided') return
    this.#shape = 'left'
    clearTimeout(this.#upgradeTimer)
    this.#decide(clientLeft)
    this.#left()
  }

  /** Nobody is connected any more. */
  #left(): void {
    if (this.#calls.parts.streams.revision.leavingCancels) this.abandon('The client left, which cancels its call')
    else this.#attended(false)
  }

  #upgrade(): void {
    clearTimeout(this.#upgradeTimer)
    if (this.#shape !== 'undecided') return
    const { streams } = this.#calls.parts
    this.#shape = 'stream'
    const stream = streams.open(this.requestIds, (isAttended) => {
      if (isAttended) this.#attended(true)
      else this.#left()
    })
    this.stream = stream
    // Until its connection opens nobody is attached: the client may have left already.
    this.#attended(false)
    for (const text of this.#answers.splice(0)) stream.append('message', text)
    this.#connection = streams.connect(stream, this.#posted.request.auth, { index: 0, position: stream.origin })
    this.#decide(toStreamReply(this.#connection))
  }

  #answerWhole(text: string): boolean {
    const [requestId] = this.requestIds as [RequestId]
    if (this.#shape !== 'undecided' || this.requestIds.length > 1) return false
    const body = this.#calls.parts.streams.answerWhole(requestId, text)
    if (!body) return false
    clearTimeout(this.#upgradeTimer)
    this.#shape = 'whole'
    this.#decide(toStreamReply(body))
    return true
  }

  #decideJson(status = 200): void {
    clearTimeout(this.#upgradeTimer)
    if (this.#shape !== 'undecided') return
    this.#shape = 'json'
    const [first = ''] = this.#answers
    const reply = toJsonReply(this.#posted.isBatch ? `[${this.#answers.join(',')}]` : first)
    this.#decide(status === 200 ? reply : { ...reply, status })
  }

  #statusOf(response: JsonRpcResponse): number {
    const { statusOf } = this.#posted
    return statusOf && 'error' in response ? statusOf(response.error.code, !this.#isHanded) : 200
  }

  /** JSON text of an answer; `undefined` if what a handler gave is none, or not JSON. */
  #stringify(requestId: RequestId, response: JsonRpcResponse): string | undefined {
    try {
      return toAnswerText(requestId, response)
    } catch (error) {
      this.#calls.parts.options.onError(error, 'server')
      return undefined
    }
  }
}

const noAnswer = 'Internal error: the result is no JSON object'

const nobody = (): void => undefined
