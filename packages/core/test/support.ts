import { setImmediate as turn } from 'node:timers/promises'
import type {
  AuthInfo,
  EndpointOptions,
  EventStreamBody,
  HttpReply,
  HttpRequest,
  McpServerLike,
  SinkEvents,
} from '../src/index.ts'
import { createEndpoint, type Endpoint } from '../src/index.ts'
import type { ServerTransport } from '../src/rpc/server.ts'

/** What a test handler may do. */
export interface HandlerContext {
  readonly signal: AbortSignal
  readonly params: Record<string, unknown>
  readonly extra: { closeSSEStream?: () => void; closeStandaloneSSEStream?: () => void; authInfo?: AuthInfo }
  /** Sends a notification that belongs to the call. */
  notify(method: string, params?: Record<string, unknown>): Promise<void>
  /** Sends a notification that belongs to no call. */
  push(method: string, params?: Record<string, unknown>): Promise<void>
  /** Asks the client; the answer's result, or an Error. */
  ask(method: string, params?: Record<string, unknown>, related?: boolean): Promise<unknown>
}

export type Handlers = Record<string, (context: HandlerContext) => unknown>

interface Message {
  id?: string | number | undefined
  method?: string
  params?: Record<string, unknown>
  result?: unknown
  error?: { message: string }
}

/** A bare MCP server object: what the core needs of one, and nothing of an SDK. */
export class TestServer implements McpServerLike {
  closed = false
  readonly received: string[] = []
  readonly #handlers: Handlers
  readonly #running = new Map<unknown, AbortController>()
  readonly #asked = new Map<number, (message: Message) => void>()
  #transport: ServerTransport | undefined
  #lastId = 0

  constructor(handlers: Handlers = {}) {
    this.#handlers = handlers
  }

  async connect(transport: never): Promise<void> {
    const connected = transport as ServerTransport
    this.#transport = connected
    connected.onmessage = ((message: Message, extra: HandlerContext['extra']) => this.#receive(message, extra)) as never
    connected.onclose = () => {
      for (const running of this.#running.values()) running.abort()
    }
    await connected.start()
  }

  async close(): Promise<void> {
    this.closed = true
    await this.#transport?.close()
  }

  #receive(message: Message, extra: HandlerContext['extra']): void {
    this.received.push(message.method ?? 'answer')
    if (message.method === undefined) this.#asked.get(message.id as number)?.(message)
    else if (message.method === 'notifications/cancelled') this.#running.get(message.params?.requestId)?.abort()
    else if (message.id !== undefined) void this.#answer(message, extra)
  }

  async #answer({ id, method, params = {} }: Message, extra: HandlerContext['extra']): Promise<void> {
    const running = new AbortController()
    this.#running.set(id, running)
    const sendFor = (relatedRequestId: Message['id'], message: Message) =>
      this.#transport?.send({ jsonrpc: '2.0', ...message } as never, { relatedRequestId }) ?? Promise.resolve()
    const send = (message: Message) => sendFor(id, message)
    const context: HandlerContext = {
      signal: running.signal,
      params,
      extra,
      notify: (name, values = {}) => send({ method: name, params: values }),
      push: (name, values = {}) => sendFor(undefined, { method: name, params: values }),
      ask: (name, values = {}, related = true) =>
        new Promise((resolve) => {
          const questionId = this.#lastId++
          this.#asked.set(questionId, (answer) =>
            resolve(answer.error ? new Error(answer.error.message) : answer.result),
          )
          void this.#transport?.send(
            { jsonrpc: '2.0', id: questionId, method: name, params: values },
            { relatedRequestId: related ? id : undefined },
          )
        }),
    }
    const handler = this.#handlers[method ?? ''] ?? builtIn[method ?? '']
    try {
      if (!handler) throw new Error('Method not found')
      const result = await handler(context)
      if (!running.signal.aborted) await send({ id, result })
    } catch (error) {
      const message = (error as Error).message
      if (!running.signal.aborted) await send({ id, error: { code: -32603, message } as Message['error'] } as Message)
    } finally {
      this.#running.delete(id)
    }
  }
}

const builtIn: Handlers = {
  initialize: ({ params }) => {
    if (typeof params.protocolVersion !== 'string') throw new Error('protocolVersion is missing')
    return {
      protocolVersion: params.protocolVersion,
      capabilities: { tools: { listChanged: true }, resources: { subscribe: true, listChanged: true }, logging: {} },
      serverInfo: { name: 'test', version: '1' },
    }
  },
  ping: () => ({}),
  'logging/setLevel': () => ({}),
  'resources/subscribe': () => ({}),
  'resources/unsubscribe': () => ({}),
}

/** A request as a bridge would make it. */
export class TestRequest implements HttpRequest {
  readonly method: string
  readonly url = '/mcp'
  readonly headers: Record<string, string>
  auth: AuthInfo | undefined
  readonly parsedBody: unknown
  readonly localAddress: string | undefined
  bodyRead = false
  #leave: () => void = () => undefined
  readonly #body: Uint8Array

  constructor(method: string, options: RequestOptions = {}) {
    this.method = method
    this.headers = {
      host: 'localhost:3000',
      accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
      ...(method === 'POST' && { 'content-type': 'application/json' }),
      ...options.headers,
    }
    this.auth = options.auth
    this.parsedBody = options.parsedBody
    this.localAddress = options.localAddress ?? '127.0.0.1'
    const { body } = options
    this.#body =
      body instanceof Uint8Array
        ? body
        : new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body))
  }

  header(name: string): string | undefined {
    return this.headers[name]
  }

  headerCount(name: string): number {
    return name in this.headers ? 1 : 0
  }

  async readBody(): Promise<Uint8Array> {
    this.bodyRead = true
    return this.#body
  }

  onGone(listener: () => void): void {
    this.#leave = listener
  }

  leave(): void {
    this.#leave()
  }
}

