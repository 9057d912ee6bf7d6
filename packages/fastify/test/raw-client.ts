import { once } from 'node:events'
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { gunzipSync } from 'node:zlib'

/** An MCP client on `node:http`, with its own reading of SSE: it shares no code with what it tests. */

export type Json = Record<string, unknown>

export interface SendOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  /** An object is sent as JSON. */
  readonly body?: unknown
}

/** Sends a request and resolves with the head of its reply. */
export async function send(url: string, options: SendOptions = {}): Promise<Reply> {
  const outgoing = begin(url, options)
  outgoing.end(typeof options.body === 'object' ? JSON.stringify(options.body) : options.body)
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return new Reply(response, outgoing)
}

/** A request whose body is written by the caller, and which may be destroyed. */
export function begin(url: string, { method = 'POST', headers = {} }: SendOptions = {}): ClientRequest {
  const accept = 'application/json, text/event-stream'
  const outgoing = request(url, {
    method,
    headers: { accept, ...(method === 'POST' && { 'content-type': 'application/json' }), ...headers },
  })
  // Leaving on purpose is no fault.
  return outgoing.on('error', () => undefined)
}

/** The head of a reply, and ways to read its body. */
export class Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly response: IncomingMessage
  readonly #request: ClientRequest
  #events: EventReader | undefined

  constructor(response: IncomingMessage, outgoing: ClientRequest) {
    this.status = response.statusCode as number
    this.headers = response.headers
    this.response = response.on('error', () => undefined)
    this.#request = outgoing
  }

  async text(): Promise<string> {
    const chunks: Buffer[] = []
    for await (const chunk of this.response) chunks.push(chunk as Buffer)
    const bytes = Buffer.concat(chunks)
    return (this.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString()
  }

  async json(): Promise<Json> {
    return JSON.parse(await this.text()) as Json
  }

  get events(): EventReader {
    this.#events ??= new EventReader(this.response)
    return this.#events
  }

  /** The JSON-RPC response, whichever way it came. */
  async answer(): Promise<Json> {
    if (this.headers['content-type'] !== 'text/event-stream') return this.json()
    for (;;) {
      const { message } = await this.events.next()
      if (!('method' in message)) return message
    }
  }

  leave(): void {
    this.#request.destroy()
  }
}

export interface SseEvent {
  readonly id: string | undefined
  readonly message: Json
  /** When its last byte arrived, by `performance.now()`. */
  readonly at: number
}

/** Reads an event stream as its bytes arrive. */
export class EventReader {
  /** Resolves when the stream has ended, cleanly or not. */
  readonly ended: Promise<void>
  readonly #events: SseEvent[] = []
  readonly #waiting: { resolve: (event: SseEvent) => void; reject: (error: Error) => void }[] = []
  #over = false
  #partial = ''

  constructor(response: IncomingMessage) {
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => this.#read(chunk))
    this.ended = new Promise((resolve) => {
      response.once('close', () => {
        this.#over = true
        for (const { reject } of this.#waiting.splice(0)) reject(new Error('The event stream has ended'))
        resolve()
      })
    })
  }

  /** The next event that carries a message. */
  next(): Promise<SseEvent> {
    const event = this.#events.shift()
    if (event) return Promise.resolve(event)
    if (this.#over) return Promise.reject(new Error('The event stream has ended'))
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  #read(chunk: string): void {
    const blocks = (this.#partial + chunk).split('\n\n')
    this.#partial = blocks.pop() as string
    for (const block of blocks) this.#dispatch(block.split('\n'))
  }

  #dispatch(lines: readonly string[]): void {
    const field = (name: string): string | undefined =>
      lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
    const data = field('data')
    if (!data) return
    const event: SseEvent = { id: field('id'), message: JSON.parse(data) as Json, at: performance.now() }
    const waiting = this.#waiting.shift()
    if (waiting) waiting.resolve(event)
    else this.#events.push(event)
  }
}

export const initializeMessage = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
}

export const ping = { jsonrpc: '2.0', id: 'ping', method: 'ping' }

/** One MCP session. */
export class McpClient {
  readonly url: string
  readonly headers: Record<string, string>
  #requestId = 0

  private constructor(url: string, headers: Record<string, string>) {
    this.url = url
    this.headers = headers
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<McpClient> {
    const reply = await send(url, { headers, body: initializeMessage })
    if (reply.status !== 200) throw new Error(`initialize was answered ${reply.status}: ${await reply.text()}`)
    await reply.answer()
    const sessionId = reply.headers['mcp-session-id'] as string
    const client = new McpClient(url, {
      ...headers,
      'mcp-session-id': sessionId,
      'mcp-protocol-version': '2025-11-25',
    })
    await (await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' })).text()
    return client
  }

  post(body: unknown, headers: Record<string, string> = {}): Promise<Reply> {
    return send(this.url, { body, headers: { ...this.headers, ...headers } })
  }

  get(headers: Record<string, string> = {}): Promise<Reply> {
    return send(this.url, { method: 'GET', headers: { ...this.headers, ...headers } })
  }

  delete(headers: Record<string, string> = {}): Promise<Reply> {
    return send(this.url, { method: 'DELETE', headers: { ...this.headers, ...headers } })
  }

  /** The head of the reply to a tool call. */
  call(name: string, args: Json = {}, headers: Record<string, string> = {}): Promise<Reply> {
    return this.post(this.callMessage(name, args), headers)
  }

  callMessage(name: string, args: Json = {}): Json {
    return { jsonrpc: '2.0', id: ++this.#requestId, method: 'tools/call', params: { name, arguments: args } }
  }

  /** What a tool returned, as text. */
  async textOf(name: string, args: Json = {}, headers: Record<string, string> = {}): Promise<string> {
    return toText(await (await this.call(name, args, headers)).answer())
  }
}

/** The text of a tool's result. */
export function toText(response: Json): string {
  const result = response.result as { content: { text: string }[] } | undefined
  const text = result?.content[0]?.text
  if (text === undefined) throw new Error(`Expected a result with text, got ${JSON.stringify(response)}`)
  return text
}
