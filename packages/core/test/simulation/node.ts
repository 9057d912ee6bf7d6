import {
  createEndpoint,
  type Endpoint,
  type EndpointOptions,
  type McpServerLike,
  type ServerTransport,
} from '../../src/index.ts'
import type { Checker } from './checker.ts'
import type { Exchange } from './exchange.ts'
import type { Link } from './link.ts'
import type { Process } from './virtual-time.ts'

/** What a tool does, as its call says. */
export interface Work {
  /** Notifications of the call, and on the standalone stream. */
  readonly steps: readonly Step[]
}

export type Step =
  | { readonly type: 'sleep'; readonly ms: number }
  | { readonly type: 'progress' | 'push' | 'ask' | 'closeStream' }

export interface NodeParts {
  readonly name: string
  readonly link: Link
  readonly checker: Checker
  readonly options: Partial<EndpointOptions>
  readonly process: Process
  /** Gives the run a number. */
  readonly ran: (run: Run) => number
}

/** A tool begins to run for a call. */
export interface Run {
  readonly node: Node
  readonly session: string
  readonly call: string
  /** Of the request, where it came from the client. */
  readonly headers: Readonly<Record<string, unknown>>
}

/** One process that serves the endpoint. */
export class Node {
  readonly name: string
  readonly process: Process
  readonly link: Link
  readonly endpoint: Endpoint
  readonly exchanges = new Set<Exchange>()
  readonly errors: unknown[] = []
  isClosing = false

  constructor(parts: NodeParts) {
    const { name, link, process, options } = parts
    this.name = name
    this.link = link
    this.process = process
    this.endpoint = createEndpoint({
      server: ({ clientInfo }) => new ToolServer(clientInfo?.name ?? '', this, parts),
      backplane: link.backplane,
      onError: (error) => this.errors.push(error),
      ...options,
    })
  }

  get isServing(): boolean {
    return !this.process.isGone && !this.isClosing
  }

  /** As by kill -9. */
  crash(): void {
    this.process.isGone = true
    for (const exchange of [...this.exchanges]) exchange.nodeGone()
  }
}

interface Incoming {
  readonly id?: number
  readonly method?: string
  readonly params: Readonly<Record<string, unknown>>
}

/** As those of the SDKs do, a tool waits for an answer for some time only. */
const askTimeoutMs = 30_000

/** A server object without an SDK: what the core needs of one. */
class ToolServer implements McpServerLike {
  readonly #session: string
  readonly #node: Node
  readonly #parts: NodeParts
  readonly #asked = new Map<number, () => void>()
  #questions = 0
  #transport: ServerTransport | undefined

  constructor(session: string, node: Node, parts: NodeParts) {
    this.#session = session
    this.#node = node
    this.#parts = parts
  }

  async connect(transport: never): Promise<void> {
    const connected = transport as ServerTransport
    this.#transport = connected
    connected.onmessage = ((message: Incoming, extra: Extra) => this.#receive(message, extra)) as never
    await connected.start()
  }

  async close(): Promise<void> {
    await this.#transport?.close()
  }

  #receive({ id, method, params }: Incoming, extra: Extra): void {
    if (id === undefined) return
    if (method === undefined) this.#asked.get(id)?.()
    else if (method === 'initialize') void this.#send({ id, result: this.#greet(params) })
    else if (method === 'work') void this.#work(id, params as unknown as Work & { call: string }, extra)
    else void this.#send({ id, result: {} })
  }

  #greet({ protocolVersion }: Incoming['params']): unknown {
    return { protocolVersion, capabilities: {}, serverInfo: { name: 'simulated', version: '1' } }
  }

  async #work(id: number, { call, steps }: Work & { call: string }, extra: Extra): Promise<void> {
    const { checker, ran } = this.#parts
    const { headers = {} } = extra.requestInfo ?? {}
    const run = ran({ node: this.#node, session: this.#session, call, headers })
    let payloads = 0
    const next = (stream: string): string => {
      const payload = `${this.#session}:${call}:${run}:${++payloads}`
      checker.sent(payload, stream)
      return payload
    }
    for (const step of steps) {
      if (step.type === 'sleep') await new Promise((resolve) => setTimeout(resolve, step.ms))
      else if (step.type === 'progress')
        await this.#send({ method: 'notifications/progress', params: { p: next(call) } }, id)
      else if (step.type === 'push') await this.#send({ method: 'notifications/message', params: { p: next('g') } })
      else if (step.type === 'ask') await this.#ask(next(call), id)
      else extra.closeSSEStream?.()
    }
    await this.#send({ id, result: { p: next(call) } })
  }

  #ask(payload: string, related: number): Promise<void> {
    return new Promise((resolve) => {
      const id = this.#questions++
      this.#asked.set(id, resolve)
      setTimeout(resolve, askTimeoutMs)
      void this.#send({ id, method: 'elicitation/create', params: { p: payload } }, related)
    })
  }

  #send(message: object, relatedRequestId?: number): Promise<void> {
    return this.#transport?.send({ jsonrpc: '2.0', ...message } as never, { relatedRequestId }) ?? Promise.resolve()
  }
}

interface Extra {
  readonly requestInfo?: { readonly headers: Readonly<Record<string, unknown>> }
  readonly closeSSEStream?: () => void
}
