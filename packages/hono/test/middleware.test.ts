import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { compress } from 'hono/compress'
import { cors } from 'hono/cors'
import { etag } from 'hono/etag'
import { requestId } from 'hono/request-id'
import { secureHeaders } from 'hono/secure-headers'
import { timing } from 'hono/timing'
import { expect, test } from 'vitest'
import { describeMiddleware, page } from '../../../test-support/adapters/describe-middleware.ts'
import { start } from '../../../test-support/adapters/start.ts'
import { McpClient, ping } from '../../../test-support/client/mcp-client.ts'
import { begin, type Reply } from '../../../test-support/client/reply.ts'
import { settle } from '../../../test-support/endpoints.ts'
import { report } from '../../../test-support/sdk-server.ts'
import { deferred, sleep } from '../../../test-support/waiting.ts'
import { adapter } from './adapter.ts'

/** Works on after the answer is there, and then sets a header. */
const late: MiddlewareHandler = async (c, next) => {
  await next()
  await sleep(5)
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

const name = 'compress, cors, secureHeaders, timing and others'

const before: readonly MiddlewareHandler[] = [
  // A threshold of 0 compresses everything it may.
  compress({ threshold: 0 }),
  cors({ origin: page, exposeHeaders: ['Mcp-Session-Id'] }),
  secureHeaders(),
  timing(),
  requestId(),
  late,
  early,
]

function expectHeaders({ headers }: Reply): void {
  expect(headers).toMatchObject({
    'server-timing': expect.stringContaining('total'),
    'x-request-id': expect.any(String),
    'x-early': 'yes',
    'x-late': 'yes',
    'set-cookie': ['early=1', 'late=1'],
  })
  expect(headers).not.toHaveProperty('x-hono-already-sent')
}

function expectReplaced(reply: Reply): void {
  expectHeaders(reply)
  expect(reply.headers['x-replaced']).toBe('yes')
}

describeMiddleware(
  adapter,
  [
    { name, before, expectHeaders },
    { name: 'the same and bodyLimit()', before: [...before, bodyLimit({ maxSize: 100_000 })], expectHeaders },
    { name: 'the same and a replaced response', before: [...before, replaces], expectHeaders: expectReplaced },
    // etag() hashes the whole body of a GET.
    { name: 'the same and etag()', before: [...before, etag()], expectHeaders, holdsGets: true },
  ],
  { tellsAnyOrigin: false },
)

test('keeps what middleware makes of a stream: its bytes come from the response, not past it', async () => {
  const { url } = await start(adapter, {
    tools: { say: (_args, extra) => report(extra, 'hello').then(() => 'said') },
    before: [
      ...before,
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
  const { url, endpoint } = await start(adapter, {
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
  const { url } = await start(adapter, {
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
