import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node'
import { InMemoryEventStore } from '@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js'
import { createMcpHandler } from '@modelcontextprotocol/server'
import { createModernFixture } from '../src/fixture/modern.ts'
import { listen, type RunningPeer } from './listen.ts'

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ jsonrpc: '2.0', error: { code: -32000, message }, id: null }))
}

/** SDK 2.x with sessions on `node:http`: a map of transports, and one event store for all. */
export async function startSdk2OnNode(): Promise<RunningPeer> {
  const fixture = createModernFixture({ completions: false })
  // The store's interface is the same in both majors; only 1.x has an example of it.
  const eventStore = new InMemoryEventStore()
  const transports = new Map<string, NodeStreamableHTTPServerTransport>()
  const open = async (): Promise<NodeStreamableHTTPServerTransport> => {
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      eventStore,
      retryInterval: 500,
      onsessioninitialized: (id) => void transports.set(id, transport),
    })
    transport.onclose = () => void transports.delete(transport.sessionId ?? '')
    await fixture.createServer().connect(transport)
    return transport
  }
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const id = request.headers['mcp-session-id']
    const known = typeof id === 'string' ? transports.get(id) : undefined
    if (id !== undefined && known === undefined) return refuse(response, 404, 'Session not found')
    await (known ?? (await open())).handleRequest(request, response)
  }
  return await listen(
    createServer((request, response) => {
      serve(request, response).catch(() => response.destroy())
    }),
  )
}

/** `createMcpHandler` of SDK 2.x: revision 2026-07-28, and older ones without sessions. */
export async function startSdk2Handler(): Promise<RunningPeer> {
  const fixture = createModernFixture({ completions: false })
  const serve = toNodeHandler(createMcpHandler(() => fixture.createServer(), { bus: fixture.bus }))
  // Its type wants a method and a URL, which requests of a server have.
  return await listen(
    createServer(
      (request, response) =>
        void serve(Object.assign(request, { method: request.method ?? '', url: request.url ?? '' }), response),
    ),
  )
}
