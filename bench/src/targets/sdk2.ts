import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler } from '@modelcontextprotocol/server'
import { createMcpHandler as createVercelHandler } from 'mcp-handler'
import { listen, type RunningTarget } from './running-target.ts'
import { createServer2, registerTools2 } from './server2.ts'

/** SDK 2.x with sessions on `node:http`: a map of transports. */
export async function startOnNode({ json = false } = {}): Promise<RunningTarget> {
  const transports = new Map<string, NodeStreamableHTTPServerTransport>()

  async function open(): Promise<NodeStreamableHTTPServerTransport> {
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      enableJsonResponse: json,
      onsessioninitialized: (sessionId) => void transports.set(sessionId, transport),
    })
    transport.onclose = () => void transports.delete(transport.sessionId ?? '')
    await createServer2().connect(transport)
    return transport
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const sessionId = request.headers['mcp-session-id']
    const known = typeof sessionId === 'string' ? transports.get(sessionId) : undefined
    if (sessionId !== undefined && !known) return void response.writeHead(404).end()
    await (known ?? (await open())).handleRequest(request, response)
  }

  return {
    url: await listen((request, response) => {
      serve(request, response).catch(() => response.destroy())
    }),
  }
}

/** `createMcpHandler` of SDK 2.x, which serves clients of 2025 without sessions. */
export function startHandler(): Promise<RunningTarget> {
  return startFetchHandler(createMcpHandler(createServer2))
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
