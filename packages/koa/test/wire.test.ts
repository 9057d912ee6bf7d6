import { once } from 'node:events'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import { type Endpoint, type EndpointOptions, mcp } from '@throughline/mcp-http-koa'
import type { Middleware } from 'koa'
import { describe, expect, onTestFinished, test } from 'vitest'
import { initializeMessage, McpClient, ping } from '../../../test-support/client/mcp-client.ts'
import { RawConnection, type RawRequest, type RawResponse } from '../../../test-support/client/raw-connection.ts'
import { endpointWith } from '../../../test-support/endpoints.ts'
import { listen } from '../../../test-support/listen.ts'
import { cancelled, report } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { type Framework, frameworks } from './frameworks.ts'
import { collectErrors } from './test-app.ts'

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

function koaListener(framework: Framework, endpoint: Endpoint, ...before: Middleware[]): ReturnType<Koa['callback']> {
  const app = new framework()
  for (const middleware of before) app.use(middleware)
  return app.use(mcp(endpoint)).callback()
}

type Koa = InstanceType<Framework>

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

describe.each(frameworks)('%s on the wire', (_name, framework) => {
  test('answers like the bare Node mount, on one connection', async () => {
    const bare = await listen(toNodeHandler(endpointWith({}, options)))
    const koa = await listen(koaListener(framework, endpointWith({}, options)))
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
    const koa = await listen(koaListener(framework, endpointWith({}, options), meddle))
    const expected = (await runExchanges(bare.port)) as [string, { headers: object }][]
    for (const [, response] of expected) Object.assign(response.headers, { 'x-front': 'stays' })
    expect(await runExchanges(koa.port)).toEqual(expected)
  })

  test('sends the heads that the protocol asks for', async () => {
    const { port } = await listen(koaListener(framework, endpointWith()))
    const headers = { 'mcp-session-id': await openSession(port) }
    const connection = await RawConnection.open(port)
    const accepted = await connection.ask({ method: 'POST', headers, body: initialized })
    expect([accepted.line, accepted.body]).toEqual(['HTTP/1.1 202 Accepted', ''])
    expect(accepted.headers).toMatchObject({ 'content-length': '0', 'cache-control': 'no-store' })
    expect(accepted.headers).not.toHaveProperty('content-type')
    expect(accepted.headers).not.toHaveProperty('transfer-encoding')

    const answer = await connection.ask({ method: 'POST', headers, body: ping })
    expect(answer.line).toBe('HTTP/1.1 200 OK')
    expect(answer.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' })
    expect(answer.headers['content-length']).toBe(String(Buffer.byteLength(answer.body)))

    const head = await connection.ask({ method: 'HEAD', headers })
    expect([head.line, head.headers.allow]).toEqual(['HTTP/1.1 405 Method Not Allowed', 'GET, POST, DELETE'])

    const ended = await connection.ask({ method: 'DELETE', headers })
    expect(ended.line).toBe('HTTP/1.1 204 No Content')
    for (const name of ['content-length', 'content-type', 'transfer-encoding']) {
      expect(ended.headers).not.toHaveProperty(name)
    }
    expect(connection.socket.destroyed).toBe(false)
    connection.socket.destroy()
  })

  test('says Connection: close on every plain answer while it drains, and closes', async () => {
    const started = deferred()
    const endpoint = endpointWith({
      hold: async (_args, extra) => {
        started.resolve()
        await cancelled(extra)
      },
    })
    const { port } = await listen(koaListener(framework, endpoint))
    const client = await McpClient.open(`http://127.0.0.1:${port}/mcp`)
    const held = client.call('hold')
    await started.promise
    const draining = endpoint.close({ drainMs: 500 })
    expect(endpoint.closing).toBe(true)
    for (const [request, status] of [
      [{ method: 'POST', body: initializeMessage }, 503],
      [{ method: 'POST', headers: client.headers, body: initialized }, 202],
      [{ method: 'PUT' }, 405],
      [{ method: 'DELETE', headers: client.headers }, 204],
    ] as const) {
      const connection = await RawConnection.open(port)
      const answer = await connection.ask(request)
      expect([request.method, answer.status, answer.headers.connection]).toEqual([request.method, status, 'close'])
      await connection.closed
    }
    ;(await held).leave()
    await draining
  })

  test('serves HTTP/2 as well', async () => {
    const app = new framework()
    const errors = collectErrors(app)
    const endpoint = endpointWith({ say: (_args, extra) => report(extra, 'hello').then(() => 'said') })
    const server = createHttp2Server(app.use(mcp(endpoint)).callback()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    onTestFinished(() => {
      session.destroy()
      server.close()
    })
    const ask = async (method: string, headers: object, body?: object): Promise<{ head: Head; text: string }> => {
      const stream = session.request({
        ':method': method,
        ':path': '/mcp',
        accept: 'application/json, text/event-stream',
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      })
      stream.end(body && JSON.stringify(body))
      const [head] = (await once(stream, 'response')) as [Head]
      let text = ''
      for await (const chunk of stream) text += String(chunk)
      return { head, text }
    }
    const opened = await ask('POST', {}, initializeMessage)
    expect(opened.head[':status']).toBe(200)
    const headers = { 'mcp-session-id': opened.head['mcp-session-id'] }
    const accepted = await ask('POST', headers, initialized)
    expect([accepted.head[':status'], accepted.text]).toEqual([202, ''])
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'say', arguments: {} } }
    const { head, text } = await ask('POST', headers, call)
    expect(head['content-type']).toBe('text/event-stream')
    expect(text).toContain('"text":"said"')

    const closing = endpoint.close({ drainMs: 0 })
    const late = await ask('DELETE', headers)
    expect(late.head).not.toHaveProperty('connection')
    await closing
    expect(errors).toEqual([])
  })
})

type Head = Record<string, unknown>
