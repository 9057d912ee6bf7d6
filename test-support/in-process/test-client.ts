import { setImmediate as turn } from 'node:timers/promises'
import type { AuthInfo, Endpoint, HttpReply } from '../../packages/core/src/index.ts'
import { TestReader } from './test-reader.ts'
import { type RequestOptions, TestRequest } from './test-request.ts'
import type { Message } from './test-server.ts'

/** A client of an endpoint, without HTTP. */
export class TestClient {
  readonly endpoint: Endpoint
  sessionId = ''
  auth: AuthInfo | undefined

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint
  }

  async post(body: unknown, options: RequestOptions = {}): Promise<HttpReply> {
    const reply = await this.endpoint.handle(this.request('POST', { body, ...options }))
    await turn()
    return reply
  }

  get(lastEventId?: string): Promise<HttpReply> {
    return this.endpoint.handle(
      this.request('GET', lastEventId === undefined ? {} : { headers: { 'last-event-id': lastEventId } }),
    )
  }

  delete(): Promise<HttpReply> {
    return this.endpoint.handle(this.request('DELETE'))
  }

  request(method: string, options: RequestOptions = {}): TestRequest {
    const session = this.sessionId === '' ? {} : { 'mcp-session-id': this.sessionId }
    return new TestRequest(method, { auth: this.auth, ...options, headers: { ...session, ...options.headers } })
  }

  call(
    method: string,
    params: Record<string, unknown> = {},
    id: string | number = 1,
    options: RequestOptions = {},
  ): Promise<HttpReply> {
    return this.post({ jsonrpc: '2.0', id, method, params }, options)
  }

  async read(lastEventId?: string): Promise<TestReader> {
    return TestReader.open(await this.get(lastEventId))
  }
}

export async function openSession(
  endpoint: Endpoint,
  options: { version?: string; auth?: AuthInfo; initialized?: boolean } = {},
): Promise<TestClient> {
  const client = new TestClient(endpoint)
  client.auth = options.auth
  const reply = await client.call('initialize', toInitializeParams(options.version))
  if (reply.status !== 200) throw new Error(`initialize was answered ${reply.status}: ${String(reply.body)}`)
  client.sessionId = reply.headers['mcp-session-id'] ?? ''
  if (options.initialized !== false) await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' })
  return client
}

export function toInitializeParams(protocolVersion = '2025-11-25'): Record<string, unknown> {
  return { protocolVersion, capabilities: {}, clientInfo: { name: 'test', version: '1' } }
}

export function toJson(reply: HttpReply): Message {
  return JSON.parse(reply.body as string) as Message
}
