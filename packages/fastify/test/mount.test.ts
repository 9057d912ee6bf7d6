import { setTimeout as sleep } from 'node:timers/promises'
import { createEndpoint, mcp } from '@throughline/mcp-http-fastify'
import type { FastifyInstance } from 'fastify'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { describeMounting, expectHiddenFailure } from '../../../test-support/adapters/describe-mounting.ts'
import { describeMounts, type Mount } from '../../../test-support/adapters/describe-mounts.ts'
import { initializeMessage, McpClient, ping } from '../../../test-support/client/mcp-client.ts'
import { send } from '../../../test-support/client/reply.ts'
import { endpointWith } from '../../../test-support/endpoints.ts'
import { report, serverWith } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { adapters, createApp, listen, mountsOf } from './adapter.ts'

const endpointOf = () => createEndpoint({ server: serverWith() })

/** As the adapters of other frameworks are used. */
const called = () => (mcp as unknown as (options: object) => never)({ server: serverWith() })

for (const adapter of adapters) {
  describeMounting(adapter)
  describeMounts(adapter, mountsOf(adapter), adapter.major === 5 ? ['TRACE'] : ['TRACE', 'PROPFIND'])

  for (const mount of mountsOf(adapter)) {
    const name = `${adapter.name} mounted with ${mount.name} refuses malformed JSON, other types and large bodies itself`
    test(name, () => expectRefusals(mount))
  }
}

