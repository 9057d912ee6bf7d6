import { once } from 'node:events'
import { type Agent, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'

/** An MCP client on `node:http` and sockets, with its own reading of HTTP and SSE: it shares no code with what it tests. */

export type Json = Record<string, unknown>

export interface SendOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  /** An object is sent as JSON. */
  readonly body?: unknown
  readonly agent?: Agent
}

export const acceptBoth = 'application/json, text/event-stream'

/** Sends a request and resolves with the head of its reply. */
export async function send(url: string, options: SendOptions = {}): Promise<Reply> {
  const outgoing = begin(url, options)
  outgoing.end(typeof options.body === 'object' ? JSON.stringify(options.body) : options.body)
  return readReply(outgoing)
}

/** A request whose body is written by the caller, and which may be destroyed. */
export function begin(url: string, { method = 'POST', headers = {}, agent }: SendOptions = {}): ClientRequest {
  const outgoing = request(url, {
    method,
    headers: { accept: acceptBoth, ...(method === 'POST' && { 'content-type': 'application/json' }), ...headers },
    ...(agent && { agent }),
  })
  // Leaving on purpose is no fault.
  return outgoing.on('error', () => undefined)
}

export async function readReply(outgoing: ClientRequest): Promise<Reply> {
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return new Reply(response, outgoing)
}

export type Farewell = 'close' | 'reset'

/** Gives a request up, with all that was to come of it. */
export function leave(outgoing: ClientRequest, farewell: Farewell = 'close'): void {
  if (farewell === 'reset') outgoing.socket?.resetAndDestroy()
  else outgoing.destroy()
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
    this.response = response
    this.#request = outgoing
    response.on('error', () => undefined)
  }

  get isStream(): boolean {
    return this.headers['content-type'] === 'text/event-stream'
  }

  async text(): Promise<string> {
    const chunks: Buffer[] = []
    for await (const chunk of this.response) chunks.push(chunk as Buffer)
    return decode(Buffer.concat(chunks), this.headers['content-encoding']).toString()
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
    if (!this.isStream) return this.json()
    for (;;) {
      const { message } = await this.events.next()
      if (!('method' in message)) return message
    }
  }

  leave(farewell: Farewell = 'close'): void {
    leave(this.#request, farewell)
  }
}

function decode(bytes: Buffer, coding: string | undefined): Buffer {
  if (coding === 'gzip') return gunzipSync(bytes)
  return coding === 'br' ? brotliDecompressSync(bytes) : bytes
}

export interface SseEvent {
  readonly id: string | undefined
  readonly message: Json
  /** When its last byte arrived, by `performance.now()`. */
  readonly at: number
}

/** Reads an event stream as its bytes arrive. */
export class EventReader {
  /** Every line that came. */
  readonly lines: string[] = []
  lastEventId: string | undefined
  /** Resolves when the stream has ended, cleanly or not. */
  readonly ended: Promise<void>
  readonly #events: SseEvent[] = []
  readonly #waiting: { resolve: (event: SseEvent) => void; reject: (error: Error) => void }[] = []
  #over = false
  #partial = ''
  #id: string | undefined
  #data: string[] = []

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
    const lines = (this.#partial + chunk).split('\n')
    this.#partial = lines.pop() as string
    for (const line of lines) this.#line(line)
  }

