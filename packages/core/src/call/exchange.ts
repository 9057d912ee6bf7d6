import type { EventKind } from '../backplane/backplane.ts'
import type { HttpReply, HttpRequest } from '../http/http.ts'
import type { Acceptable } from '../http/media-types.ts'
import { clientLeft, toJsonReply, toStreamReply } from '../http/reply.ts'
import type { Link } from '../queues/linked-list.ts'
import { type JsonRpcResponse, type RequestId, rpcCode, toErrorMessage } from '../rpc/json-rpc.ts'
import type { LiveSession } from '../session/live-session.ts'
import type { Connection } from '../stream/connection.ts'
import { kindOf, type Stream } from '../stream/stream.ts'

/** One JSON-RPC request being answered. */
export interface Call {
  /** The id inside: unique in the session, never falsy. Clients repeat theirs, some send `id: 1` every time. */
  readonly innerId: number
  /** The client's id. */
  readonly requestId: RequestId
  /** The POST that is answered; `undefined` for a request that this side made up. */
  readonly exchange: Exchange | undefined
  /** Looks at the answer before the client gets it. */
  readonly onAnswer: ((response: JsonRpcResponse) => void) | undefined
}

/** How the answer to a POST travels: not decided yet, as JSON, as a stream, or not at all since the client left too early. */
type Shape = 'undecided' | 'json' | 'stream' | 'lost'

export interface ExchangeOptions {
  readonly request: HttpRequest
  readonly acceptable: Acceptable
  readonly response: 'auto' | 'sse' | 'json'
  readonly batch: boolean
  readonly requestIds: readonly RequestId[]
}

/**
 * One POST with requests in it, from its arrival to its last answer. Decides between a JSON body and an event stream,
 * as late as it can: what is ready at once needs no stream.
 */
export class Exchange {
  readonly session: LiveSession
  readonly reply: Promise<HttpReply>
  stream: Stream | undefined
  /** Its place among those that nobody is attached to, and since when, in milliseconds since the epoch. The watch's own. */
  detached: Link<Exchange> | undefined
  detachedSince = 0
  readonly #request: HttpRequest
  readonly #canStream: boolean
  readonly #canJson: boolean
  readonly #batch: boolean
  /** Calls without an answer yet. */
  readonly #calls: Call[] = []
  readonly #requestIds: readonly RequestId[]
  readonly #answers: string[] = []
  #shape: Shape = 'undecided'
  #decide: (reply: HttpReply) => void = () => undefined
  #upgradeTimer: ReturnType<typeof setTimeout> | undefined
  #connection: Connection | undefined

  constructor(session: LiveSession, options: ExchangeOptions) {
    this.session = session
    this.#request = options.request
    this.#batch = options.batch
    this.#requestIds = options.requestIds
    this.#canStream = options.acceptable.eventStream && options.response !== 'json'
    this.#canJson = options.acceptable.json && options.response !== 'sse'
    this.reply = new Promise((resolve) => {
      this.#decide = resolve
    })
  }

  /** A handler may end this connection and let the client poll. */
  get canPoll(): boolean {
    return this.#canStream && this.session.canPoll
  }

  /** The client can be sent something before the answer. */
  get canCarry(): boolean {
    return this.#canStream && this.#shape !== 'lost'
  }

  get calls(): readonly Call[] {
    return this.#calls
  }

  add(call: Call): void {
    this.#calls.push(call)
  }

  /** All calls are known: a stream is opened now if it is the only way, or later if the answer takes long. */
  begin(upgradeAfterMs: number): void {
    if (!this.#canJson) this.#upgrade()
    else if (this.#canStream) this.#upgradeTimer = setTimeout(() => this.#upgrade(), upgradeAfterMs)
  }

  /** Sends something that belongs to a call, before its answer. `false`: nothing can carry it. */
  send(text: string, method: string, isRequest: boolean): boolean {
    if (this.#shape === 'undecided' && this.#canStream) this.#upgrade()
    if (this.#shape !== 'stream') return false
    this.#append(text, kindOf(method, isRequest), false)
    return true
  }

  answer(call: Call, response: JsonRpcResponse): void {
    if (!this.#take(call)) return
    const text = this.session.stringify({ ...response, id: call.requestId }, call.requestId)
    if (this.#shape === 'undecided' && !this.#canJson) this.#upgrade()
    if (this.#shape === 'stream') return this.#append(text, 'message', this.#calls.length === 0)
    this.#answers.push(text)
    if (this.#calls.length === 0) this.#decideJson()
  }

  /** The client cancelled: no answer, but the connection ends (Cancellation 4). */
  cancel(call: Call): void {
    if (!this.#take(call) || this.#calls.length > 0) return
    if (this.#shape === 'undecided' && this.#canStream) this.#upgrade()
    if (this.#shape === 'stream') return this.#append('', 'message', true)
    // Plain HTTP needs some answer.
    const error = toErrorMessage(rpcCode.refused, 'Request cancelled', call.requestId)
    if (this.#answers.length === 0) this.#answers.push(JSON.stringify(error))
    this.#decideJson()
  }

  /** The client left before it was sent anything. It has no event id to resume from, so its answer can reach nobody. */
  leave(): void {
    if (this.#shape !== 'undecided') return
    this.#shape = 'lost'
    clearTimeout(this.#upgradeTimer)
    this.#decide(clientLeft)
    this.session.detached(this)
  }

  /** Ends the connection that reads the stream now; the call goes on and the client comes back for the rest. */
  closeConnection(): void {
    if (this.#shape === 'undecided') this.#upgrade()
    const connection = this.stream?.connection ?? this.#connection
    connection?.end()
  }

  #take(call: Call): boolean {
    const index = this.#calls.indexOf(call)
    if (index >= 0) this.#calls.splice(index, 1)
    return index >= 0
  }

  #upgrade(): void {
    clearTimeout(this.#upgradeTimer)
    if (this.#shape !== 'undecided') return
    this.#shape = 'stream'
    this.stream = this.session.streams.open(this, this.#requestIds)
    for (const text of this.#answers.splice(0)) this.#append(text, 'message', false)
    this.#connection = this.session.streams.connect(this.stream, this.#request.auth)
    this.#decide(toStreamReply(this.#connection))
  }

  #append(text: string, kind: EventKind, last: boolean): void {
    if (this.stream) this.session.streams.append(this.stream, { kind, data: text, last })
  }

  #decideJson(): void {
    clearTimeout(this.#upgradeTimer)
    if (this.#shape === 'undecided') {
      this.#shape = 'json'
      const body = this.#batch ? `[${this.#answers.join(',')}]` : (this.#answers[0] as string)
      this.#decide(toJsonReply(body))
    }
  }
}
