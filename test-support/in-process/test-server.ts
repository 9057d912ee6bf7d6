import type { AuthInfo, McpServerLike, ServerTransport } from '../../packages/core/src/index.ts'

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

export interface Message {
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
        new Promise((resolve, reject) => {
          const questionId = this.#lastId++
          this.#asked.set(questionId, (answer) =>
            resolve(answer.error ? new Error(answer.error.message) : answer.result),
          )
          this.#transport
            ?.send(
              { jsonrpc: '2.0', id: questionId, method: name, params: values },
              { relatedRequestId: related ? id : undefined },
            )
            .catch(reject)
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
