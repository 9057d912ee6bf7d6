import { type EndpointOptions, mcp } from '@throughline/mcp-http-hono'
import { Hono, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { compress } from 'hono/compress'
import { cors } from 'hono/cors'
import { etag } from 'hono/etag'
import { requestId } from 'hono/request-id'
import { secureHeaders } from 'hono/secure-headers'
import { timing } from 'hono/timing'
import { describe, expect, test } from 'vitest'
import { initializeMessage, McpClient, ping, toText } from '../../../test-support/client/mcp-client.ts'
import { begin, type Reply, send } from '../../../test-support/client/reply.ts'
import { endpointWith, settle } from '../../../test-support/endpoints.ts'
import { report, type Tool } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { listen, start } from './test-app.ts'

const page = 'https://app.example.com'

/** What a browser of an allowed page sends. */
const browser = { origin: page, 'accept-encoding': 'gzip, deflate, br' }

/** Works on after the answer is there, and then sets a header. */
const late: MiddlewareHandler = async (c, next) => {
  await next()
  await new Promise((resolve) => setTimeout(resolve, 5))
  c.header('x-late', 'yes')
  c.header('set-cookie', 'late=1', { append: true })
}

const early: MiddlewareHandler = async (c, next) => {
  c.header('x-early', 'yes')
  c.header('set-cookie', 'early=1', { append: true })
  await next()
}

/** Puts another response in the place of the first, with the same body. */
const replaces: MiddlewareHandler = async (c, next) => {
  await next()
  const { body, status, headers } = c.res
  c.res = new Response(body, { status, headers: { ...Object.fromEntries(headers), 'x-replaced': 'yes' } })
}

interface ServeOptions {
  readonly tools?: Record<string, Tool>
  readonly options?: Partial<EndpointOptions>
  readonly more?: readonly MiddlewareHandler[]
}

async function serve({ tools, options, more = [] }: ServeOptions = {}): Promise<string> {
  const app = new Hono()
  // A threshold of 0 compresses everything it may.
  app.use(compress({ threshold: 0 }))
  app.use(cors({ origin: page, exposeHeaders: ['Mcp-Session-Id'] }))
  app.use(secureHeaders(), timing(), requestId(), late, early, ...more)
  app.all('/mcp', mcp(endpointWith(tools, { allowedOrigins: [page], ...options })))
  return `${(await listen(app)).origin}/mcp`
}

function expectMiddlewareHeaders({ headers }: Reply): void {
  expect(headers).toMatchObject({
    'access-control-allow-origin': page,
    'access-control-expose-headers': 'Mcp-Session-Id',
    'x-content-type-options': 'nosniff',
    'strict-transport-security': expect.stringContaining('max-age'),
    'server-timing': expect.stringContaining('total'),
    'x-request-id': expect.any(String),
    'x-early': 'yes',
    'x-late': 'yes',
  })
  expect(headers['set-cookie']).toEqual(['early=1', 'late=1'])
  expect(headers.vary).toContain('Origin')
}

describe.each([
  ['compress, cors, secureHeaders, timing and others', []],
  ['the same and bodyLimit()', [bodyLimit({ maxSize: 100_000 })]],
  ['the same and a replaced response', [replaces]],
  ['the same and etag()', [etag()]],
] as [string, MiddlewareHandler[]][])('behind %s', (name, more) => {
  test('carries headers set before and after next() on every kind of answer', async () => {
    const url = await serve({ more, tools: { say: (_args, extra) => report(extra, 'hello') } })
    const opened = await send(url, { headers: browser, body: initializeMessage })
    expect([opened.status, opened.headers['content-type']]).toEqual([200, 'application/json'])
    expectMiddlewareHeaders(opened)
    await opened.text()

    const client = await McpClient.open(url, browser)
    const replies: [what: string, status: number, reply: Reply][] = [
      ['JSON answer', 200, await client.post(ping)],
      ['event stream of a call', 200, await client.call('say')],
      ['accepted', 202, await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' })],
      ['bad request', 400, await client.post({ jsonrpc: '1.0' })],
      ['unknown session', 404, await client.post(ping, { 'mcp-session-id': 'x'.repeat(32) })],
      ['not acceptable', 406, await client.post(ping, { accept: 'text/html' })],
      ['unsupported media type', 415, await client.post('x', { 'content-type': 'text/plain' })],
      ['other method', 405, await send(url, { method: 'PUT', headers: browser })],
    ]
    // etag() hashes the whole body of a GET: no stream passes it, whoever makes it.
    if (!name.includes('etag')) replies.push(['event stream of the session', 200, await client.get()])
    replies.push(['ended', 204, await client.delete()])
    for (const [what, status, reply] of replies) {
      expect([what, reply.status]).toEqual([what, status])
      expectMiddlewareHeaders(reply)
      expect(reply.headers).not.toHaveProperty('x-hono-already-sent')
      if (more[0] === replaces) expect(reply.headers['x-replaced']).toBe('yes')
      reply.leave()
    }
  })

  test('sends events at once and uncompressed although the client takes gzip', async () => {
    const seen = Array.from({ length: 5 }, () => deferred())
    const sentAt: number[] = []
    const url = await serve({
      more,
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
    expect(reply.headers['cache-control']).toBe('no-store, no-transform')
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

  test('prints nothing when its client leaves in the middle of a stream', async () => {
    const { url, endpoint, exchanges, expectNoFault } = await start({
      before: [compress(), cors(), late, ...more],
      tools: { hold: (_args, extra) => report(extra, 'first').then(() => new Promise(() => undefined)) },
    })
    const client = await McpClient.open(url, { 'accept-encoding': 'gzip' })
    const reply = await client.call('hold')
    await reply.events.next()
    reply.leave()
    await exchanges.at(-1)?.closed
    await settle(endpoint)
    expectNoFault()
  })
})

test('leaves the preflight to cors()', async () => {
  const url = await serve()
  const preflight = await send(url, {
    method: 'OPTIONS',
    headers: {
      origin: page,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,mcp-session-id,mcp-protocol-version',
    },
  })
  expect(preflight.status).toBe(204)
  expect(preflight.headers['access-control-allow-headers']).toContain('mcp-session-id')
  expect(preflight.headers['access-control-allow-methods']).toContain('DELETE')
  await preflight.text()
})

test('lets a page read the answer that refuses it no more than cors() allows', async () => {
  const url = await serve()
  const refused = await send(url, { headers: { ...browser, origin: 'https://evil.example' }, body: initializeMessage })
  expect(refused.status).toBe(403)
  expect(refused.headers['access-control-allow-origin']).toBeUndefined()
  expect(await refused.json()).toMatchObject({ error: { message: expect.stringContaining('Origin not allowed') } })
})

test('sends the head of a standalone stream at once, and its events as they are sent', async () => {
  const { url, endpoint } = await start({ before: [compress({ threshold: 0 })] })
  const client = await McpClient.open(url, { 'accept-encoding': 'gzip' })
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
  const url = await serve()
  const client = await McpClient.open(url, { ...browser, 'accept-encoding': 'gzip' })
  const text = 'all work and no play '.repeat(5_000)
  const reply = await client.call('echo', { text })
  expect(reply.headers['content-type']).toBe('application/json')
  expect(reply.headers['content-encoding']).toBe('gzip')
  expect(toText(await reply.json())).toBe(text)

  const plain = await client.call('echo', { text }, { 'accept-encoding': 'identity' })
  expect(plain.headers['content-encoding']).toBeUndefined()
  expect(toText(await plain.json())).toBe(text)
})

test('keeps what middleware makes of a stream: its bytes come from the response, not past it', async () => {
  const url = await serve({
    tools: { say: (_args, extra) => report(extra, 'hello').then(() => 'said') },
    more: [
      async (c, next) => {
        await next()
        const upper = new TransformStream<Uint8Array, Uint8Array>({
          transform: (chunk, controller) =>
            controller.enqueue(Buffer.from(Buffer.from(chunk).toString().replaceAll('said', 'SAID'))),
        })
        if (c.res.body) c.res = new Response(c.res.body.pipeThrough(upper), c.res)
      },
    ],
  })
  const client = await McpClient.open(url)
  expect(await client.textOf('say')).toBe('SAID')
})

test('hands an error of a middleware behind the answer to app.onError, and the stream is over', async () => {
  let fail = false
  const { url, endpoint } = await start({
    before: [
      async (_c, next) => {
        await next()
        if (fail) throw new Error('of the middleware')
      },
    ],
  })
  const client = await McpClient.open(url)
  fail = true
  const reply = await client.get()
  expect([reply.status, await reply.text()]).toEqual([500, 'error handler of the app'])
  fail = false
  await settle(endpoint)
  expect((await client.post(ping)).status).toBe(200)
})

test('sends nothing of a stream before the middleware behind it is done', async () => {
  const goOn = deferred()
  const answered = deferred()
  const { url } = await start({
    options: { response: 'sse' },
    before: [
      async (c, next) => {
        await next()
        if (c.req.header('x-wait') === undefined) return
        answered.resolve()
        await goOn.promise
        c.header('x-late', 'yes')
      },
    ],
  })
  const client = await McpClient.open(url)
  const outgoing = begin(url, { headers: { ...client.headers, 'x-wait': 'yes' } })
  let isThere = false
  outgoing.once('response', () => {
    isThere = true
  })
  outgoing.end(JSON.stringify(client.callMessage('echo', { text: 'x' })))
  const response = new Promise<Reply['headers']>((resolve) => outgoing.once('response', (r) => resolve(r.headers)))
  await answered.promise
  expect(isThere).toBe(false)
  goOn.resolve()
  expect((await response)['x-late']).toBe('yes')
  outgoing.destroy()
})

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number
}
