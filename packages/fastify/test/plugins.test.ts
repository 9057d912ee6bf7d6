import { Agent } from 'node:http'
import { Readable, Transform } from 'node:stream'
import { createGunzip } from 'node:zlib'
import compress from '@fastify/compress'
import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { describe, expect, onTestFinished, test } from 'vitest'
import { describeMiddleware, page } from '../../../test-support/adapters/describe-middleware.ts'
import { start } from '../../../test-support/adapters/start.ts'
import { initializeMessage, McpClient, ping } from '../../../test-support/client/mcp-client.ts'
import { RawConnection, toHead } from '../../../test-support/client/raw-connection.ts'
import { acceptBoth, type Reply, send } from '../../../test-support/client/reply.ts'
import { settle } from '../../../test-support/endpoints.ts'
import { waitFor } from '../../../test-support/waiting.ts'
import { adapter, adapters, type Hook } from './adapter.ts'

/** An app as many have it. A threshold of 0 compresses everything it may. */
async function usePlugins(app: FastifyInstance): Promise<void> {
  await app.register(compress, { threshold: 0, encodings: ['gzip'] })
  await app.register(cors, { origin: [page], exposedHeaders: ['Mcp-Session-Id'], methods: ['GET', 'POST', 'DELETE'] })
  await app.register(helmet)
  await app.register(cookie)
  app.addHook('onRequest', async (_request, reply) => {
    reply.setCookie('visit', '1')
    reply.raw.setHeader('x-raw', 'set on the raw response')
  })
  app.addHook('preHandler', async (_request, reply) => {
    reply.setCookie('seen', 'yes', { httpOnly: true })
    reply.header('x-hook', 'set by a hook')
  })
}

function expectHeaders({ headers }: Reply): void {
  expect(headers).toMatchObject({
    'x-hook': 'set by a hook',
    'x-raw': 'set on the raw response',
    'set-cookie': ['visit=1; SameSite=Lax', 'seen=yes; HttpOnly; SameSite=Lax'],
  })
}

// The plugins are for Fastify 5 alone.
const stack = { name: 'compress, cors, helmet and cookie', before: [usePlugins], expectHeaders }
describeMiddleware(adapter, [stack], { tellsAnyOrigin: false })

test('refuses a compressed body itself, although compress would unpack it', async () => {
  const { url, expectNoFault } = await start(adapter, { before: [usePlugins] })
  const reply = await send(url, { headers: { 'content-encoding': 'gzip' }, body: initializeMessage })
  expect(reply.status).toBe(415)
  expect(await reply.json()).toMatchObject({ jsonrpc: '2.0', error: { code: -32000 } })
  expectNoFault()
})

test('lets a rate limit refuse, and builds nothing', async () => {
  const limit: Hook = (app) => app.register(rateLimit, { max: 3, timeWindow: 60_000 })
  const { url, endpoint } = await start(adapter, { before: [limit] })
  const client = await McpClient.open(url)
  expect((await client.post(ping)).headers['x-ratelimit-remaining']).toBe('0')
  const refused = await send(url, { body: initializeMessage })
  expect(refused.status).toBe(429)
  expect(endpoint.stats().sessions).toBe(1)
})

