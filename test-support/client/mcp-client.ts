import type { Agent } from 'node:http'
import type { Json } from './event-reader.ts'
import { type Reply, type SendOptions, send } from './reply.ts'

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
