import { errors, Pool } from 'undici'
import type { ServerProcess } from '../server-process.ts'
import { initializedText, initializeText, protocolVersion, readMessages, toCall } from './messages.ts'
import { modernRevision, toModernRequest } from './modern.ts'

/** Header fields of a request in a session; those of the target too. */
export type Headers = Readonly<Record<string, string>>

type Method = 'POST' | 'GET' | 'DELETE'

export interface Reply {
  readonly status: number
  readonly text: string
  readonly sessionId: string | undefined
}

/** A call of `echo` in full, for those that send it themselves. */
export interface EchoRequest {
  readonly headers: Headers
  readonly body: string
}

export interface StreamRequest {
  readonly session: Headers
  readonly body?: string
  /** Time without data after which the stream counts as over. */
  readonly silenceMs?: number
  readonly onChunk: (chunk: Buffer) => boolean | undefined
}

/** Speaks MCP to a server over a bounded number of kept connections. */
export class McpClient {
  readonly #pool: Pool
  readonly #path: string
  readonly #headers: Headers
  readonly #isModern: boolean

  constructor({ url, target }: Pick<ServerProcess, 'url' | 'target'>, connections: number) {
    const { origin, pathname } = new URL(url)
    // A connection that the server closes between slices would fail the first request of the next one.
    this.#pool = new Pool(origin, { connections, pipelining: 1, keepAliveTimeout: 1_000, keepAliveMaxTimeout: 1_000 })
    this.#path = pathname
    this.#isModern = target.revision === modernRevision
    this.#headers = {
      accept: 'application/json, text/event-stream',
      ...target.headers,
    }
  }

  /** What a request outside of this client has to send. Only one with a body has a type: some refuse an empty one. */
  headersOf(method: Method, session: Headers): Headers {
    return { ...this.#headers, ...(method === 'POST' && { 'content-type': 'application/json' }), ...session }
  }

  toEcho(session: Headers, id: number, text: string): EchoRequest {
    const input = { text }
    const { headers, body } = this.#isModern
      ? toModernRequest(id, 'tools/call', { name: 'echo', arguments: input })
      : { headers: session, body: toCall(id, 'echo', input) }
    return { headers: this.headersOf('POST', headers), body }
  }

  async send(method: Method, session: Headers, body?: string): Promise<Reply> {
    const headers = this.headersOf(method, session)
    const response = await this.#pool.request({ path: this.#path, method, headers, body: body ?? null })
    const sessionId = response.headers['mcp-session-id']
    const text = await response.body.text()
    return { status: response.statusCode, text, sessionId: typeof sessionId === 'string' ? sessionId : undefined }
  }

  /** As `send`, but hands over the body as it comes, until it ends, the reader returns `false` or nothing comes. */
  async stream(method: 'POST' | 'GET', { session, body, silenceMs, onChunk }: StreamRequest): Promise<void> {
    const headers = this.headersOf(method, session)
    const request = { path: this.#path, method, headers, body: body ?? null, bodyTimeout: silenceMs ?? null }
    const response = await this.#pool.request(request)
    if (response.statusCode !== 200) throw new Error(`Expected status 200, got ${response.statusCode}`)
    try {
      for await (const chunk of response.body) if (onChunk(chunk as Buffer) === false) return
    } catch (error) {
      if (!(error instanceof errors.BodyTimeoutError)) throw error
    }
  }

  /** Initializes, and gives what the session's requests send. Servers without sessions name none. */
  async open(): Promise<Headers> {
    if (this.#isModern) return this.#discover()
    const reply = await this.send('POST', {}, initializeText)
    const [answer] = readMessages(reply.text)
    if (reply.status !== 200 || !answer?.result)
      throw new Error(`initialize: ${reply.status} ${reply.text.slice(0, 200)}`)
    const session: Headers = {
      'mcp-protocol-version': protocolVersion,
      ...(reply.sessionId !== undefined && { 'mcp-session-id': reply.sessionId }),
    }
    const { status } = await this.send('POST', session, initializedText)
    if (status !== 202) throw new Error(`notifications/initialized: ${status}`)
    return session
  }

  /** What clients of 2026-07-28 begin with. @throws Error when the server does not speak it. */
  async #discover(): Promise<Headers> {
    const { headers, body } = toModernRequest(0, 'server/discover')
    const { status, text } = await this.send('POST', headers, body)
    const [answer] = readMessages(text)
    if (status === 200 && answer?.result?.supportedVersions?.includes(modernRevision)) return {}
    throw new Error(`server/discover: ${status} ${text.slice(0, 200)}`)
  }

  async end(session: Headers): Promise<void> {
    if (session['mcp-session-id'] === undefined) return
    const { status } = await this.send('DELETE', session)
    // The specification leaves the status of success open.
    if (status < 200 || status > 299) throw new Error(`DELETE: ${status}`)
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}
