import { isThenable } from '../promises/maybe-promise.ts'
import { nextTurn } from '../promises/next-turn.ts'
import { type Link, LinkedList } from '../queues/linked-list.ts'
import { Recent } from '../queues/recent.ts'
import type { JsonRpcMessage, JsonRpcNotification, JsonRpcRequest, JsonRpcResponse, RequestId } from './json-rpc.ts'
import type { McpServerLike, ScopeResolver, SendOptions, ServerTransport } from './server.ts'

type Receive = (message: JsonRpcMessage, extra?: unknown) => unknown

/** A request that the object is answering. */
interface Running {
  readonly member: Member
  readonly request: JsonRpcRequest
}

/** Subscriptions of one session that are remembered; the oldest are forgotten first. */
const maxSubscriptions = 1_000

/**
 * One server object that several sessions use. It is connected once, to this; each session is connected to a
 * {@link Member}. Only what is known to belong to a session reaches it: an answer by the id of its request, which no two
 * requests share, and anything else by the request that it names.
 */
export class SharedObject implements ServerTransport {
  onmessage: ServerTransport['onmessage']
  onclose: (() => void) | undefined
  onerror: ((error: Error) => void) | undefined
  findScopeChallenge: ScopeResolver | undefined
  readonly #server: McpServerLike
  readonly #members = new LinkedList<Member>()
  readonly #running = new Map<RequestId, Running>()
  /** Who was asked what, by the object's own ids. */
  readonly #questions = new Map<RequestId, Member>()
  readonly #answered: (object: SharedObject) => void
  readonly #left: (object: SharedObject) => void
  #receiving: Member | undefined
  /** The one session, until others may join. */
  #only: Member | undefined
  #isOpen = false
  #lastMember = 0
  #isClosing = false

  /** `answered`: it may be opened, its first `initialize` is answered. `left`: a session needs it no more. */
  constructor(
    server: McpServerLike,
    { answered, left }: Readonly<Record<'answered' | 'left', (object: SharedObject) => void>>,
  ) {
    this.#server = server
    this.#answered = answered
    this.#left = left
  }

  get isUnused(): boolean {
    return this.#members.size === 0
  }

  /** Sessions that it was for until now. */
  get joined(): number {
    return this.#lastMember
  }

  /** Of whoever's message the object gets at this moment: that is when SDKs ask. */
  get sessionId(): string | undefined {
    return (this.#receiving ?? this.#only)?.sessionId
  }

  /** Others may join. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  open(): void {
    this.#isOpen = true
    this.#only = undefined
  }

  /** Nobody joins any more. */
  shut(): void {
    this.#isOpen = false
  }

  connect(): Promise<void> {
    return this.#server.connect(this as never)
  }

  join(): Member {
    const member = new Member(this, ++this.#lastMember)
    member.place = this.#members.add(member)
    if (this.#lastMember === 1) this.#only = member
    return member
  }

  /** Nobody needs it any more. */
  async end(): Promise<void> {
    this.#isClosing = true
    await this.#server.close()
  }

  // ---- From sessions ----

  receive(member: Member, message: JsonRpcMessage, extra: unknown): unknown {
    const known = this.#toShared(member, message)
    if (!known) return undefined
    const before = this.#receiving
    this.#receiving = member
    try {
      return (this.onmessage as Receive | undefined)?.(known, extra)
    } finally {
      this.#receiving = before
    }
  }

  /** Stops what it asked for. What it was asked is answered before, with the calls that asked. */
  leave(member: Member, place: Link<Member>): void {
    this.#members.remove(place)
    if (member.running > 0) this.#cancelAll(member)
    this.#left(this)
  }

  #toShared(member: Member, message: JsonRpcMessage): JsonRpcMessage | undefined {
    if (!('method' in message)) return this.#toAnswer(member, message)
    if ('id' in message) return this.#begin(member, message)
    if (message.method === 'notifications/cancelled') return this.#toCancelled(member, message)
    // The progress of a question that another session was asked is none of its business.
    if (message.method !== 'notifications/progress') return message
    return this.#questions.get(message.params?.progressToken as RequestId) === member ? message : undefined
  }

  #begin(member: Member, request: JsonRpcRequest): JsonRpcRequest {
    const id = member.toSharedId(request.id)
    this.#running.set(id, { member, request })
    member.running++
    return { ...request, id }
  }

  #toAnswer(member: Member, answer: JsonRpcResponse): JsonRpcResponse | undefined {
    const { id } = answer
    if (id === undefined || this.#questions.get(id) !== member) return undefined
    this.#questions.delete(id)
    return answer
  }

  #toCancelled(member: Member, { params, ...message }: JsonRpcNotification): JsonRpcNotification | undefined {
    const requestId = member.toSharedId(params?.requestId as RequestId)
    return this.#forget(requestId) ? { ...message, params: { ...params, requestId } } : undefined
  }

  #cancelAll(member: Member): void {
    for (const [requestId, running] of [...this.#running]) {
      if (running.member !== member) continue
      this.#forget(requestId)
      this.#deliver({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } })
    }
  }

