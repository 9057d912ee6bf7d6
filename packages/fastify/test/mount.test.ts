import { connect, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createEndpoint, mcp } from '@throughline/mcp-http-fastify'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { initializeMessage, McpClient, ping, toText } from '../../../test-support/client/mcp-client.ts'
import { send } from '../../../test-support/client/reply.ts'
import { report, serverWith, type Tool } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { createApp, type Logged, listen } from './test-app.ts'

interface Mount {
  readonly name: string
  readonly path: string
  readonly fastify?: FastifyServerOptions
  mount(app: FastifyInstance, server: ReturnType<typeof serverWith>): unknown
}

/** Every way of mounting that the documentation shows or that Fastify users know. */
const mounts: readonly Mount[] = [
  { name: 'a prefix', path: '/mcp', mount: (app, server) => app.register(mcp, { prefix: '/mcp', server }) },
  { name: 'a path', path: '/mcp', mount: (app, server) => app.register(mcp, { path: '/mcp', server }) },
  {
    name: 'a prefix and a path',
    path: '/api/mcp',
    mount: (app, server) => app.register(mcp, { prefix: '/api', path: '/mcp', server }),
  },
  {
    name: 'a prefix in a plugin with a parameter in its prefix',
    path: '/tenants/42/mcp',
    mount: (app, server) =>
      app.register(async (tenant) => void tenant.register(mcp, { prefix: '/mcp', server }), {
        prefix: '/tenants/:tenant',
      }),
  },
  {
    name: 'an app that has parsers of its own',
    path: '/mcp',
    mount: (app, server) => {
      app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, _body, done) => {
        done(new Error('not for MCP'))
      })
      app.addContentTypeParser(/^application\/.*/, (_request, _payload, done) => done(new Error('not for MCP')))
      app.register(mcp, { prefix: '/mcp', server })
    },
  },
  {
    name: 'an app that ignores trailing slashes and exposes no HEAD routes',
    path: '/mcp/',
    fastify: { routerOptions: { ignoreTrailingSlash: true }, exposeHeadRoutes: false, bodyLimit: 100 },
    mount: (app, server) => app.register(mcp, { prefix: '/mcp', server }),
  },
]

