import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { InMemoryEventStore } from '@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js'
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import type {
  WebStandardStreamableHTTPServerTransport,
  WebStandardStreamableHTTPServerTransportOptions,
} from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js'
import { announcement, listen, type RunningTarget } from './running-target.ts'
import { createServer1 } from './server1.ts'

export interface Sdk1Options {
  readonly json?: boolean
  /** With the event store of the SDK's example, one for all sessions. */
  readonly resumable?: boolean
}

type Transport = StreamableHTTPServerTransport | WebStandardStreamableHTTPServerTransport
type TransportClass<T> = new (options: WebStandardStreamableHTTPServerTransportOptions) => T

/** The pattern of the SDK's documentation: a map of transports. */
export class Sdk1Sessions<T extends Transport> {
  readonly #Transport: TransportClass<T>
  readonly #options: WebStandardStreamableHTTPServerTransportOptions
  readonly #open = new Map<string, { transport: T; server: McpServer }>()

  constructor(Transport: TransportClass<T>, { json = false, resumable = false }: Sdk1Options) {
    this.#Transport = Transport
    this.#options = {
      sessionIdGenerator: () => randomUUID(),
      enableJsonResponse: json,
      ...(resumable && { eventStore: new InMemoryEventStore() }),
    }
  }

  get(sessionId: string): T | undefined {
    return this.#open.get(sessionId)?.transport
  }

  async create(): Promise<T> {
    const server = createServer1()
    const transport = new this.#Transport({
      ...this.#options,
      onsessioninitialized: (sessionId) => void this.#open.set(sessionId, { transport, server }),
    })
    transport.onclose = () => void this.#open.delete(transport.sessionId ?? '')
    await server.connect(transport as Parameters<McpServer['connect']>[0])
    return transport
  }

  async notify(): Promise<void> {
    for (const { server } of this.#open.values()) await server.server.notification(announcement)
  }
}

/** Serves the objects of `node:http`, with the body when a parser has read it. */
export function createSdk1Handler(options: Sdk1Options) {
  const sessions = new Sdk1Sessions(StreamableHTTPServerTransport, options)

  async function handle(request: IncomingMessage, response: ServerResponse, body?: unknown): Promise<void> {
    const sessionId = request.headers['mcp-session-id']
    const known = typeof sessionId === 'string' ? sessions.get(sessionId) : undefined
    if (known) return known.handleRequest(request, response, body)
    if (sessionId !== undefined) return void response.writeHead(404).end()
    // Without a parser the transport reads the body itself, and tells what is no initialize.
    if (body !== undefined && !isInitializeRequest(body)) return void response.writeHead(400).end()
    await (await sessions.create()).handleRequest(request, response, body)
  }

  return { handle, notify: () => sessions.notify() }
}

export async function startOnNode(options: Sdk1Options = {}): Promise<RunningTarget> {
  const { handle, notify } = createSdk1Handler(options)
  const url = await listen((request, response) => {
    handle(request, response).catch(() => response.destroy())
  })
  return { url, notify }
}
