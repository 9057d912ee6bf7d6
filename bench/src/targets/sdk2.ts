import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, type McpServer } from '@modelcontextprotocol/server'
import { createMcpHandler as createVercelHandler } from 'mcp-handler'
import { announcement, listen, type RunningTarget } from './running-target.ts'
import { createServer2, registerTools2 } from './server2.ts'

/** SDK 2.x with sessions on `node:http`: a map of transports. */
export async function startOnNode({ json = false } = {}): Promise<RunningTarget> {
  const sessions = new Map<string, { transport: NodeStreamableHTTPServerTransport; server: McpServer }>()

  async function open(): Promise<NodeStreamableHTTPServerTransport> {
    const server = createServer2()
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      enableJsonResponse: json,
      onsessioninitialized: (sessionId) => void sessions.set(sessionId, { transport, server }),
    })
    transport.onclose = () => void sessions.delete(transport.sessionId ?? '')
    await server.connect(transport)
    return transport
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const sessionId = request.headers['mcp-session-id']
    const known = typeof sessionId === 'string' ? sessions.get(sessionId)?.transport : undefined
    if (sessionId !== undefined && !known) return void response.writeHead(404).end()
    await (known ?? (await open())).handleRequest(request, response)
  }

  const url = await listen((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })
  return {
    url,
    async notify() {
      for (const { server } of sessions.values()) await server.server.notification(announcement)
    },
  }
}

/** `createMcpHandler` of SDK 2.x, which serves clients of 2025 without sessions. */
export async function startHandler(): Promise<RunningTarget> {
  // Room for W12: it stops at 1,024 subscriptions.
  const handler = createMcpHandler(() => createServer2(), { maxSubscriptions: 100_000 })
  return { ...(await startFetchHandler(handler)), change: () => handler.notify.toolsChanged() }
}

/** `mcp-handler`, the same under a wrapper. */
export function startVercelHandler(): Promise<RunningTarget> {
  const fetch = createVercelHandler(registerTools2, { telemetry: false })
  return startFetchHandler({ fetch })
}

async function startFetchHandler(handler: Parameters<typeof toNodeHandler>[0]): Promise<RunningTarget> {
  const serve = toNodeHandler(handler)
  return {
    url: await listen(
      (request, response) =>
        void serve(Object.assign(request, { method: request.method ?? '', url: request.url ?? '' }), response),
    ),
  }
}
