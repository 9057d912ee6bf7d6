import { Agent, type ClientRequest, type IncomingMessage, request as plainRequest } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import { type RoleTools, withCastTools } from '../roles.ts'
import { Exchange, headerLines } from './exchange.ts'
import { isObject } from './json-rpc.ts'
import type { Pace } from './pace.ts'
import type { Transcript } from './transcript.ts'
import { patienceMs, within } from './waiting.ts'

/** `undefined` leaves a default header out; an array is sent as that many lines. Names keep their case. */
export type HeaderChanges = Readonly<Record<string, string | readonly string[] | undefined>>

export interface RequestOptions {
  readonly headers?: HeaderChanges | undefined
  /** Added to the URL of the endpoint: `?x=1`. */
  readonly query?: string
  /** A JSON value, or the bytes themselves. */
  readonly body?: unknown
  /** Sends the body in these pieces, without Content-Length. Stops when the answer comes. */
  readonly chunks?: Iterable<Uint8Array>
  /** Keeps the connection, to be used again. Without it each exchange has its own. */
  readonly agent?: Agent
  /** Limit for the head of the answer, in milliseconds. */
  readonly headMs?: number
  /** Takes 429 and 503 as answers, where the check asks for too much on purpose. */
  readonly unpaced?: boolean
}

export interface SentRequest {
  readonly method: string
  /** Names and values in turn. */
  readonly headers: readonly string[]
  readonly body: Buffer | undefined
}

/** An exchange, and what was sent for it. */
export interface SentExchange extends SentRequest {
  readonly exchange: Exchange
}

/** What is the same for all requests of a run. */
export interface ClientSettings {
  /** Checks call tools by their roles; here these become the tools of the server under test. */
  readonly roles?: RoleTools
  /** Sent with every request that does not name the same header itself: credentials, and what a gateway wants. */
  readonly headers?: HeaderChanges
  readonly pace?: Pace
  /** What the way to the server costs by itself: added to waits that are short because a server is quick. */
  readonly roundTripMs?: number
  /** Sees every request before it is sent: what a server does with it may come on another stream first. */
  readonly onRequest?: (request: SentRequest) => void
  /** Sees every exchange when its head has come. */
  readonly onExchange?: (sent: SentExchange) => void
}

/** Sends requests and remembers them, so that all can be ended at once. */
export class HttpClient {
  readonly url: URL
  readonly transcript: Transcript
  readonly settings: ClientSettings
  readonly #open = new Set<ClientRequest>()
  readonly #agents = new Set<Agent>()

  /** Throws `TypeError` for a URL that names a user: what is in URLs stands in reports, and Node would not send it. */
  constructor(url: URL, transcript: Transcript, settings: ClientSettings = {}) {
    expectNoUser(url)
    this.url = url
    this.transcript = transcript
    this.settings = settings
  }

  /** An agent that keeps one connection. */
  keepAlive(): Agent {
    const options = { keepAlive: true, maxSockets: 1 }
    const agent = this.#isSecure ? new SecureAgent(options) : new Agent(options)
    this.#agents.add(agent)
    return agent
  }

  /** Sends a request; resolves when the head of the answer has come. */
  async send(method: string, options: RequestOptions = {}): Promise<Exchange> {
    const once = () => {
      const { exchange } = this.start(method, options)
      return within(exchange, options.headMs ?? patienceMs, `The head of the answer to ${method}`)
    }
    const isOnce = options.unpaced === true || options.chunks !== undefined
    const { pace } = this.settings
    return await (pace === undefined || isOnce ? once() : pace.send(once))
  }

