import cors from '@koa/cors'
import type { Context, Middleware } from 'koa'
import { koaBody } from 'koa-body'
import bodyParser from 'koa-bodyparser'
import compress from 'koa-compress'
import helmet from 'koa-helmet'
import session from 'koa-session'
import { describe, expect, test } from 'vitest'
import { describeMiddleware, page } from '../../../test-support/adapters/describe-middleware.ts'
import { type Started, start } from '../../../test-support/adapters/start.ts'
import { initializeMessage, McpClient, ping, toText } from '../../../test-support/client/mcp-client.ts'
import { type Reply, send } from '../../../test-support/client/reply.ts'
import { report, type Tool } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { adapters } from './adapter.ts'

const name = 'koa-compress, @koa/cors and koa-helmet'

// A threshold of 0 compresses everything it may.
const before = [compress({ threshold: 0 }), cors({ origin: page, exposeHeaders: 'Mcp-Session-Id' }), helmet()]

const expectHeaders = ({ headers }: Reply): void => expect(headers.vary).toContain('Accept-Encoding')

for (const adapter of adapters) {
  const stacks = [
    { name: `${name} and koa-bodyparser`, before: [...before, bodyParser()], expectHeaders },
    { name: `${name} and koa-body`, before: [...before, koaBody()], expectHeaders },
  ]
  describeMiddleware(adapter, [{ name, before, expectHeaders }, ...stacks], { tellsAnyOrigin: true })
}

const say: Tool = (_args, extra) => report(extra, 'hello').then(() => 'said')

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

describe.each(adapters)('$name with middleware that goes on after await next()', (adapter) => {
  const startBehind = (before: readonly Middleware[], tools: Record<string, Tool> = {}): Promise<Started> =>
    start(adapter, { before, tools: { say, ...tools } })

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
    const { url, expectNoFault } = await startBehind([measure], { hold })
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
    const { url, expectNoFault } = await startBehind([compress({ threshold: 0 }), measure])
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

  test.each([true, false])(
    'which is koa-session, autoCommit %s: an event stream lets it set a cookie before next() alone',
    async (autoCommit) => {
      let keep: Middleware | undefined
      const cookies: Middleware = (ctx, next) => {
        keep ??= session({ key: 'visit', signed: false, rolling: true, autoCommit }, ctx.app as never) as Middleware
        return keep(ctx, async () => {
          const kept = ctx.session as { seen?: boolean; manuallyCommit(): Promise<void> }
          kept.seen = true
          if (!autoCommit) await kept.manuallyCommit()
          await next()
        })
      }
      const { url, errors } = await startBehind([cookies])
      const client = await McpClient.open(url)
      const stream = await client.call('say')
      expect(toText(await stream.answer())).toBe('said')
      const isSet = JSON.stringify(stream.headers['set-cookie'] ?? '').includes('visit=')
      expect([isSet, errors]).toMatchObject(autoCommit ? [false, [{ code: 'ERR_HTTP_HEADERS_SENT' }]] : [true, []])
      expect(JSON.stringify((await client.post(ping)).headers['set-cookie'])).toContain('visit=')
    },
  )

  test('which throws: the app hears of it, the event stream goes on', async () => {
    const throwLate: Middleware = async (ctx, next) => {
      await next()
      if (ctx.headerSent) throw new Error('too late')
    }
    const { url, errors } = await startBehind([throwLate])
    const client = await McpClient.open(url)
    expect(toText(await (await client.call('say')).answer())).toBe('said')
    expect(errors).toMatchObject([{ message: 'too late' }])
  })

  test('which throws before anything was sent: Koa answers, and the app hears of it', async () => {
    const throwEarly: Middleware = async (_ctx, next) => {
      await next()
      throw Object.assign(new Error('mine'), { code: 'ERR_STREAM_PREMATURE_CLOSE' })
    }
    const { url, errors } = await startBehind([throwEarly])
    const reply = await send(url, { body: initializeMessage })
    expect([reply.status, await reply.text()]).toEqual([500, 'Internal Server Error'])
    expect(errors).toMatchObject([{ message: 'mine' }])
  })

  test('which replaces plain answers: it may', async () => {
    const wrap: Middleware = async (ctx, next) => {
      await next()
      if (ctx.status === 404) ctx.body = `replaced ${String(ctx.body).length}`
    }
    const { url } = await startBehind([wrap])
    const { refused } = await askForEach(url)
    expect(await refused.text()).toMatch(/^replaced \d+$/)
  })

  test('under an app that was told not to respond: every answer is sent all the same', async () => {
    const takeOver: Middleware = async (ctx, next) => {
      ctx.respond = false
      await next()
    }
    const { url, expectNoFault } = await startBehind([takeOver])
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
    const { url, expectNoFault } = await startBehind([answer])
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
    const { url } = await startBehind([before])
    for (const reply of Object.values(await askForEach(url))) {
      expect(reply.headers).toMatchObject({
        'x-request-id': 'r1',
        'set-cookie': [expect.stringContaining('visit=1'), 'second=2'],
      })
      reply.leave()
    }
  })
})
