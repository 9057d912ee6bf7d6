import cors from '@koa/cors'
import { type Endpoint, type EndpointOptions, mcp } from '@throughline/mcp-http-koa'
import type { Context, Middleware } from 'koa'
import { koaBody } from 'koa-body'
import bodyParser from 'koa-bodyparser'
import compress from 'koa-compress'
import helmet from 'koa-helmet'
import { describe, expect, test } from 'vitest'
import { initializeMessage, McpClient, ping, toText } from '../../../test-support/client/mcp-client.ts'
import { type Reply, send } from '../../../test-support/client/reply.ts'
import { endpointWith } from '../../../test-support/endpoints.ts'
import { listen } from '../../../test-support/listen.ts'
import { report, type Tool } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { watchProcess } from '../../../test-support/watch-process.ts'
import { type Framework, frameworks } from './frameworks.ts'
import { collectErrors } from './test-app.ts'

const page = 'https://app.example.com'

/** What a browser of an allowed page sends. */
const browser = { origin: page, 'accept-encoding': 'gzip' }

interface Started {
  readonly url: string
  readonly endpoint: Endpoint
  /** Fails when the app was told of an error, or anything was thrown, rejected, warned of or printed. */
  readonly expectNoFault: () => void
}

interface StartOptions {
  readonly tools?: Record<string, Tool>
  readonly options?: Partial<EndpointOptions>
}

async function start(
  framework: Framework,
  before: readonly Middleware[],
  { tools = {}, options }: StartOptions = {},
): Promise<Started> {
  const { faults } = watchProcess()
  const app = new framework()
  const errors = collectErrors(app)
  const endpoint = endpointWith(
    { say: (_args, extra) => report(extra, 'hello').then(() => 'said'), ...tools },
    { allowedOrigins: [page], ...options },
  )
  for (const middleware of before) app.use(middleware)
  app.use(mcp(endpoint))
  const { origin } = await listen(app.callback())
  return { url: `${origin}/mcp`, endpoint, expectNoFault: () => expect([...errors, ...faults]).toEqual([]) }
}

/** A threshold of 0 compresses everything it may. */
function inFront(...more: Middleware[]): Middleware[] {
  return [compress({ threshold: 0 }), cors({ origin: page, exposeHeaders: 'Mcp-Session-Id' }), helmet(), ...more]
}

function expectMiddlewareHeaders({ headers }: Reply): void {
  expect(headers).toMatchObject({
    'access-control-allow-origin': page,
    'access-control-expose-headers': 'Mcp-Session-Id',
    'x-content-type-options': 'nosniff',
    'strict-transport-security': expect.stringContaining('max-age'),
  })
  expect(headers.vary).toContain('Accept-Encoding')
  expect(headers.vary).toContain('Origin')
}