describe.each(mounts)('mounted with $name', ({ path, mount, fastify }) => {
  async function serve(tools: Record<string, Tool> = {}): Promise<Logged & { readonly url: string }> {
    const logged = createApp(fastify)
    mount(logged.app, serverWith(tools))
    return { ...logged, url: (await listen(logged.app)) + path }
  }

  test('serves a session from initialize to DELETE', async () => {
    const { url, faults } = await serve()
    const client = await McpClient.open(url)
    expect(await client.textOf('echo', { text: 'Grüße, 世界 🦉' })).toBe('Grüße, 世界 🦉')
    const ended = await client.delete()
    expect([ended.status, await ended.text()]).toEqual([204, ''])
    expect((await client.post(ping)).status).toBe(404)
    expect(faults()).toEqual([])
  })

  test('streams events of a call as they come, and of the session', async () => {
    const seen = deferred()
    const { url, faults } = await serve({
      step: async (_args, extra) => {
        await report(extra, 'first')
        await seen.promise
        return 'done'
      },
    })
    const client = await McpClient.open(url)
    const reply = await client.call('step')
    expect(reply.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    })
    expect((await reply.events.next()).message).toMatchObject({ params: { data: 'first' } })
    seen.resolve()
    expect(toText(await reply.answer())).toBe('done')
    await reply.events.ended

    const standalone = await client.get()
    expect([standalone.status, standalone.headers['content-type']]).toEqual([200, 'text/event-stream'])
    standalone.leave()
    expect(faults()).toEqual([])
  })

  test('answers 405 with Allow to other methods', async () => {
    const { url } = await serve()
    for (const method of ['PUT', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE']) {
      const reply = await send(url, { method })
      expect([method, reply.status, reply.headers.allow]).toEqual([method, 405, 'GET, POST, DELETE'])
      await reply.text()
    }
    const withBody = await send(url, { method: 'PUT', body: '{', headers: { 'content-type': 'application/json' } })
    expect(withBody.status).toBe(405)
  })

  test('refuses malformed JSON, other types and large bodies itself', async () => {
    const { url, faults } = await serve()
    const malformed = await send(url, { body: '{"jsonrpc": "2.0", ' })
    expect([malformed.status, await malformed.json()]).toMatchObject([400, { jsonrpc: '2.0', error: { code: -32700 } }])
    const poisoned = await send(url, { body: '{"jsonrpc":"2.0","id":1,"method":"ping","__proto__":{}}' })
    expect([poisoned.status, await poisoned.json()]).toMatchObject([400, { jsonrpc: '2.0' }])
    const empty = await send(url, { body: '' })
    expect([empty.status, await empty.json()]).toMatchObject([400, { error: { code: -32700 } }])
    const form = await send(url, { body: 'a=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } })
    expect([form.status, await form.json()]).toMatchObject([415, { error: { code: -32000 } }])
    const declared = await send(url, { body: ' '.repeat(4_194_305) })
    expect([declared.status, await declared.json()]).toMatchObject([413, { error: { code: -32000 } }])
    const chunked = await send(url, { body: ' '.repeat(4_194_305), headers: { 'transfer-encoding': 'chunked' } })
    expect([chunked.status, await chunked.json()]).toMatchObject([413, { error: { code: -32000 } }])
    expect(faults()).toEqual([])
  })

  test('takes a body that is larger than the limit of the app', async () => {
    const { url } = await serve()
    const client = await McpClient.open(url)
    expect(await client.textOf('echo', { text: 'x'.repeat(2_000_000) })).toHaveLength(2_000_000)
  })
})

test('answers at the prefix with and without a slash', async () => {
  const { app } = createApp()
  app.register(mcp, { prefix: '/mcp', server: serverWith() })
  const origin = await listen(app)
  const client = await McpClient.open(`${origin}/mcp`)
  expect((await send(`${origin}/mcp/`, { headers: client.headers, body: ping })).status).toBe(200)
  expect((await send(`${origin}/mcp/deeper`, { headers: client.headers, body: ping })).status).toBe(404)
})

test('keeps two servers on one app apart, each with its own options', async () => {
  const { app } = createApp()
  const make = (which: string) => serverWith({ which: () => which })
  app.register(mcp, { prefix: '/blue', server: make('blue'), logLevel: 'warn', logSerializers: {} })
  app.register(mcp, { prefix: '/green', server: make('green'), maxBodyBytes: 1_000 })
  const origin = await listen(app)
  const blue = await McpClient.open(`${origin}/blue`)
  const green = await McpClient.open(`${origin}/green`)
  expect([await blue.textOf('which'), await green.textOf('which')]).toEqual(['blue', 'green'])
  expect((await send(`${origin}/green`, { headers: blue.headers, body: ping })).status).toBe(404)
  expect((await green.call('echo', { text: 'x'.repeat(1_000) })).status).toBe(413)
  expect((await blue.call('echo', { text: 'x'.repeat(1_000) })).status).toBe(200)
})

test('leaves other routes and their parsers alone', async () => {
  const { app } = createApp()
  app.register(mcp, { prefix: '/mcp', server: serverWith() })
  app.post('/form', async ({ body }) => body)
  const origin = await listen(app)
  await McpClient.open(`${origin}/mcp`)
  const headers = { 'content-type': 'application/json' }
  const form = await send(`${origin}/form`, { body: { a: 1 }, headers })
  expect(await form.json()).toEqual({ a: 1 })
  const malformed = await send(`${origin}/form`, { body: '{', headers })
  expect([malformed.status, await malformed.json()]).toMatchObject([400, { statusCode: 400 }])
  expect((await send(`${origin}/form`, { body: 'a', headers: { 'content-type': 'a/b' } })).status).toBe(415)
})

test.each<[string, object, string]>([
  ['a factory that is none', { server: 'none' }, 'Expected server to be a function, got "none" (string)'],
  ['no factory', {}, 'Expected server to be a function, got undefined (undefined)'],
  ['an unknown option', { server: serverWith(), sesions: false }, 'Unknown option: sesions'],
  [
    'options beside an endpoint',
    { endpoint: createEndpoint({ server: serverWith() }), auth: () => undefined },
    'Expected either an endpoint or its options, got both: endpoint and auth',
  ],
])('does not start with %s', async (_what, options, message) => {
  const app = Fastify()
  app.register(mcp, { prefix: '/mcp', ...options } as never)
  await expect(app.ready()).rejects.toThrow(new TypeError(message))
})

test('answers what is injected, without a socket', async () => {
  const { app, faults } = createApp()
  app.register(mcp, { prefix: '/mcp', server: serverWith({ say: (_args, extra) => report(extra, 'hello') }) })
  onTestFinished(() => app.close())
  const accept = 'application/json, text/event-stream'
  const inject = (payload: object, headers: Record<string, string> = {}) =>
    app.inject({ method: 'POST', url: '/mcp', headers: { accept, ...headers }, payload })

  const opened = await inject(initializeMessage)
  expect(opened.statusCode).toBe(200)
  expect(opened.json()).toMatchObject({ id: 0, result: { serverInfo: { name: 'test' } } })
  const session = { 'mcp-session-id': opened.headers['mcp-session-id'] as string }
  expect(await inject({ jsonrpc: '2.0', method: 'notifications/initialized' }, session)).toMatchObject({
    statusCode: 202,
    body: '',
  })
  const call = (name: string) => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } })
  expect((await inject(call('echo'), session)).json()).toMatchObject({ id: 1, result: {} })

  const streamed = await inject(call('say'), session)
  expect(streamed.headers['content-type']).toBe('text/event-stream')
  expect(streamed.body).toContain('"data":"hello"')
  expect(streamed.body).toContain('"result"')

  expect((await inject({ jsonrpc: '2.0' }, session)).statusCode).toBe(400)
  expect((await app.inject({ method: 'PUT', url: '/mcp' })).statusCode).toBe(405)
  expect((await app.inject({ method: 'DELETE', url: '/mcp', headers: session })).statusCode).toBe(204)
  expect(faults()).toEqual([])
})

