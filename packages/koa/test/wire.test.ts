import { createServer } from 'node:http2'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import { type EndpointOptions, mcp } from '@throughline/mcp-http-koa'
import type { Middleware } from 'koa'
import { describe, expect, test } from 'vitest'
import { describeClosing } from '../../../test-support/adapters/describe-closing.ts'
import { describeConnections } from '../../../test-support/adapters/describe-connections.ts'
import { describeHttp2 } from '../../../test-support/adapters/describe-http2.ts'
import { describeSlowReaders } from '../../../test-support/adapters/describe-slow-readers.ts'
import { start } from '../../../test-support/adapters/start.ts'
import { McpClient, ping } from '../../../test-support/client/mcp-client.ts'
import { RawConnection, type RawRequest, type RawResponse } from '../../../test-support/client/raw-connection.ts'
import { endpointWith } from '../../../test-support/endpoints.ts'
import { listen } from '../../../test-support/listen.ts'
import { adapters, serve } from './adapter.ts'

for (const adapter of adapters) {
  describeConnections(adapter)
  describeClosing(adapter)
  describeSlowReaders(adapter)
  describeHttp2(adapter.name, (endpoint) =>
    serve(new adapter.framework().use(mcp(endpoint)), (listener) => createServer(listener as never)),
  )
}

const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' }
const unknownSession = 'u'.repeat(32)

/** Requests of one session, in order, on one connection. */
function exchanges(sessionId: string): readonly RawRequest[] {
  const headers = { 'mcp-session-id': sessionId, 'mcp-protocol-version': '2025-11-25' }
  return [
    { method: 'POST', headers, body: initialized },
    { method: 'POST', headers, body: ping },
    { method: 'POST', headers, body: { ...ping, method: 'no/such/method' } },
    { method: 'POST', headers, body: { jsonrpc: '1.0' } },
    { method: 'POST', headers, body: '{"jsonrpc"' },
    { method: 'POST', headers, body: '' },
    { method: 'POST', headers: { ...headers, 'mcp-session-id': unknownSession }, body: ping },
    { method: 'POST', body: ping },
    { method: 'POST', headers: { ...headers, 'mcp-protocol-version': '1999-01-01' }, body: ping },
    { method: 'POST', headers: { ...headers, accept: 'text/html' }, body: ping },
    { method: 'POST', headers: { ...headers, 'content-type': 'text/plain' }, body: ping },
    { method: 'POST', headers: { ...headers, origin: 'https://evil.example' }, body: ping },
    { method: 'POST', headers: { ...headers, host: 'evil.example' }, body: ping },
    { method: 'POST', headers, body: JSON.stringify({ ...ping, params: { filler: 'x'.repeat(5_000) } }) },
    { method: 'GET', headers: { ...headers, 'last-event-id': 'not ours' } },
    { method: 'GET', headers: { ...headers, accept: 'application/json' } },
    { method: 'GET' },
    { method: 'HEAD', headers },
    { method: 'PUT', headers, body: ping },
    { method: 'PATCH', headers, body: ping },
    { method: 'OPTIONS', headers },
    { method: 'TRACE', headers },
    { method: 'DELETE' },
    { method: 'DELETE', headers: { ...headers, 'mcp-session-id': unknownSession } },
    { method: 'DELETE', headers },
    { method: 'POST', headers, body: ping },
  ]
}

const options: Partial<EndpointOptions> = { maxBodyBytes: 4_000 }

/** All but what differs from one moment to the next. */
function comparable({ headers, ...rest }: RawResponse): unknown {
  const { date: _date, ...others } = headers
  return { ...rest, headers: others }
}

async function openSession(port: number): Promise<string> {
  const { headers } = await McpClient.open(`http://127.0.0.1:${port}/mcp`)
  return headers['mcp-session-id'] as string
}

async function runExchanges(port: number): Promise<unknown[]> {
  const connection = await RawConnection.open(port)
  const responses: unknown[] = []
  for (const request of exchanges(await openSession(port))) {
    responses.push([request.method, comparable(await connection.ask(request))])
  }
  connection.socket.destroy()
  return responses
}

describe.each(adapters)('$name on the wire', (adapter) => {
  test('answers like the bare Node mount, on one connection', async () => {
    const bare = await listen(toNodeHandler(endpointWith({}, options)))
    const koa = await start(adapter, { options })
    expect(await runExchanges(koa.port)).toEqual(await runExchanges(bare.port))
  })

  test('gives the same answers when middleware in front has set a JSON type and a status', async () => {
    const meddle: Middleware = (ctx, next) => {
      ctx.type = 'json'
      ctx.status = 418
      ctx.set('X-Front', 'stays')
      return next()
    }
    const bare = await listen(toNodeHandler(endpointWith({}, options)))
    const koa = await start(adapter, { before: [meddle], options })
    const expected = (await runExchanges(bare.port)) as [string, { headers: object }][]
    for (const [, response] of expected) Object.assign(response.headers, { 'x-front': 'stays' })
    expect(await runExchanges(koa.port)).toEqual(expected)
  })
})