describe.each(frameworks)('%s behind koa-compress, @koa/cors and koa-helmet', (_name, framework) => {
  test.each([
    ['no parser', []],
    ['koa-bodyparser', [bodyParser()]],
    ['koa-body', [koaBody()]],
  ])('carries their headers on every kind of answer, with %s', async (_parser, more) => {
    const { url, expectNoFault } = await start(framework, inFront(...more))
    const opened = await send(url, { headers: browser, body: initializeMessage })
    expect([opened.status, opened.headers['content-type']]).toEqual([200, 'application/json'])
    expectMiddlewareHeaders(opened)
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
      ['unsupported media type', 415, await client.post('x', { 'content-type': 'application/xml' })],
      ['other method', 405, await send(url, { method: 'PUT', headers: browser })],
      ['ended', 204, await client.delete()],
    ]
    for (const [what, status, reply] of replies) {
      expect([what, reply.status]).toEqual([what, status])
      expectMiddlewareHeaders(reply)
      reply.leave()
    }
    expectNoFault()
  })

  test('lets a page read the answer that refuses it no more than @koa/cors allows', async () => {
    const { url } = await start(framework, inFront())
    const refused = await send(url, { headers: { origin: 'https://evil.example' }, body: initializeMessage })
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([403, page])
    expect(await refused.json()).toMatchObject({ error: { message: expect.stringContaining('Origin not allowed') } })
  })

  test('leaves the preflight to @koa/cors', async () => {
    const { url } = await start(framework, inFront())
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

  test('sends events at once and uncompressed although the client takes gzip', async () => {
    const seen = Array.from({ length: 5 }, () => deferred())
    const sentAt: number[] = []
    // Sends the next event only when the client has the one before: a buffer in between would hang the test.
    const paced: Tool = async (_args, extra) => {
      for (const [i, { promise }] of seen.entries()) {
        sentAt.push(performance.now())
        await report(extra, i)
        await promise
      }
      return 'done'
    }
    const { url, expectNoFault } = await start(framework, inFront(), { tools: { paced } })
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
    expectNoFault()
  })

  test('sends the head of a standalone stream at once, and its events as they are sent', async () => {
    const { url, endpoint } = await start(framework, inFront())
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
    const { url, expectNoFault } = await start(framework, inFront())
    const client = await McpClient.open(url, browser)
    const text = 'all work and no play '.repeat(5_000)
    const reply = await client.call('echo', { text })
    expect(reply.headers).toMatchObject({ 'content-type': 'application/json', 'content-encoding': 'gzip' })
    expect(reply.headers).not.toHaveProperty('content-length')
    expect(toText(await reply.json())).toBe(text)

    const plain = await client.call('echo', { text }, { 'accept-encoding': 'identity' })
    expect(plain.headers['content-encoding']).toBeUndefined()
    expect(toText(await plain.json())).toBe(text)
    expectNoFault()
  })

  test('takes it for no fault of the app when the reader of a compressed answer leaves', async () => {
    const { url, endpoint, expectNoFault } = await start(framework, inFront())
    const client = await McpClient.open(url, browser)
    const noise = Array.from({ length: 200_000 }, (_value, i) => Math.sin(i).toString(36)).join('')
    for (const leave of [(reply: Reply) => reply.leave(), (reply: Reply) => reply.response.socket.resetAndDestroy()]) {
      const reply = await client.call('echo', { text: noise })
      expect(reply.headers['content-encoding']).toBe('gzip')
      const closed = new Promise((resolve) => reply.response.once('close', resolve))
      leave(reply)
      await closed
    }
    expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
    expect(endpoint.stats().connections).toBe(0)
    expectNoFault()
  })

  test('survives a large event through compression to a slow reader', async () => {
    const big = 'y'.repeat(3_000_000)
    const { url } = await start(framework, inFront(), { options: { response: 'sse' }, tools: { big: () => big } })
    const client = await McpClient.open(url, browser)
    const reply = await client.call('big')
    reply.response.pause()
    // Nothing is read for some turns of the loop; the answer waits, whole.
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    const answer = reply.answer()
    reply.response.resume()
    expect(toText(await answer)).toBe(big)
  })
})

/** Asks for each kind of answer once. */
async function askForEach(url: string): Promise<Record<'json' | 'accepted' | 'refused' | 'stream', Reply>> {
  const client = await McpClient.open(url)
  return {
    json: await client.post(ping),
    accepted: await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' }),
    refused: await client.post(ping, { 'mcp-session-id': 'x'.repeat(32) }),
    stream: await client.call('say'),
  }
}

describe.each(frameworks)('%s with middleware that goes on after await next()', (_name, framework) => {
  test('which measures the time: it goes on at once, and its header is on every plain answer', async () => {
    const finish = deferred()
    const measured: string[] = []
    const measure: Middleware = async (ctx, next) => {
      const start = performance.now()
      await next()
      measured.push(`${ctx.method} ${ctx.status}`)
      ctx.set('X-Response-Time', `${performance.now() - start} ms`)
    }
    const hold: Tool = async (_args, extra) => {
      await report(extra, 'first')
      await finish.promise
      return 'held'
    }
    const { url, expectNoFault } = await start(framework, [measure], { tools: { hold } })
    const { json, accepted, refused, stream } = await askForEach(url)
    for (const reply of [json, accepted, refused]) expect(reply.headers['x-response-time']).toMatch(/ ms$/)
    expect(measured.slice(2)).toEqual(['POST 200', 'POST 202', 'POST 404', 'POST 200'])
    expect(toText(await stream.answer())).toBe('said')

    const client = await McpClient.open(url)
    const held = await client.call('hold')
    await held.events.next()
    // The stream goes on long after the middleware has.
    expect(measured.at(-1)).toBe('POST 200')
    finish.resolve()
    expect(toText(await held.answer())).toBe('held')
    expectNoFault()
  })

  test.each<[string, (ctx: Context) => void]>([
    [
      'sets a body of text',
      (ctx) => {
        ctx.body = 'mine'
      },
    ],
    [
      'sets an object, a type and a header',
      (ctx) => {
        ctx.body = { mine: true }
        ctx.type = 'json'
        ctx.set('X-Late', '1')
        ctx.append('Set-Cookie', 'late=1')
      },
    ],
    [
      'takes the body away',
      (ctx) => {
        ctx.body = null
        ctx.status = 500
        ctx.remove('Content-Type')
      },
    ],
    ['redirects', (ctx) => ctx.redirect('/elsewhere')],
  ])('which %s: the event stream goes on, whole', async (_what, meddle) => {
    const measure: Middleware = async (ctx, next) => {
      await next()
      if (ctx.headerSent) meddle(ctx)
    }
    const { url, expectNoFault } = await start(framework, [compress({ threshold: 0 }), measure])
    const client = await McpClient.open(url, { 'accept-encoding': 'gzip' })
    const reply = await client.call('say')
    expect([reply.status, reply.headers['content-type']]).toEqual([200, 'text/event-stream'])
    expect((await reply.events.next()).message).toMatchObject({ params: { data: 'hello' } })
    expect(toText(await reply.answer())).toBe('said')
    await reply.events.ended
    expect(reply.events.lines.join('\n')).not.toContain('mine')
    expect((await client.post(ping)).status).toBe(200)
    expectNoFault()
  })

  test('which throws: the app hears of it, the event stream goes on', async () => {
    const app = new framework()
    const errors = collectErrors(app)
    app.use(async (ctx, next) => {
      await next()
      if (ctx.headerSent) throw new Error('too late')
    })
    const endpoint = endpointWith({ say: (_args, extra) => report(extra, 'hello').then(() => 'said') })
    const { origin } = await listen(app.use(mcp(endpoint)).callback())
    const client = await McpClient.open(origin)
    expect(toText(await (await client.call('say')).answer())).toBe('said')
    expect(errors).toMatchObject([{ message: 'too late' }])
  })

  test('which throws before anything was sent: Koa answers, and the app hears of it', async () => {
    const app = new framework()
    const errors = collectErrors(app)
    app.use(async (_ctx, next) => {
      await next()
      throw Object.assign(new Error('mine'), { code: 'ERR_STREAM_PREMATURE_CLOSE' })
    })
    const { origin } = await listen(app.use(mcp(endpointWith())).callback())
    const reply = await send(origin, { body: initializeMessage })
    expect([reply.status, await reply.text()]).toEqual([500, 'Internal Server Error'])
    expect(errors).toMatchObject([{ message: 'mine' }])
  })

  test('which replaces plain answers: it may', async () => {
    const wrap: Middleware = async (ctx, next) => {
      await next()
      if (ctx.status === 404) ctx.body = `replaced ${String(ctx.body).length}`
    }
    const { url } = await start(framework, [wrap])
    const { refused } = await askForEach(url)
    expect(await refused.text()).toMatch(/^replaced \d+$/)
  })

  test('under an app that was told not to respond: every answer is sent all the same', async () => {
    const takeOver: Middleware = async (ctx, next) => {
      ctx.respond = false
      await next()
    }
    const { url, expectNoFault } = await start(framework, [takeOver])
    const { json, accepted, refused, stream } = await askForEach(url)
    expect([json.status, accepted.status, refused.status, stream.status]).toEqual([200, 202, 404, 200])
    expect(toText(await stream.answer())).toBe('said')
    expectNoFault()
  })

  test('which has answered already: nothing is sent twice', async () => {
    const answer: Middleware = async (ctx, next) => {
      if (ctx.get('x-answered') === '') return next()
      ctx.res.writeHead(200, { 'content-type': 'text/plain' })
      ctx.res.end('answered in front')
      await next()
    }
    const { url, expectNoFault } = await start(framework, [answer])
    const client = await McpClient.open(url)
    for (const call of [ping, client.callMessage('say'), { jsonrpc: '2.0', method: 'notifications/initialized' }]) {
      expect(await (await client.post(call, { 'x-answered': '1' })).text()).toBe('answered in front')
    }
    expect(await client.textOf('say')).toBe('said')
    expectNoFault()
  })

  test('keeps cookies and other headers that were set before', async () => {
    const before: Middleware = (ctx, next) => {
      ctx.cookies.set('visit', '1')
      ctx.append('Set-Cookie', 'second=2')
      ctx.set('X-Request-Id', 'r1')
      return next()
    }
    const { url } = await start(framework, [before])
    for (const reply of Object.values(await askForEach(url))) {
      expect(reply.headers).toMatchObject({
        'x-request-id': 'r1',
        'set-cookie': [expect.stringContaining('visit=1'), 'second=2'],
      })
      reply.leave()
    }
  })
})

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number
}