  #line(line: string): void {
    this.lines.push(line)
    if (line.startsWith('id: ')) this.#id = line.slice(4)
    else if (line.startsWith('data: ')) this.#data.push(line.slice(6))
    else if (line === '') this.#dispatch()
  }

  #dispatch(): void {
    const data = this.#data.join('\n')
    const id = this.#id
    this.#data = []
    this.#id = undefined
    this.lastEventId = id ?? this.lastEventId
    if (data === '') return
    const event: SseEvent = { id, message: JSON.parse(data) as Json, at: performance.now() }
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
  readonly #agent: Agent | undefined
  #requestId = 0

  private constructor(url: string, headers: Record<string, string>, agent?: Agent) {
    this.url = url
    this.headers = headers
    this.#agent = agent
  }

  static async open(url: string, headers: Record<string, string> = {}, agent?: Agent): Promise<McpClient> {
    const reply = await send(url, { headers, body: initializeMessage, ...(agent && { agent }) })
    if (reply.status !== 200) throw new Error(`initialize was answered ${reply.status}: ${await reply.text()}`)
    await reply.answer()
    const sessionId = reply.headers['mcp-session-id'] as string
    const client = new McpClient(
      url,
      { ...headers, 'mcp-session-id': sessionId, 'mcp-protocol-version': '2025-11-25' },
      agent,
    )
    await (await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' })).text()
    return client
  }

  post(body: unknown, headers: Record<string, string> = {}): Promise<Reply> {
    return send(this.url, this.#with({ body, headers }))
  }

  get(headers: Record<string, string> = {}): Promise<Reply> {
    return send(this.url, this.#with({ method: 'GET', headers }))
  }

  delete(headers: Record<string, string> = {}): Promise<Reply> {
    return send(this.url, this.#with({ method: 'DELETE', headers }))
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

  #with(options: SendOptions): SendOptions {
    const headers = { ...this.headers, ...options.headers }
    return { ...options, headers, ...(this.#agent && { agent: this.#agent }) }
  }
}

/** The text of a tool's result. */
export function toText(response: Json): string {
  const result = response.result as { content: { text: string }[] } | undefined
  const text = result?.content[0]?.text
  if (text === undefined) throw new Error(`Expected a result with text, got ${JSON.stringify(response)}`)
  return text
}

export interface RawRequest {
  readonly method: string
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

export interface RawResponse {
  /** The status line. */
  readonly line: string
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
}

/** A socket on which a test writes its bytes itself. */
export class RawConnection {
  readonly socket: Socket
  readonly closed: Promise<unknown>
  #received = Buffer.alloc(0)
  #ended = false
  #wake: () => void = () => undefined

  private constructor(socket: Socket) {
    this.socket = socket
    this.closed = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    const over = (): void => {
      this.#ended = true
      this.#wake()
    }
    socket.on('end', over).on('close', over)
  }

  static async open(port: number, allowHalfOpen = false): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen })
    await once(socket, 'connect')
    socket.setNoDelay(true)
    return new RawConnection(socket)
  }

  write(text: string): void {
    this.socket.write(text)
  }

  /** Sends one request, and reads one response to the length that it declares: the next must begin right there. */
  async ask(request: RawRequest): Promise<RawResponse> {
    this.write(toRequestText(request))
    const head = await this.readHead()
    const isEmpty = request.method === 'HEAD' || head.status === 204
    return { ...head, body: await this.#readBytes(isEmpty ? 0 : Number(head.headers['content-length'])) }
  }

  /** The head of the next response; its body follows. */
  async readHead(): Promise<Omit<RawResponse, 'body'>> {
    const text = (await this.#take((bytes) => after(bytes, '\r\n\r\n'))).toString('latin1')
    const [line = '', ...fields] = text.trimEnd().split('\r\n')
    const headers: Record<string, string> = {}
    for (const field of fields) {
      const colon = field.indexOf(':')
      headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim()
    }
    return { line, status: Number(line.split(' ')[1]), headers }
  }

  async readResponse(): Promise<RawResponse> {
    const head = await this.readHead()
    return { ...head, body: await this.#readBody(head) }
  }

  /** The next chunk of a chunked body; empty: the last one. */
  async readChunk(): Promise<string> {
    const size = Number.parseInt((await this.#take((bytes) => after(bytes, '\r\n'))).toString('latin1'), 16)
    const bytes = await this.#take((received) => (received.length >= size + 2 ? size + 2 : undefined))
    return bytes.subarray(0, size).toString()
  }

  async #readBody({ status, headers }: Omit<RawResponse, 'body'>): Promise<string> {
    if (status < 200 || status === 204 || status === 304) return ''
    if (headers['transfer-encoding'] !== 'chunked') return this.#readBytes(Number(headers['content-length'] ?? 0))
    let body = ''
    for (let chunk = await this.readChunk(); chunk !== ''; chunk = await this.readChunk()) body += chunk
    return body
  }

  async #readBytes(length: number): Promise<string> {
    return (await this.#take((bytes) => (bytes.length >= length ? length : undefined))).toString()
  }

  async #take(measure: (received: Buffer) => number | undefined): Promise<Buffer> {
    for (;;) {
      const size = measure(this.#received)
      if (size !== undefined) {
        const taken = this.#received.subarray(0, size)
        this.#received = this.#received.subarray(size)
        return taken
      }
      if (this.#ended) throw new Error(`The connection ended after: ${JSON.stringify(this.#received.toString())}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

function after(bytes: Buffer, mark: string): number | undefined {
  const index = bytes.indexOf(mark)
  return index === -1 ? undefined : index + mark.length
}

/** A request head as text, ended by an empty line. */
export function toHead(method: string, path: string, headers: Record<string, string>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** A whole request as text, with the headers that the endpoint wants unless told otherwise. */
function toRequestText({ method, path = '/mcp', headers = {}, body }: RawRequest): string {
  const payload = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  const head = toHead(method, path, {
    host: 'localhost',
    accept: acceptBoth,
    ...(body !== undefined && {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(payload)),
    }),
    ...headers,
  })
  return head + payload
}
