import type { SseEvent } from './event-reader.ts'
import { readable } from './event-reader.ts'
import type { Exchange } from './exchange.ts'
import { expectThat, fail, notTestable, SetupFailure, setUp } from './expect.ts'
import type { HeaderChanges, HttpClient, RequestOptions } from './http.ts'
import {
  everyCapability,
  type Id,
  initialize,
  isRequest,
  isResponse,
  type Json,
  type Message,
  notification,
  request,
  resultFor,
  type ToolCallOptions,
  textOf,
  toolCall,
} from './json-rpc.ts'
import { patienceMs, Signal, TimeLimit } from './waiting.ts'

export const acceptBoth = 'application/json, text/event-stream'

/** Headers of a POST by a client that does everything right. */
export function postHeaders(changes: HeaderChanges = {}): HeaderChanges {
  return withDefaults({ 'Content-Type': 'application/json', Accept: acceptBoth }, changes)
}

/** Headers of a GET by a client that does everything right. */
export function getHeaders(changes: HeaderChanges = {}): HeaderChanges {
  return withDefaults({ Accept: 'text/event-stream' }, changes)
}

/** The headers of a POST in a session, for a raw connection. */
export function plainHeaders(session: Session): Record<string, string> {
  const entries = Object.entries({ ...session.client.settings.headers, ...postHeaders(), ...session.headers })
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}

/** Defaults, unless `changes` names the same header in any case. */
export function withDefaults(defaults: HeaderChanges, changes: HeaderChanges): HeaderChanges {
  const changed = new Set(Object.keys(changes).map((name) => name.toLowerCase()))
  const kept = Object.entries(defaults).filter(([name]) => !changed.has(name.toLowerCase()))
  return { ...Object.fromEntries(kept), ...changes }
}

/** A message and the exchange on which it came. */
export interface Received {
  readonly message: Message
  readonly exchange: Exchange
  readonly event: SseEvent
}

export interface SessionOptions {
  /** @default the version of the run */
  readonly version?: string
  /** @default {@link everyCapability} */
  readonly capabilities?: Json
  /** Sent with every request. */
  readonly headers?: HeaderChanges
  /** `false` leaves `notifications/initialized` out. */
  readonly initialized?: boolean
}

/** A session as a client sees it: its headers, and all that came on its streams. */
export class Session {
  readonly client: HttpClient
  readonly id: string | undefined
  /** Negotiated. */
  readonly version: string
  readonly initializeResponse: Message
  /** All messages on event streams of this session, in order of arrival. */
  readonly received: Received[] = []
  readonly #headers: HeaderChanges
  readonly #signal = new Signal()
  /** What the client answers by itself, as some servers hold everything back until it has: results by method. */
  readonly #answers = new Map<string, Json>([
    ['ping', {}],
    ['roots/list', { roots: [] }],
  ])
  #listening: Exchange | undefined

  constructor(client: HttpClient, made: { id: string | undefined; response: Message; headers: HeaderChanges }) {
    this.client = client
    this.id = made.id
    this.initializeResponse = made.response
    this.version = String(made.response.result?.protocolVersion)
    this.#headers = made.headers
  }

  /** The headers that every request of this session carries. */
  get headers(): HeaderChanges {
    const own = { 'Mcp-Session-Id': this.id, 'MCP-Protocol-Version': this.version }
    return withDefaults(own, this.#headers)
  }

  async send(method: string, options: RequestOptions = {}): Promise<Exchange> {
    const headers = withDefaults(this.headers, options.headers ?? {})
    const exchange = await this.client.send(method, { ...options, headers })
    this.#watch(exchange)
    return exchange
  }

  /** POSTs a message, or any body. */
  async post(body: unknown, options: RequestOptions = {}): Promise<Exchange> {
    return await this.send('POST', { ...options, body, headers: postHeaders(options.headers) })
  }

  /** Begins a POST without waiting for the head of its answer. */
  startPost(body: unknown, options: RequestOptions = {}): { exchange: Promise<Exchange>; abort: () => void } {
    const headers = withDefaults(this.headers, postHeaders(options.headers))
    const started = this.client.start('POST', { ...options, body, headers })
    started.exchange.then((exchange) => this.#watch(exchange)).catch(() => undefined)
    return started
  }

  /** Opens the standalone stream, or resumes a stream. */
  async get(options: RequestOptions & { lastEventId?: string | undefined } = {}): Promise<Exchange> {
    const { lastEventId, ...rest } = options
    const headers = withDefaults({ 'Last-Event-ID': lastEventId }, getHeaders(options.headers))
    return await this.send('GET', { ...rest, headers })
  }

  /** Opens the standalone stream, unless one is open or the server has none. */
  async ensureListening(): Promise<void> {
    if (this.#listening !== undefined && !this.#listening.ended) return
    const exchange = await this.get()
    if (exchange.isEventStream) this.#listening = exchange
  }

  /** Opens the standalone stream, which the check needs. */
  async listen(): Promise<Exchange> {
    const exchange = await setUp('the stream of GET', this.get())
    if (exchange.status !== 200) throw new SetupFailure(`GET opens no stream: status ${exchange.status}`)
    this.#listening = exchange
    return exchange
  }

  /** Resumes a stream and expects that it goes on. */
  async resume(lastEventId: string | undefined): Promise<Exchange> {
    const exchange = await this.get({ lastEventId })
    expectThat(exchange.status === 200, `Expected a resume to open a stream, got status ${exchange.status}`)
    return exchange
  }

  async delete(options: RequestOptions = {}): Promise<Exchange> {
    return await this.send('DELETE', options)
  }

  async notify(method: string, params?: Json): Promise<Exchange> {
    return await this.post(notification(method, params))
  }

  /** Sends a request; resolves with its response, wherever in the answer it is. */
  async request(method: string, params?: Json, id?: Id): Promise<Message> {
    const message = request(method, params, ...(id === undefined ? [] : [id]))
    return await responseIn(await this.post(message), message.id)
  }

  /** Calls a tool; resolves when the head of the answer came. */
  async call(tool: string, args: Json = {}, options: ToolCallOptions & RequestOptions = {}): Promise<Call> {
    const message = toolCall(tool, args, options)
    return new Call(await this.post(message, options), message.id ?? '')
  }

  /** Calls a tool; resolves with the text of its result. */
  async text(tool: string, args: Json = {}): Promise<string> {
    const response = await (await this.call(tool, args)).response()
    return textOf(response) ?? fail(`Expected a text from ${tool}, got ${JSON.stringify(response)}`)
  }

  /** The first message on any stream of this session, past ones included, for which `predicate` holds. */
  async receive(predicate: (received: Received) => boolean, what: string, ms = patienceMs): Promise<Received> {
    await this.#signal.until(() => this.received.some(predicate), ms)
    return this.received.find(predicate) ?? fail(`${what} did not come on any stream within ${ms} ms`)
  }

  /** The first request of the server for `method` that `isNew` has not seen. */
  async serverRequest(method: string, isNew: (received: Received) => boolean = () => true): Promise<Received> {
    const wanted = (received: Received) => isRequest(received.message) && received.message.method === method
    return await this.receive((received) => wanted(received) && isNew(received), `The server's ${method}`)
  }

  /** Resolves `true` when `condition`, which something received makes true, holds. */
  until(condition: () => boolean, ms = patienceMs): Promise<boolean> {
    return this.#signal.until(condition, ms)
  }

  /** Requests for `method` are from now on the check's own to answer. */
  takeOver(method: string): void {
    this.#answers.delete(method)
  }

  #watch(exchange: Exchange): void {
    exchange.stream.onEvent((event) => {
      for (const message of readable(event)) {
        this.received.push({ message, exchange, event })
        this.#answer(message)
      }
      this.#signal.notify()
    })
  }

  #answer(message: Message): void {
    const result = isRequest(message) ? this.#answers.get(message.method ?? '') : undefined
    if (result === undefined || message.id === undefined) return
    // Whether the server takes it, checks of answers say; the session may be over by now.
    this.post(resultFor(message.id, result)).catch(() => undefined)
  }
}