  /** Sends a request; `abort` drops it even before the head has come. */
  start(method: string, options: RequestOptions = {}): { exchange: Promise<Exchange>; abort: () => void } {
    const body = toBytes(withCastTools(options.body, this.settings.roles ?? noRoles))
    const headers = this.#headerList(body, options.headers)
    const path = `${this.url.pathname}${options.query ?? this.url.search}`
    const sent = this.transcript.addRequest({
      method,
      url: new URL(path, this.url).href,
      rawHeaders: headers,
      body,
      inPieces: options.chunks !== undefined,
    })
    const what = `#${sent.number} ${method}`
    this.transcript.add(() => `→ ${what} ${path} ${headerLines(headers)} ${body?.toString('utf8') ?? ''}`)
    this.settings.onRequest?.({ method, headers, body })
    const startedAt = performance.now()
    const send = this.#isSecure ? secureRequest : plainRequest
    const request = send(this.url, { method, path, headers, agent: options.agent ?? false })
    this.#open.add(request)
    request.once('close', () => this.#open.delete(request))
    const abort = () => void request.destroy()
    const exchange = new Promise<Exchange>((resolve, reject) => {
      request.on('error', reject)
      request.once('response', (response) => {
        const head = {
          status: response.statusCode ?? 0,
          rawHeaders: response.rawHeaders,
          httpVersion: response.httpVersion,
        }
        sent.sessionId = response.headers['mcp-session-id']?.toString()
        const made = new Exchange(head, { what, startedAt, transcript: this.transcript, abort })
        feed(made, response)
        this.settings.onExchange?.({ method, headers, body, exchange: made })
        resolve(made)
      })
    })
    // Whoever starts without waiting must not bring the process down by a refused connection.
    exchange.catch(() => undefined)
    if (options.chunks === undefined) request.end(body)
    else void writeAll(request, options.chunks)
    return { exchange, abort }
  }

  /** Drops every connection that is still open. */
  close(): void {
    for (const request of this.#open) request.destroy()
    for (const agent of this.#agents) agent.destroy()
  }

  /** The Host that requests carry: that of the URL, unless the user has named another for all of them. */
  get host(): string {
    const all = Object.entries(this.settings.headers ?? {})
    const named = all.find(([name]) => name.toLowerCase() === 'host')?.[1]
    return typeof named === 'string' ? named : this.url.host
  }

  get #isSecure(): boolean {
    return this.url.protocol === 'https:'
  }

  #headerList(body: Buffer | undefined, changes: HeaderChanges = {}): string[] {
    const list: string[] = []
    const changed = new Set(Object.keys(changes).map((name) => name.toLowerCase()))
    const always = Object.entries(this.settings.headers ?? {}).filter(([name]) => !changed.has(name.toLowerCase()))
    const headers = [...always, ...Object.entries(changes)]
    const named = new Set(headers.map(([name]) => name.toLowerCase()))
    const keep = (name: string, value: string) => {
      if (!named.has(name.toLowerCase())) list.push(name, value)
    }
    keep('Host', this.url.host)
    for (const [name, value] of headers) {
      for (const line of typeof value === 'string' ? [value] : (value ?? [])) list.push(name, line)
    }
    if (body !== undefined) keep('Content-Length', String(body.length))
    return list
  }
}

export function expectNoUser({ username, password }: URL): void {
  if (username === '' && password === '') return
  throw new TypeError(
    'Expected a URL without a user name and password, which every report would show: ' +
      'send them in a header, "Authorization: Basic …"',
  )
}

const noRoles: RoleTools = new Map()

function toBytes(body: unknown): Buffer | undefined {
  if (body === undefined) return undefined
  if (body instanceof Uint8Array) return Buffer.from(body)
  if (typeof body === 'string') return Buffer.from(body, 'utf8')
  if (isObject(body) || Array.isArray(body)) return Buffer.from(JSON.stringify(body), 'utf8')
  throw new TypeError('Expected body to be an object, an array, text or bytes')
}

function feed(exchange: Exchange, response: IncomingMessage): void {
  response.on('data', (chunk: Buffer) => exchange.push(chunk))
  response.once('end', () => exchange.end())
  response.once('error', (error) => exchange.end(error))
  response.once('close', () => exchange.end(new Error('the connection broke before the body was complete')))
}

async function writeAll(request: ClientRequest, chunks: Iterable<Uint8Array>): Promise<void> {
  let stopped = false
  let wake: () => void = () => undefined
  const stop = () => {
    stopped = true
    wake()
  }
  request.once('response', stop).once('close', stop)
  request.on('drain', () => wake())
  for (const chunk of chunks) {
    const resumed = new Promise<void>((resolve) => {
      wake = resolve
    })
    if (request.write(chunk)) setImmediate(wake)
    await resumed
    if (stopped) break
  }
  if (!request.destroyed) request.end()
}
