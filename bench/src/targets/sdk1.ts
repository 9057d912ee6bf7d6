import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { InMemoryEventStore } from '@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js'
import express from 'express'
import { listen, type RunningTarget } from './running-target.ts'
import { createServer1 } from './server1.ts'

export interface Sdk1Options {
  readonly json?: boolean
  /** With the event store of the SDK's example, one for all sessions. */
  readonly resumable?: boolean
}

/** The pattern of the SDK's documentation: a map of transports. */
function createSessions({ json = false, resumable = false }: Sdk1Options) {
  const transports = new Map<string, StreamableHTTPServerTransport>()
  const eventStore = new InMemoryEventStore()

  async function open(): Promise<StreamableHTTPServerTransport> {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      enableJsonResponse: json,
      ...(resumable && { eventStore }),
      onsessioninitialized: (sessionId) => void transports.set(sessionId, transport),
    })
    transport.onclose = () => void transports.delete(transport.sessionId ?? '')
    await createServer1().connect(transport as Parameters<ReturnType<typeof createServer1>['connect']>[0])
    return transport
  }

  return async (request: IncomingMessage, response: ServerResponse, body?: unknown): Promise<void> => {
    const sessionId = request.headers['mcp-session-id']
    const known = typeof sessionId === 'string' ? transports.get(sessionId) : undefined
    if (known) return known.handleRequest(request, response, body)
    if (sessionId !== undefined) return void response.writeHead(404).end()
    // Without a parser the transport reads the body itself, and tells what is no initialize.
    if (body !== undefined && !isInitializeRequest(body)) return void response.writeHead(400).end()
    await (await open()).handleRequest(request, response, body)
  }
}

export async function startOnNode(options: Sdk1Options = {}): Promise<RunningTarget> {
  const handle = createSessions(options)
  return {
    url: await listen((request, response) => {
      handle(request, response).catch(() => response.destroy())
    }),
  }
}

/** With Express's JSON parser in front, as the SDK's examples have it; its default limit of 100 KiB would refuse W5. */
export async function startOnExpress(options: Sdk1Options = {}): Promise<RunningTarget> {
  const handle = createSessions(options)
  const app = express().use(express.json({ limit: '4mb' }))
  app.all('/mcp', (request, response, next) => {
    handle(request, response, request.body).catch(next)
  })
  return { url: await listen(app) }
}
