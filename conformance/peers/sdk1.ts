import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { InMemoryEventStore } from '@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js'
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js'
import { createFixture } from '../src/fixture/index.ts'
import { listen, type RunningPeer } from './listen.ts'

type Handle = (request: IncomingMessage, response: ServerResponse, body: unknown) => Promise<void>

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ jsonrpc: '2.0', error: { code: -32000, message }, id: null }))
}

/** The pattern of the SDK's documentation: a map of transports, and one event store for all. */
function createSessions(enableJsonResponse: boolean): Handle {
  const fixture = createFixture()
  const eventStore = new InMemoryEventStore()
  const transports = new Map<string, StreamableHTTPServerTransport>()

  const open = async (): Promise<StreamableHTTPServerTransport> => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      enableJsonResponse,
      eventStore,
      retryInterval: 500,
      onsessioninitialized: (id) => void transports.set(id, transport),
    })
    transport.onclose = () => void transports.delete(transport.sessionId ?? '')
    await fixture.createServer().connect(transport)
    return transport
  }
  return async (request, response, body) => {
    const id = request.headers['mcp-session-id']
    const known = typeof id === 'string' ? transports.get(id) : undefined
    if (known !== undefined) return await known.handleRequest(request, response, body)
    if (id !== undefined) return refuse(response, 404, 'Session not found')
    if (request.method !== 'POST') return refuse(response, 400, 'Bad Request: No valid session ID provided')
    // Without a parser the transport reads the body itself, and tells what is no initialize.
    if (body !== undefined && !isInitializeRequest(body)) return refuse(response, 400, 'Bad Request: no session')
    await (await open()).handleRequest(request, response, body)
  }
}

/** SDK 1.x as its example mounts it: Express, with the JSON parser and Host check of `createMcpExpressApp`. */
export async function startSdk1OnExpress({ json = false } = {}): Promise<RunningPeer> {
  const app = createMcpExpressApp()
  // Keeps Express from printing a stack for each refusal; answers are the same.
  app.set('env', 'test')
  const handle = createSessions(json)
  app.all('/mcp', (request, response, next) => {
    handle(request, response, request.body).catch(next)
  })
  return await listen(createServer(app))
}

/** SDK 1.x on `node:http`, without a body parser. */
export async function startSdk1OnNode({ json = false } = {}): Promise<RunningPeer> {
  const handle = createSessions(json)
  return await listen(
    createServer((request, response) => {
      handle(request, response, undefined).catch(() => response.destroy())
    }),
  )
}