describe.each(adapters)('$name with a hook that puts another stream in the place of the body', (ofMajor) => {
  const flip = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte) => byte ^ 1))
  const decipher: Hook = (app) => {
    app.addHook('preParsing', (_request, _reply, payload, done) => {
      const deciphered = new Transform({ transform: (chunk: Buffer, _encoding, next) => next(null, flip(chunk)) })
      done(null, payload.pipe(deciphered))
    })
  }
  const verify: Hook = (app) => {
    app.addHook('preParsing', async (_request, _reply, payload) => Readable.from(await payload.toArray()))
  }
  const large = { ...ping, params: { _meta: { padding: 'x'.repeat(300_000) } } }

  test.each([
    ['as it comes', decipher, flip],
    ['when all of it has come', verify, (bytes: Buffer) => bytes],
  ])('reads that: one that is made %s', async (_when, hook, encode) => {
    const { url, expectNoFault } = await start(ofMajor, { before: [hook] })
    const post = (message: unknown, headers = {}): Promise<Reply> =>
      send(url, { headers, body: encode(Buffer.from(JSON.stringify(message))).toString() })
    const opened = await post(initializeMessage)
    const headers = { 'mcp-session-id': opened.headers['mcp-session-id'] as string }
    expect((await post(large, headers)).status).toBe(200)
    expectNoFault()
  })

  test('refuses by the head, and reads on for the sake of the connection', async () => {
    const { url, expectNoFault } = await start(ofMajor, { before: [decipher] })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    onTestFinished(() => agent.destroy())
    for (let i = 0; i < 2; i++) {
      const reply = await send(url, { agent, headers: { 'content-type': 'text/plain' }, body: large })
      expect(reply.status).toBe(415)
      await reply.text()
    }
    expectNoFault()
  })

  test('hears that the client left', async () => {
    const { url, port, endpoint, expectNoFault } = await start(ofMajor, { before: [decipher] })
    const connection = await RawConnection.open(port)
    const head = { host: new URL(url).host, accept: acceptBoth, 'content-type': 'application/json' }
    connection.write(`${toHead('POST', '/mcp', { ...head, 'content-length': '100' })}half`)
    await waitFor(() => endpoint.stats().bodyBytes > 0)
    connection.socket.destroy()
    await waitFor(() => endpoint.stats().bodyBytes === 0)
    expectNoFault()
  })

  test('lives on when that fails', async () => {
    const fail: Hook = (app) => {
      app.addHook('preParsing', (_request, _reply, payload, done) => done(null, payload.pipe(createGunzip())))
    }
    const { url, expectNoFault } = await start(ofMajor, { before: [fail] })
    expect((await send(url, { body: initializeMessage })).status).toBe(400)
    expect((await send(url, { headers: { 'content-type': 'text/plain' }, body: ping })).status).toBe(415)
    expectNoFault()
  })
})

describe.each(adapters)('$name', (ofMajor) => {
  test('carries the headers of hooks on event streams', async () => {
    const setHeader: Hook = (app) => {
      app.addHook('onRequest', async (_request, reply) => void reply.header('x-hook', 'set'))
    }
    const { url, expectNoFault } = await start(ofMajor, { before: [setHeader] })
    const client = await McpClient.open(url)
    const stream = await client.get()
    expect(stream.headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-hook': 'set' })
    stream.leave()
    expectNoFault()
  })

  test.each(['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const)(
    'lets a %s hook refuse',
    async (name) => {
      const refuse: Hook = (app) =>
        app.addHook(name as 'preHandler', async (_request, reply) => reply.code(403).send({ no: 'thanks' }))
      const { url, endpoint, errors } = await start(ofMajor, { before: [refuse] })
      const refused = await send(url, { body: initializeMessage })
      expect([refused.status, await refused.json()]).toEqual([403, { no: 'thanks' }])
      expect(endpoint.stats().sessions).toBe(0)
      expect(errors).toEqual([])
    },
  )

  test.each<[string, Hook]>([
    ['fails', (app) => app.addHook('onSend', async ({ method }) => fail(method))],
    [
      'sends something else',
      (app) => app.addHook('onSend', async ({ method }, _reply, payload) => (method === 'GET' ? 'instead' : payload)),
    ],
  ])('lets go of an event stream when an onSend hook %s', async (_what, hook) => {
    const { url, endpoint } = await start(ofMajor, { before: [hook] })
    const client = await McpClient.open(url)
    await (await client.get()).text()
    await settle(endpoint)
  })
})

function fail(method: string): void {
  if (method === 'GET') throw new Error('the hook failed')
}
