import { McpServer, type McpServerOptions } from '@modelcontextprotocol/server'
import { onTestFinished } from 'vitest'
import { TestClient } from '../../../test-support/in-process/test-client.ts'
import type { RequestOptions } from '../../../test-support/in-process/test-request.ts'
import { createEndpoint, type Endpoint, type EndpointOptions, type HttpReply } from '../src/index.ts'

export const modernVersion = '2026-07-28'

const prefix = 'io.modelcontextprotocol/'

/** `_meta` of a request of 2026-07-28. */
export function toMeta(version: string = modernVersion, capabilities: object = {}): Record<string, unknown> {
  return { [`${prefix}protocolVersion`]: version, [`${prefix}clientCapabilities`]: capabilities }
}

export type Register = (server: McpServer) => void

const listChanged = { listChanged: true }

/** A server object of SDK 2.x that announces every change there is. */
export function createServer(register: Register = () => undefined, options: McpServerOptions = {}): McpServer {
  const server = new McpServer(
    { name: 'modern', version: '1' },
    {
      capabilities: { tools: listChanged, prompts: listChanged, resources: { ...listChanged, subscribe: true } },
      ...options,
    },
  )
  server.registerTool('plain', { description: 'Answers at once.' }, () => ({ content: [{ type: 'text', text: 'ok' }] }))
  register(server)
  return server
}

/** An endpoint of both eras that ends with the test, and what its `onError` was told. */
export function createModernEndpoint(
  register?: Register,
  options: Partial<EndpointOptions> = {},
): { endpoint: Endpoint; errors: unknown[] } {
  const errors: unknown[] = []
  const endpoint = createEndpoint({
    server: () => createServer(register),
    onError: (error) => errors.push(error),
    ...options,
  })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  return { endpoint, errors }
}

/** A client of 2026-07-28, without HTTP. */
export class ModernClient extends TestClient {
  #lastId = 0

  async ask(method: string, params: Record<string, unknown> = {}, options: RequestOptions = {}): Promise<HttpReply> {
    const { name, uri } = params
    const mirrored = typeof name === 'string' ? name : uri
    const headers = {
      'mcp-protocol-version': modernVersion,
      'mcp-method': method,
      ...(typeof mirrored === 'string' && { 'mcp-name': mirrored }),
      ...options.headers,
    }
    const id = ++this.#lastId
    const body = { jsonrpc: '2.0', id, method, params: { _meta: toMeta(), ...params } }
    return this.post(body, { ...options, headers })
  }

  listen(notifications: Record<string, unknown>, options?: RequestOptions): Promise<HttpReply> {
    return this.ask('subscriptions/listen', { notifications }, options)
  }
}
