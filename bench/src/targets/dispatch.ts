// What a transport that cost nothing would reach: `node:http` straight into the server object of an SDK, without any of
// the rules of Streamable HTTP.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Link, LinkedList } from '../../../packages/core/src/queues/linked-list.ts'
import { type Message, readJson, writeEvent, writeJson, writeSseHead } from './node-body.ts'
import { announcement, listen, type RunningTarget } from './running-target.ts'

type RequestId = string | number

/** Who serves clients that never say goodbye has to end sessions: the oldest, above so many. */
const maxSessions = 10_010

/** What is used of the server object. SDK 1.x and 2.x have it alike. */
export interface DispatchServer {
  connect(transport: DispatchTransport): Promise<void>
  close(): Promise<void>
  readonly server: { notification(notification: typeof announcement): Promise<void> }
}

/** A transport to SDK 1.x and 2.x both: they ask for the same. */
class DispatchTransport {
  onmessage?: (message: unknown) => void
  onclose?: () => void
  standalone: ServerResponse | undefined
  readonly newSessionId: string
  readonly #sse: boolean
  readonly #calls = new Map<RequestId, ServerResponse>()

  constructor(newSessionId: string, sse: boolean) {
    this.newSessionId = newSessionId
    this.#sse = sse
  }

  async start(): Promise<void> {
    // Messages are handed in.
  }

  async close(): Promise<void> {
    this.standalone?.end()
    this.onclose?.()
  }

  receive(message: Message, response: ServerResponse): void {
    if (message.method !== undefined && message.id !== undefined) this.#calls.set(message.id, response)
    else response.writeHead(202).end()
    this.onmessage?.(message)
  }

  async send(message: object, { relatedRequestId }: { relatedRequestId?: RequestId } = {}): Promise<void> {
    if ('method' in message) {
      const response = relatedRequestId === undefined ? this.standalone : this.#calls.get(relatedRequestId)
      if (!response) return
      if (!response.headersSent) writeSseHead(response)
      return writeEvent(response, JSON.stringify(message))
    }
    const { id } = message as { id: RequestId }
    const response = this.#calls.get(id)
    if (!response) return
    this.#calls.delete(id)
    this.#answer(response, JSON.stringify(message))
  }

  #answer(response: ServerResponse, text: string): void {
    if (!response.headersSent) {
      response.setHeader('mcp-session-id', this.newSessionId)
      if (!this.#sse) return writeJson(response, text)
      writeSseHead(response)
    }
    response.end(`data: ${text}\n\n`)
  }
}

interface Session {
  readonly transport: DispatchTransport
  readonly server: DispatchServer
}

/** `sse`: every answer is an event stream; otherwise only one that something else came before. */
export async function startDispatch(createServer: () => DispatchServer, { sse = false } = {}): Promise<RunningTarget> {
  const sessions = new Map<string, Link<Session>>()
  /** To find the first of a Map whose oldest entries go costs the more the more they are. */
  const inOrder = new LinkedList<Session>()

  async function open(): Promise<DispatchTransport> {
    const transport = new DispatchTransport(randomUUID(), sse)
    const server = createServer()
    await server.connect(transport)
    sessions.set(transport.newSessionId, inOrder.add({ transport, server }))
    const oldest = inOrder.first
    if (sessions.size > maxSessions && oldest) await end(oldest)
    return transport
  }

  async function end(link: Link<Session>): Promise<void> {
    const { transport, server } = link.item
    sessions.delete(transport.newSessionId)
    inOrder.remove(link)
    await server.close()
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const sessionId = request.headers['mcp-session-id'] as string | undefined
    if (sessionId === undefined) {
      const message = await readJson(request)
      return (await open()).receive(message, response)
    }
    const session = sessions.get(sessionId)
    if (!session) return void response.writeHead(404).end()
    const { transport } = session.item
    if (request.method === 'POST') return transport.receive(await readJson(request), response)
    if (request.method === 'GET') return openStandalone(transport, response)
    await end(session)
    response.writeHead(200).end()
  }

  const url = await listen((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })
  return {
    url,
    async notify() {
      for (const { item } of sessions.values()) await item.server.server.notification(announcement)
    },
  }
}

function openStandalone(transport: DispatchTransport, response: ServerResponse): void {
  writeSseHead(response)
  response.flushHeaders()
  transport.standalone = response
  response.on('close', () => {
    transport.standalone = undefined
  })
}