test('logs our own errors with the request they belong to, and tells the client nothing of them', async () => {
  const { app, faults, log } = createApp()
  const server = (): never => {
    throw new Error('secret of the factory')
  }
  app.register(mcp, { prefix: '/mcp', server })
  const reply = await send(`${await listen(app)}/mcp`, { body: initializeMessage })
  const text = await reply.text()
  expect([reply.status, JSON.parse(text)]).toMatchObject([500, { id: 0, error: { code: -32603 } }])
  expect(text).not.toContain('secret')
  const reqId = log.find(({ msg }) => msg === 'incoming request')?.reqId
  expect(reqId).toBeDefined()
  expect(faults()).toMatchObject([{ level: 50, reqId, err: { message: 'secret of the factory' } }])
})

test('logs what no request can be blamed for with the app', async () => {
  const { app, faults } = createApp()
  const make = serverWith()
  const server = () => Object.assign(make(), { close: () => Promise.reject(new Error('cannot close')) })
  app.register(mcp, { prefix: '/mcp', server })
  const client = await McpClient.open(`${await listen(app)}/mcp`)
  expect((await client.delete()).status).toBe(204)
  await vi.waitFor(() => expect(faults()).toMatchObject([{ level: 50, err: { message: 'cannot close' } }]))
})

test('takes a body that the platform read before Fastify, as cloud functions leave it', async () => {
  const { app } = createApp()
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const chunks: Buffer[] = []
    payload.on('data', (chunk: Buffer) => chunks.push(chunk))
    payload.on('end', () => {
      Object.assign(request.raw, { body: JSON.parse(Buffer.concat(chunks).toString()) })
      done()
    })
  })
  app.register(mcp, { prefix: '/mcp', server: serverWith() })
  const client = await McpClient.open(`${await listen(app)}/mcp`)
  expect(await client.textOf('echo', { text: 'parsed before' })).toBe('parsed before')
})

test('answers 405 to a method that the app has made known', async () => {
  const { app } = createApp()
  app.addHttpMethod('PROPFIND', { hasBody: true })
  app.register(mcp, { prefix: '/mcp', server: serverWith() })
  const reply = await send(`${await listen(app)}/mcp`, { method: 'PROPFIND', body: '<a/>' })
  expect([reply.status, reply.headers.allow]).toEqual([405, 'GET, POST, DELETE'])
})

test('event streams outlive the handler timeout of the app', async () => {
  const finish = deferred()
  const { app, faults } = createApp({ handlerTimeout: 50 })
  const server = serverWith({ hold: (_args, extra) => report(extra, 'running').then(() => finish.promise) })
  const endpoint = createEndpoint({ server })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  app.register(mcp, { prefix: '/mcp', endpoint })
  app.get('/slow', () => finish.promise)
  const origin = await listen(app)
  const client = await McpClient.open(`${origin}/mcp`)
  const standalone = await client.get()
  const call = await client.call('hold')
  await call.events.next()
  // Sent later, and its time is up.
  expect((await send(`${origin}/slow`, { method: 'GET' })).status).toBe(503)
  finish.resolve()
  expect(await call.answer()).toMatchObject({ result: {} })
  await endpoint.notify({ method: 'notifications/tools/list_changed' })
  expect((await standalone.events.next()).message.method).toBe('notifications/tools/list_changed')
  standalone.leave()
  expect(faults()).toMatchObject([{ err: { message: expect.stringContaining('/slow') } }])
})

test('streams over HTTP/2', async () => {
  const app = Fastify({ http2: true })
  app.register(mcp, { prefix: '/mcp', server: serverWith({ say: (_args, extra) => report(extra, 'hello') }) })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const session = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
  onTestFinished(async () => {
    session.destroy()
    await app.close()
  })
  const post = async (body: object, headers: Record<string, string> = {}) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/mcp',
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      ...headers,
    })
    stream.end(JSON.stringify(body))
    const head = await new Promise<IncomingHttpHeaders>((resolve) => stream.once('response', resolve))
    let text = ''
    for await (const chunk of stream.setEncoding('utf8')) text += chunk
    return { head, text }
  }
  const opened = await post(initializeMessage)
  expect(opened.head[':status']).toBe(200)
  const headers = { 'mcp-session-id': opened.head['mcp-session-id'] as string }
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'say' } }
  const { head, text } = await post(call, headers)
  expect(head['content-type']).toBe('text/event-stream')
  expect(text).toContain('"data":"hello"')
  expect(text).toContain('"result"')
})