/** A request that is being answered. */
export class Call {
  readonly exchange: Exchange
  readonly id: Id

  constructor(exchange: Exchange, id: Id) {
    this.exchange = exchange
    this.id = id
  }

  /** Messages on the call's own stream so far; none when it is answered with JSON. */
  get messages(): Message[] {
    return this.exchange.isEventStream ? this.exchange.stream.messages : []
  }

  /** What becomes of a running call shows nothing where it is answered already: the tool is quick, or a proxy gathers. */
  needRunning(): void {
    if (this.messages.some(isResponse)) notTestable('the call was over before anything could be done to it')
  }

  response(ms = patienceMs): Promise<Message> {
    return responseIn(this.exchange, this.id, ms)
  }

  async text(ms = patienceMs): Promise<string | undefined> {
    return textOf(await this.response(ms))
  }
}

/** Opens a session: `initialize`, and `notifications/initialized`. */
export async function openSession(client: HttpClient, version: string, options: SessionOptions = {}): Promise<Session> {
  const message = initialize(options.version ?? version, options.capabilities ?? everyCapability)
  const headers = options.headers ?? {}
  const exchange = await client.send('POST', { body: message, headers: withDefaults(postHeaders(), headers) })
  const response = await responseIn(exchange, message.id)
  expectThat(response.result !== undefined, `Expected initialize to succeed, got ${JSON.stringify(response)}`)
  const session = new Session(client, { id: exchange.header('mcp-session-id'), response, headers })
  if (options.initialized !== false) await (await session.notify('notifications/initialized')).bytes()
  return session
}

/** The response with `id` in an answer of either type. */
export async function responseIn(exchange: Exchange, id: Id | undefined, ms = patienceMs): Promise<Message> {
  const isOurs = (message: Message) => isResponse(message) && message.id === id
  await exchange.begun(ms)
  if (!exchange.isEventStream) {
    const found = (await exchange.messages(ms)).find((message) => isOurs(message) || message.error !== undefined)
    return (
      found ??
      fail(`Expected a response to ${JSON.stringify(id)}, got status ${exchange.status}: ${await exchange.text()}`)
    )
  }
  const past = exchange.stream.events.flatMap(readable).find(isOurs)
  if (past !== undefined) return past
  let found: Message | undefined
  const hasOurs = (event: SseEvent) => {
    found = readable(event).find(isOurs)
    return found !== undefined
  }
  await exchange.stream.until(hasOurs, `The response to ${JSON.stringify(id)}`, ms)
  if (found === undefined) throw new TimeLimit('unreachable: until() resolved without a response')
  return found
}
