import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2'
import { expect, onTestFinished } from 'vitest'
import { initializeMessage } from './mcp-client.ts'
import { acceptBoth } from './reply.ts'

type Head = IncomingHttpHeaders & { readonly ':status'?: number }

/** The head of a reply, and its body. */
export class Http2Reply {
  readonly status: number | undefined
  readonly headers: Head
  readonly stream: ClientHttp2Stream

  constructor(headers: Head, stream: ClientHttp2Stream) {
    this.status = headers[':status']
    this.headers = headers
    this.stream = stream
  }

  async text(): Promise<string> {
    let text = ''
    for await (const chunk of this.stream) text += chunk
    return text
  }
}

/** One connection of HTTP/2 without TLS to an endpoint at `/mcp`. */
export class Http2Client {
  readonly session: ClientHttp2Session

  /** To a port of loopback; ends with the test. */
  constructor(port: number) {
    this.session = connect(`http://127.0.0.1:${port}`)
    onTestFinished(() => this.session.destroy())
  }

  /** Opens an MCP session, and resolves with what its requests have to carry. */
  async open(): Promise<Record<string, string>> {
    const reply = await this.ask('POST', {}, initializeMessage)
    expect(reply.status).toBe(200)
    await reply.text()
    const headers = { 'mcp-session-id': reply.headers['mcp-session-id'] as string }
    const accepted = await this.ask('POST', headers, { jsonrpc: '2.0', method: 'notifications/initialized' })
    expect([accepted.status, await accepted.text()]).toEqual([202, ''])
    return headers
  }

  /** Sends a request, and resolves with the head of its reply. */
  async ask(method: string, headers: IncomingHttpHeaders = {}, body?: unknown): Promise<Http2Reply> {
    const stream = this.begin(method, headers)
    stream.end(body === undefined ? undefined : JSON.stringify(body))
    const [head] = (await once(stream, 'response')) as [Head]
    return new Http2Reply(head, stream)
  }

  /** A request whose body is written by the caller, and which may be closed. */
  begin(method: string, headers: IncomingHttpHeaders = {}): ClientHttp2Stream {
    const type = method === 'POST' && { 'content-type': 'application/json' }
    const pseudo = { ':method': method, ':path': '/mcp' }
    const stream = this.session.request({ ...pseudo, accept: acceptBoth, ...type, ...headers })
    // Leaving on purpose is no fault.
    stream.on('error', () => undefined)
    return stream.setEncoding('utf8')
  }
}
