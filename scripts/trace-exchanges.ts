import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { createEndpoint, McpServerLike } from '../packages/core/src/index.ts'
import type { toNodeHandler } from '../packages/core/src/node/index.ts'

/** What serves the exchanges. */
export interface Core {
  readonly createEndpoint: typeof createEndpoint
  readonly toNodeHandler: typeof toNodeHandler
}

/**
 * `json`: a call that is answered at once. `progress`: one with three progress events before its answer. `resume`: a GET
 * after the second of these, when the call is over. `delete`: the session ends.
 */
export const exchangeNames = ['json', 'progress', 'resume', 'delete'] as const

export type ExchangeName = (typeof exchangeNames)[number]

/** Resolves when the answer was read. */
type Exchange = () => Promise<unknown>

/** Is given an exchange to do, which resolves when the server is through with it. */
type Watch = (name: string, exchange: () => Promise<void>) => Promise<void>

interface Answer {
  readonly status: number
  readonly sessionId: string | undefined
  readonly text: string
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly name?: string }
}

type Send = (message: object, options: { relatedRequestId: number }) => Promise<void>

interface Transport {
  onmessage?: (message: Message) => void
  readonly send: Send
  start(): Promise<void>
}

const protocolVersion = '2025-11-25'
const progressToken = 'token'
const progressEvents = 3

/** Exchanges of each kind before the one that is watched: whatever is made once is made by then. */
const warmUps = 5

/** Drives an endpoint over loopback, with default options. Each kind of exchange is watched once, warmed up. */
export async function driveExchanges(core: Core, watch: Watch): Promise<void> {
  const served = await serve(core)
  const client = new Client(served.url)
  for (let round = 0; round <= warmUps; round++) {
    await client.open()
    for (const [name, exchange] of Object.entries(exchangesOf(client))) {
      const settled = async () => {
        await exchange()
        await served.settled()
      }
      await (round === warmUps ? watch(name, settled) : settled())
    }
  }
  await served.close()
}

interface Served {
  readonly url: string
  /** Resolves when the latest response has closed, and what listens to that was told. */
  settled(): Promise<void>
  close(): Promise<void>
}

async function serve({ createEndpoint, toNodeHandler }: Core): Promise<Served> {
  const endpoint = createEndpoint({ server: () => new BareServer() })
  const handle = toNodeHandler(endpoint)
  let closed: Promise<unknown> = Promise.resolve()
  const server = createServer((incoming, response) => {
    closed = once(response, 'close')
    void handle(incoming, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    settled: async () => {
      await closed
      await nextTurn()
    },
    close: async () => {
      await endpoint.close({ drainMs: 0 })
      server.close()
    },
  }
}

/** The exchanges of one session, in the order in which they are done. */
function exchangesOf(client: Client): Record<ExchangeName, Exchange> {
  let middle = ''
  return {
    json: () => client.call('echo'),
    progress: async () => {
      const { text } = await client.call('progress', { _meta: { progressToken } })
      middle = middleOf(text)
    },
    resume: () => client.send('GET', { 'last-event-id': middle }),
    delete: () => client.send('DELETE'),
  }
}

/** The id of the second progress event: one is left, and the answer. */
function middleOf(text: string): string {
  const ids = Array.from(text.matchAll(/^id: (.+)\ndata: .+$/gm), ([, id]) => id)
  const middle = ids[1]
  if (middle === undefined) throw new Error(`Expected ${progressEvents + 1} events, got ${text}`)
  return middle
}

/** A client with one session after the other. */
class Client {
  readonly #url: string
  #sessionId: string | undefined
  #lastId = 0

  constructor(url: string) {
    this.#url = url
  }

  async open(): Promise<void> {
    this.#sessionId = undefined
    const clientInfo = { name: 'trace', version: '1' }
    const answer = await this.#post({ method: 'initialize', params: { protocolVersion, capabilities: {}, clientInfo } })
    this.#sessionId = answer.sessionId
    await this.#post({ method: 'notifications/initialized' })
  }

  call(name: string, extra: object = {}): Promise<Answer> {
    return this.#post({ method: 'tools/call', params: { name, arguments: {}, ...extra } })
  }

  async send(method: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
    const own = this.#sessionId && { 'mcp-session-id': this.#sessionId, 'mcp-protocol-version': protocolVersion }
    const accept = method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream'
    const sent = request(this.#url, { method, headers: { accept, ...own, ...headers } })
    sent.end(body)
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    const answer = await readAnswer(response)
    if (answer.status >= 300) throw new Error(`Expected ${method} to succeed, got ${answer.status} ${answer.text}`)
    return answer
  }

  #post(message: { method: string; params?: object }): Promise<Answer> {
    const id = message.method.startsWith('notifications/') ? {} : { id: ++this.#lastId }
    return this.send(
      'POST',
      { 'content-type': 'application/json' },
      JSON.stringify({ jsonrpc: '2.0', ...id, ...message }),
    )
  }
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  const sessionId = response.headers['mcp-session-id']?.toString()
  return { status: response.statusCode ?? 0, sessionId, text: Buffer.concat(chunks).toString() }
}

/** An MCP server object without an SDK: what it enters of the core are the calls that an SDK would make. */
class BareServer implements McpServerLike {
  async connect(transport: Transport): Promise<void> {
    transport.onmessage = (message) => void answer(message, (...sent) => transport.send(...sent))
    await transport.start()
  }

  async close(): Promise<void> {
    // It holds nothing.
  }
}

/** Answers at once. Like a handler of an SDK it waits for each event to be sent, which takes no turn. */
async function answer({ id, method, params }: Message, send: Send): Promise<void> {
  if (id === undefined) return
  const related = { relatedRequestId: id }
  const total = params?.name === 'progress' ? progressEvents : 0
  for (let progress = 1; progress <= total; progress++) {
    const report = { progressToken, progress, total }
    await send({ jsonrpc: '2.0', method: 'notifications/progress', params: report }, related)
  }
  await send({ jsonrpc: '2.0', id, result: method === 'initialize' ? initialized : { content: [] } }, related)
}

const initialized = { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'trace', version: '1' } }
