import { errors, Pool } from 'undici'
import type { ServerProcess } from '../server-process.ts'
import { initializedText, initializeText, protocolVersion, readMessages } from './messages.ts'

/** Header fields of a request in a session; those of the target too. */
export type Headers = Readonly<Record<string, string>>

export interface Reply {
  readonly status: number
  readonly text: string
  readonly sessionId: string | undefined
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

  constructor({ url, target }: ServerProcess, connections: number) {
    const { origin, pathname } = new URL(url)
    // A connection that the server closes between slices would fail the first request of the next one.
    this.#pool = new Pool(origin, { connections, pipelining: 1, keepAliveTimeout: 1_000, keepAliveMaxTimeout: 1_000 })
    this.#path = pathname
    this.#headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...target.headers,
    }
  }

  /** What a request outside of this client has to send. */
  headersOf(session: Headers): Headers {
    return { ...this.#headers, ...session }
  }

  async send(method: 'POST' | 'GET' | 'DELETE', session: Headers, body?: string): Promise<Reply> {
    const headers = { ...this.#headers, ...session }
    const response = await this.#pool.request({ path: this.#path, method, headers, body: body ?? null })
    const sessionId = response.headers['mcp-session-id']
    const text = await response.body.text()
    return { status: response.statusCode, text, sessionId: typeof sessionId === 'string' ? sessionId : undefined }
  }

  /** As `send`, but hands over the body as it comes, until it ends, the reader returns `false` or nothing comes. */
  async stream(method: 'POST' | 'GET', { session, body, silenceMs, onChunk }: StreamRequest): Promise<void> {
    const headers = { ...this.#headers, ...session }
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