async function expectRefusals({ path, serve }: Mount): Promise<void> {
  const { origin, errors } = await serve({ server: serverWith() })
  const url = origin + path
  const malformed = await send(url, { body: '{"jsonrpc": "2.0", ' })
  expect([malformed.status, await malformed.json()]).toMatchObject([400, { jsonrpc: '2.0', error: { code: -32700 } }])
  const poisoned = await send(url, { body: '{"jsonrpc":"2.0","id":1,"method":"ping","__proto__":{}}' })
  expect([poisoned.status, await poisoned.json()]).toMatchObject([400, { jsonrpc: '2.0' }])
  const empty = await send(url, { body: '' })
  expect([empty.status, await empty.json()]).toMatchObject([400, { error: { code: -32700 } }])
  const form = await send(url, { body: 'a=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  expect([form.status, await form.json()]).toMatchObject([415, { error: { code: -32000 } }])
  const put = await send(url, { method: 'PUT', body: '{', headers: { 'content-type': 'application/json' } })
  expect(put.status).toBe(405)
  const large = ' '.repeat(4_194_305)
  const declared = await send(url, { body: large })
  expect([declared.status, await declared.json()]).toMatchObject([413, { error: { code: -32000 } }])
  const chunked = await send(url, { body: large, headers: { 'transfer-encoding': 'chunked' } })
  expect([chunked.status, await chunked.json()]).toMatchObject([413, { error: { code: -32000 } }])
  expect(errors).toEqual([])
}

describe.each(adapters)('$name', ({ framework, major }) => {
  test('is the major version that it is taken for', () => {
    expect(createApp({}, framework).app.version).toMatch(new RegExp(`^${major}\\.`))
  })

  test('answers at the prefix with and without a slash', async () => {
    const { app } = createApp({}, framework)
    app.register(mcp, { prefix: '/mcp', server: serverWith() })
    const origin = await listen(app)
    const client = await McpClient.open(`${origin}/mcp`)
    expect((await send(`${origin}/mcp/`, { headers: client.headers, body: ping })).status).toBe(200)
    expect((await send(`${origin}/mcp/deeper`, { headers: client.headers, body: ping })).status).toBe(404)
  })

  test('takes what register takes beside the options of an endpoint', async () => {
    const { app } = createApp({}, framework)
    app.register(mcp, { prefix: '/mcp', server: serverWith(), logLevel: 'warn', logSerializers: {} })
    await McpClient.open(`${await listen(app)}/mcp`)
  })

  test('leaves the parsers of the app to its other routes', async () => {
    const { app } = createApp({}, framework)
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

  test.each<[string, (app: FastifyInstance) => unknown, string]>([
    ['called', (app) => app.register(called()), 'Expected app.register(mcp, { server, prefix }), got a call'],
    ['a route', (app) => app.all('/mcp', called()), 'Expected app.register(mcp, { server, prefix }), got a call'],
    ['given an endpoint', (app) => app.register(mcp, endpointOf() as never), 'Expected { endpoint } as the options'],
    [
      'given a server',
      (app) => app.register(mcp, { endpoint: serverWith()() as never }),
      'Expected an endpoint made by',
    ],
  ])('says how it is registered when it is %s', async (_, mount, refusal) => {
    const { app } = createApp({}, framework)
    await expect(async () => {
      mount(app)
      await app.ready()
    }).rejects.toThrow(refusal)
  })

  test('says so to whoever calls it as the handler of a route', async () => {
    const { app } = createApp({}, framework)
    app.all('/mcp', mcp as never)
    const { statusCode, body } = await app.inject({ method: 'POST', url: '/mcp' })
    expect([statusCode, body]).toEqual([500, expect.stringContaining('Expected app.register(mcp, { server, prefix })')])
  })

  test('keeps the body from a plugin that reads along on every route, unless one declines it', async () => {
    const { app } = createApp({}, framework)
    // As `fastify-raw-body` does by default.
    app.addHook('onRoute', (route) => {
      if (route.method === 'GET' || (route.config as { rawBody?: boolean } | undefined)?.rawBody === false) return
      route.preParsing = (_request, _reply, payload, done) => {
        payload.on('data', () => undefined)
        done(null, payload)
      }
    })
    app.register(mcp, { prefix: '/mcp', server: serverWith(), auth: () => sleep(5, undefined) })
    const client = await McpClient.open(`${await listen(app)}/mcp`)
    expect(await client.textOf('echo', { text: 'read once' })).toBe('read once')
  })

  test('does not start with options beside an endpoint', async () => {
    const { app } = createApp({}, framework)
    const options = { endpoint: createEndpoint({ server: serverWith() }), auth: () => undefined }
    app.register(mcp, { prefix: '/mcp', ...options } as never)
    const message = 'Expected either an endpoint or its options, got both: endpoint and auth'
    await expect(app.ready()).rejects.toThrow(new TypeError(message))
  })

  test('answers what is injected, without a socket', async () => {
    const { app, errors } = createApp({}, framework)
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
    expect(errors).toEqual([])
  })

  test('logs our own errors with the request they belong to', async () => {
    const { app, errors, log } = createApp({}, framework)
    const server = (): never => {
      throw new Error('secret of the factory')
    }
    app.register(mcp, { prefix: '/mcp', server })
    await expectHiddenFailure(`${await listen(app)}/mcp`)
    const reqId = log.find(({ msg }) => msg === 'incoming request')?.reqId
    expect(reqId).toBeDefined()
    expect(errors).toMatchObject([{ level: 50, reqId, err: { message: 'secret of the factory' } }])
  })

  test('prints such an error where the app has no logger', async () => {
    const print = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    onTestFinished(() => print.mockRestore())
    const app = framework()
    app.register(mcp, { prefix: '/mcp', server: () => Promise.reject(new Error('no database')) })
    await expectHiddenFailure(`${await listen(app)}/mcp`)
    expect(print.mock.calls).toEqual([[expect.stringContaining('Error: no database')]])
  })

  test('logs what no request can be blamed for with the app', async () => {
    const { app, errors } = createApp({}, framework)
    const make = serverWith()
    const server = () => Object.assign(make(), { close: () => Promise.reject(new Error('cannot close')) })
    app.register(mcp, { prefix: '/mcp', server })
    const client = await McpClient.open(`${await listen(app)}/mcp`)
    expect((await client.delete()).status).toBe(204)
    await vi.waitFor(() => expect(errors).toMatchObject([{ level: 50, err: { message: 'cannot close' } }]))
  })

  test('takes a body that the platform read before Fastify, as cloud functions leave it', async () => {
    const { app } = createApp({}, framework)
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
  const { app, errors } = createApp({ handlerTimeout: 50 })
  const endpoint = endpointWith({ hold: (_args, extra) => report(extra, 'running').then(() => finish.promise) })
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
  expect(errors).toMatchObject([{ err: { message: expect.stringContaining('/slow') } }])
})
