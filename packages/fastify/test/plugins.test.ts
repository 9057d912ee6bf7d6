import compress from '@fastify/compress'
import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import { initializeMessage, McpClient, ping, toText } from '../../../test-support/client/mcp-client.ts'
import { type Reply, send } from '../../../test-support/client/reply.ts'
import { settle } from '../../../test-support/endpoints.ts'
import { report } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { type MountOptions, type Started, start } from './test-app.ts'

const page = 'https://app.example.com'

/** What a browser of an allowed page sends. */
const browser = { origin: page, 'accept-encoding': 'gzip, deflate, br' }

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

function startBehindPlugins({ tools, options }: MountOptions = {}): Promise<Started> {
  return start({ ...(tools && { tools }), before: usePlugins, options: { allowedOrigins: [page], ...options } })
}

function expectPluginHeaders({ headers }: Reply): void {
  expect(headers).toMatchObject({
    'access-control-allow-origin': page,
    'access-control-expose-headers': 'Mcp-Session-Id',
    'x-content-type-options': 'nosniff',
    'strict-transport-security': expect.stringContaining('max-age'),
    'x-hook': 'set by a hook',
    'x-raw': 'set on the raw response',
    'set-cookie': ['visit=1; SameSite=Lax', 'seen=yes; HttpOnly; SameSite=Lax'],
  })
  expect(headers.vary).toContain('Origin')
}

describe('behind compress, cors, helmet and cookie', () => {
  test('carries their headers, and those of hooks, on every kind of answer', async () => {
    const { url, expectNoFault } = await startBehindPlugins({
      tools: { say: (_args, extra) => report(extra, 'hello') },
    })
    const opened = await send(url, { headers: browser, body: initializeMessage })
    expect([opened.status, opened.headers['content-type']]).toEqual([200, 'application/json; charset=utf-8'])
    expectPluginHeaders(opened)
    await opened.text()

    const client = await McpClient.open(url, browser)
    const replies: [what: string, status: number, reply: Reply][] = [
      ['JSON answer', 200, await client.post(ping)],
      ['event stream of a call', 200, await client.call('say')],
      ['event stream of the session', 200, await client.get()],
      ['accepted', 202, await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' })],
      ['bad request', 400, await client.post({ jsonrpc: '1.0' })],
      ['unknown session', 404, await client.post(ping, { 'mcp-session-id': 'x'.repeat(32) })],
      ['not acceptable', 406, await client.post(ping, { accept: 'text/html' })],
      ['unsupported media type', 415, await client.post('x', { 'content-type': 'text/plain' })],
      ['other method', 405, await send(url, { method: 'PUT', headers: browser })],
      ['ended', 204, await client.delete()],
    ]
    for (const [what, status, reply] of replies) {
      expect([what, reply.status]).toEqual([what, status])
      expectPluginHeaders(reply)
      reply.leave()
    }
    expectNoFault()
  })

  test('leaves the preflight to cors', async () => {
    const { url } = await startBehindPlugins()
    const preflight = await send(url, {
      method: 'OPTIONS',
      headers: {
        origin: page,
        'access-control-request-method': 'DELETE',
        'access-control-request-headers': 'content-type,mcp-session-id,mcp-protocol-version',
      },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers['access-control-allow-headers']).toContain('mcp-session-id')
    expect(preflight.headers['access-control-allow-methods']).toContain('DELETE')
  })

  test('sends events at once and uncompressed although the client takes gzip', async () => {
    const seen = Array.from({ length: 5 }, () => deferred())
    const sentAt: number[] = []
    const { url } = await startBehindPlugins({
      tools: {
        // Sends the next event only when the client has the one before: a buffer in between would hang the test.
        paced: async (_args, extra) => {
          for (const [i, { promise }] of seen.entries()) {
            sentAt.push(performance.now())
            await report(extra, i)
            await promise
          }
          return 'done'
        },
      },
    })
    const client = await McpClient.open(url, browser)
    const reply = await client.call('paced')
    expect(reply.headers['content-type']).toBe('text/event-stream')
    expect(reply.headers['content-encoding']).toBeUndefined()
    const delays: number[] = []
    for (const [i, { resolve }] of seen.entries()) {
      const { message, at } = await reply.events.next()
      expect(message).toMatchObject({ params: { data: i } })
      delays.push(at - (sentAt[i] as number))
      resolve()
    }
    expect(toText(await reply.answer())).toBe('done')
    expect(median(delays)).toBeLessThan(50)
  })

  test('sends the head of a standalone stream at once, and its events as they are sent', async () => {
    const { url, endpoint } = await startBehindPlugins()
    const client = await McpClient.open(url, browser)
    const stream = await client.get()
    expect(stream.headers['content-encoding']).toBeUndefined()
    const sentAt = performance.now()
    await endpoint.notify({ method: 'notifications/tools/list_changed' })
    const { message, at } = await stream.events.next()
    expect(message.method).toBe('notifications/tools/list_changed')
    expect(at - sentAt).toBeLessThan(50)
    stream.leave()
  })

  test('lets JSON answers be compressed, and they still parse', async () => {
    const { url } = await startBehindPlugins()
    const client = await McpClient.open(url, browser)
    const text = 'all work and no play '.repeat(5_000)
    const reply = await client.call('echo', { text })
    expect(reply.headers['content-encoding']).toBe('gzip')
    expect(toText(await reply.json())).toBe(text)
  })

  test('refuses a compressed body itself, although compress would unpack it', async () => {
    const { url, expectNoFault } = await startBehindPlugins()
    const reply = await send(url, { headers: { 'content-encoding': 'gzip' }, body: initializeMessage })
    expect(reply.status).toBe(415)
    expect(await reply.json()).toMatchObject({ jsonrpc: '2.0', error: { code: -32000 } })
    expectNoFault()
  })
})

test('lets a rate limit refuse, and builds nothing', async () => {
  const { url, endpoint } = await start({ before: (app) => app.register(rateLimit, { max: 3, timeWindow: 60_000 }) })
  const client = await McpClient.open(url)
  expect((await client.post(ping)).headers['x-ratelimit-remaining']).toBe('0')
  const refused = await send(url, { body: initializeMessage })
  expect(refused.status).toBe(429)
  expect(endpoint.stats().sessions).toBe(1)
})

test.each(['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const)(
  'lets a %s hook refuse',
  async (name) => {
    const { url, endpoint, faults } = await start({
      before: (app) =>
        app.addHook(name as 'preHandler', async (_request, reply) => reply.code(403).send({ no: 'thanks' })),
    })
    const refused = await send(url, { body: initializeMessage })
    expect([refused.status, await refused.json()]).toEqual([403, { no: 'thanks' }])
    expect(endpoint.stats().sessions).toBe(0)
    expect(faults()).toEqual([])
  },
)

test.each<[string, (app: FastifyInstance) => unknown]>([
  ['fails', (app) => app.addHook('onSend', async ({ method }) => fail(method))],
  [
    'sends something else',
    (app) => app.addHook('onSend', async ({ method }, _reply, payload) => (method === 'GET' ? 'instead' : payload)),
  ],
])('lets go of an event stream when an onSend hook %s', async (_what, before) => {
  const { url, endpoint } = await start({ before })
  const client = await McpClient.open(url)
  await (await client.get()).text()
  await settle(endpoint)
})

function fail(method: string): void {
  if (method === 'GET') throw new Error('the hook failed')
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number
}