export interface RequestOptions {
  headers?: Record<string, string>
  body?: unknown
  auth?: AuthInfo | undefined
  parsedBody?: unknown
  localAddress?: string
}

export interface TestEvent {
  id: string | undefined
  data: string
}

/** A connection whose reader the test plays. */
export class TestReader {
  readonly reply: HttpReply
  text = ''
  ended = false
  destroyed = false
  paused = false
  /** Bytes written while the reader was paused. */
  queued = 0
  #events: SinkEvents | undefined
  readonly #waiting = new Set<() => void>()

  /** Resolves when what is there to read has been written. */
  static async open(reply: HttpReply, paused = false): Promise<TestReader> {
    const reader = new TestReader(reply, paused)
    await turn()
    return reader
  }

  private constructor(reply: HttpReply, paused: boolean) {
    this.reply = reply
    this.paused = paused
    // 204: nothing is left to read.
    this.ended = reply.status === 204
    if (this.ended) return
    this.#events = (reply.body as EventStreamBody).open({
      write: (text) => {
        this.text += text
        if (this.paused) this.queued += text.length
        this.#wake()
        return !this.paused
      },
      end: (text) => {
        this.text += text
        this.ended = true
        this.#wake()
      },
      destroy: () => {
        this.destroyed = true
        this.#wake()
      },
    })
  }

  /** The connection breaks. */
  leave(): void {
    this.#events?.gone()
  }

  resume(): void {
    this.paused = false
    this.#events?.drain()
  }

  /** Events with data, in order. */
  get events(): TestEvent[] {
    return this.blocks.filter(({ data }) => data !== '')
  }

  /** Everything that sets an id or carries data. */
  get blocks(): TestEvent[] {
    return this.text
      .split('\n\n')
      .filter((block) => block.includes('data: '))
      .map((block) => ({ id: /^id: (.*)$/m.exec(block)?.[1], data: /^data: (.*)$/m.exec(block)?.[1] ?? '' }))
  }

  get messages(): Message[] {
    return this.events.map(({ data }) => JSON.parse(data) as Message)
  }

  get lastEventId(): string {
    return this.blocks.findLast(({ id }) => id !== undefined)?.id ?? ''
  }

  async until(condition: () => boolean, limitMs = 5_000): Promise<void> {
    const deadline = Date.now() + limitMs
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`Waited ${limitMs} ms in vain; got: ${this.text.slice(-500)}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 20)
        this.#waiting.add(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }
}

/** A client of an endpoint, without HTTP. */
export class TestClient {
  readonly endpoint: Endpoint
  sessionId = ''
  auth: AuthInfo | undefined

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint
  }

  async post(body: unknown, options: RequestOptions = {}): Promise<HttpReply> {
    const reply = await this.endpoint.handle(this.request('POST', { body, ...options }))
    await turn()
    return reply
  }

  get(lastEventId?: string): Promise<HttpReply> {
    return this.endpoint.handle(
      this.request('GET', lastEventId === undefined ? {} : { headers: { 'last-event-id': lastEventId } }),
    )
  }

  delete(): Promise<HttpReply> {
    return this.endpoint.handle(this.request('DELETE'))
  }

  request(method: string, options: RequestOptions = {}): TestRequest {
    const session = this.sessionId === '' ? {} : { 'mcp-session-id': this.sessionId }
    return new TestRequest(method, { auth: this.auth, ...options, headers: { ...session, ...options.headers } })
  }

  call(method: string, params: Record<string, unknown> = {}, id: string | number = 1): Promise<HttpReply> {
    return this.post({ jsonrpc: '2.0', id, method, params })
  }

  async read(lastEventId?: string): Promise<TestReader> {
    return TestReader.open(await this.get(lastEventId))
  }
}

export async function openSession(
  endpoint: Endpoint,
  options: { version?: string; auth?: AuthInfo; initialized?: boolean } = {},
): Promise<TestClient> {
  const client = new TestClient(endpoint)
  client.auth = options.auth
  const reply = await client.call('initialize', toInitializeParams(options.version))
  if (reply.status !== 200) throw new Error(`initialize was answered ${reply.status}: ${String(reply.body)}`)
  client.sessionId = reply.headers['mcp-session-id'] ?? ''
  if (options.initialized !== false) await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' })
  return client
}

export function toInitializeParams(protocolVersion = '2025-11-25'): Record<string, unknown> {
  return { protocolVersion, capabilities: {}, clientInfo: { name: 'test', version: '1' } }
}

/** An endpoint over test servers, whose lost errors the test sees. */
export function createTestEndpoint(
  handlers: Handlers = {},
  options: Partial<EndpointOptions> = {},
): { endpoint: Endpoint; servers: TestServer[]; errors: unknown[] } {
  const servers: TestServer[] = []
  const errors: unknown[] = []
  const endpoint = createEndpoint({
    server: () => {
      const server = new TestServer(handlers)
      servers.push(server)
      return server
    },
    onError: (error) => errors.push(error),
    ...options,
  })
  return { endpoint, servers, errors }
}

export function toJson(reply: HttpReply): Message {
  return JSON.parse(reply.body as string) as Message
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

export async function waitFor(condition: () => boolean, limitMs = 5_000): Promise<void> {
  const deadline = Date.now() + limitMs
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Waited ${limitMs} ms in vain`)
    await sleep(5)
  }
}