  #forget(id: RequestId): Running | undefined {
    const running = this.#running.get(id)
    if (!running) return undefined
    this.#running.delete(id)
    running.member.running--
    return running
  }

  #deliver(message: JsonRpcMessage): void {
    const result = (this.onmessage as Receive | undefined)?.(message)
    if (isThenable(result)) Promise.resolve(result).catch((error: unknown) => this.onerror?.(error as Error))
  }

  // ---- ServerTransport ----

  setScopeChallengeResolver(find: ScopeResolver): void {
    this.findScopeChallenge = find
  }

  async start(): Promise<void> {
    // Members hand messages in.
  }

  send(message: JsonRpcMessage, options?: SendOptions): Promise<void> {
    if (!('method' in message)) return this.#answer(message)
    const { method } = message
    const related = options?.relatedRequestId
    const running = related === undefined ? undefined : this.#running.get(related)
    if ('id' in message) return this.#ask(message, running, options)
    if (method === 'notifications/cancelled') return this.#withdraw(message, running, options)
    if (running) return running.member.send(message, { ...options, relatedRequestId: running.request.id })
    // Its request is answered, or cancelled.
    if (related !== undefined) return nextTurn()
    return this.#tell(message)
  }

  async close(): Promise<void> {
    if (!this.#isClosing) throw new Error(closedByOne)
    this.onclose?.()
  }

  #answer(response: JsonRpcResponse): Promise<void> {
    const running = response.id === undefined ? undefined : this.#forget(response.id)
    if (!running) return nextTurn()
    const { member, request } = running
    if ('result' in response) this.#heed(member, request, response.result)
    return member.send({ ...response, id: request.id })
  }

  #heed(member: Member, { method, params }: JsonRpcRequest, result: Readonly<Record<string, unknown>>): void {
    if (method === 'initialize') {
      // Tasks go by the session's id long after their request, and one object has one at a time.
      const isFirst = this.#only !== undefined
      if (isFirst && !(result.capabilities as { tasks?: unknown } | undefined)?.tasks) this.#answered(this)
    } else if (method === 'resources/subscribe') member.subscriptions.set(String(params?.uri), true)
    else if (method === 'resources/unsubscribe') member.subscriptions.delete(String(params?.uri))
  }

  #ask(question: JsonRpcRequest, running: Running | undefined, options: SendOptions | undefined): Promise<void> {
    if (!running) return Promise.reject(new Error(whose(question.method)))
    this.#questions.set(question.id, running.member)
    return running.member.send(question, { ...options, relatedRequestId: running.request.id })
  }

  async #withdraw(
    message: JsonRpcNotification,
    running: Running | undefined,
    options: SendOptions | undefined,
  ): Promise<void> {
    const id = message.params?.requestId as RequestId
    const asked = this.#questions.get(id)
    this.#questions.delete(id)
    await asked?.send(message, { ...options, relatedRequestId: running?.request.id })
  }

  /** What concerns no request: that a list has changed is for all, that a resource has for who subscribed to it. */
  async #tell(notification: JsonRpcNotification): Promise<void> {
    const { method, params } = notification
    const isUpdate = method === 'notifications/resources/updated'
    if (!isUpdate && !method.endsWith('/list_changed')) throw new Error(whose(method))
    const concerned = this.#members.toArray().filter((member) => !isUpdate || member.isSubscribed(params?.uri))
    await Promise.all(concerned.map((member) => member.send(notification)))
  }
}

/** A server object to its session: the session's part of a shared one. */
export class Member implements McpServerLike {
  /** Requests that the object is answering. */
  running = 0
  /** Until it has left. */
  place: Link<Member> | undefined
  readonly #object: SharedObject
  readonly #prefix: string
  #transport: ServerTransport | undefined
  #subscriptions: Recent<string, true> | undefined

  constructor(object: SharedObject, number: number) {
    this.#object = object
    this.#prefix = `${number}.`
  }

  get sessionId(): string | undefined {
    return this.#transport?.sessionId
  }

  connect(transport: ServerTransport): Promise<void> {
    this.#transport = transport
    const receive: Receive = (message, extra) => this.place && this.#object.receive(this, message, extra)
    transport.onmessage = receive
    const { findScopeChallenge } = this.#object
    if (findScopeChallenge) transport.setScopeChallengeResolver?.(findScopeChallenge)
    return transport.start()
  }

  async close(): Promise<void> {
    const { place } = this
    if (!place) return
    this.place = undefined
    this.#object.leave(this, place)
  }

  /** Sessions number their requests alike. */
  toSharedId(requestId: RequestId): string {
    return this.#prefix + requestId
  }

  send(message: JsonRpcMessage, options?: SendOptions): Promise<void> {
    return this.#transport?.send(message, options) ?? Promise.resolve()
  }

  get subscriptions(): Recent<string, true> {
    this.#subscriptions ??= new Recent(maxSubscriptions)
    return this.#subscriptions
  }

  isSubscribed(uri: unknown): boolean {
    return this.#subscriptions?.get(uri as string) === true
  }
}

function whose(method: string): string {
  return `A server object that sessions share cannot know which of them ${method} is for: send it with the request that is being answered (extra.sendNotification, extra.sendRequest, ctx.mcpReq, or the option relatedRequestId), or with endpoint.notify`
}

const closedByOne = 'A server object that sessions share is closed when none needs it any more, not by one of them'
