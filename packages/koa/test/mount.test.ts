import Router from '@koa/router'
import { mcp } from '@throughline/mcp-http-koa'
import type Koa from 'koa'
import type { Middleware } from 'koa'
import bodyParser from 'koa-bodyparser'
import { describe, expect, test, vi } from 'vitest'
import { initializeMessage, McpClient, ping, toText } from '../../../test-support/client/mcp-client.ts'
import { send } from '../../../test-support/client/reply.ts'
import { endpointWith } from '../../../test-support/endpoints.ts'
import { type Listening, listen } from '../../../test-support/listen.ts'
import { report, type Tool } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { watchProcess } from '../../../test-support/watch-process.ts'
import { atPath, type Framework, frameworks, mounts, parsers } from './frameworks.ts'
import { collectErrors } from './test-app.ts'

interface Mounted extends Listening {
  readonly url: string
  /** What the app was told of. */
  readonly errors: Error[]
}

interface ServeOptions {
  readonly path?: string
  readonly tools?: Record<string, Tool>
}

async function serve(
  framework: Framework,
  mount: (app: Koa, handler: Middleware) => void,
  { path = '/mcp', tools = {} }: ServeOptions = {},
): Promise<Mounted> {
  const app = new framework()
  const errors = collectErrors(app)
  mount(app, mcp(endpointWith(tools)))
  const listening = await listen(app.callback())
  return { ...listening, url: listening.origin + path, errors }
}

describe.each(frameworks)('%s', (_name, framework) => {
  describe.each(mounts)('mounted with $name', ({ path, mount }) => {
    const start = (tools: Record<string, Tool> = {}): Promise<Mounted> => serve(framework, mount, { path, tools })

    test('serves a session from initialize to DELETE', async () => {
      const { url, errors } = await start()
      const client = await McpClient.open(url)
      expect(await client.textOf('echo', { text: 'Grüße, 世界 🦉' })).toBe('Grüße, 世界 🦉')
      const ended = await client.delete()
      expect([ended.status, await ended.text()]).toEqual([204, ''])
      const late = await client.post(ping)
      expect([late.status, late.headers['content-type']]).toEqual([404, 'application/json'])
      expect(errors).toEqual([])
    })

    test('streams events of a call as they come, and of the session', async () => {
      const seen = deferred()
      const { url, errors } = await start({
        step: async (_args, extra) => {
          await report(extra, 'first')
          await seen.promise
          return 'done'
        },
      })
      const client = await McpClient.open(url)
      const reply = await client.call('step')
      expect(reply.headers['content-type']).toBe('text/event-stream')
      expect((await reply.events.next()).message).toMatchObject({ params: { data: 'first' } })
      seen.resolve()
      expect(toText(await reply.answer())).toBe('done')
      await reply.events.ended

      const standalone = await client.get()
      expect([standalone.status, standalone.headers['content-type']]).toEqual([200, 'text/event-stream'])
      standalone.leave()
      expect(errors).toEqual([])
    })

    test('reads a chunked body, and refuses what is no JSON-RPC', async () => {
      const { url, errors } = await start()
      const chunked = await send(url, { headers: { 'transfer-encoding': 'chunked' }, body: initializeMessage })
      expect(chunked.status).toBe(200)
      await chunked.text()
      const odd = await send(url, { body: { hello: 'world' } })
      expect(odd.status).toBe(400)
      expect(await odd.json()).toMatchObject({ jsonrpc: '2.0', error: { code: -32600 } })
      expect(errors).toEqual([])
    })

    test('answers 405 with Allow to other methods', async () => {
      const { url, errors } = await start()
      for (const method of ['PUT', 'PATCH', 'HEAD', 'OPTIONS', 'PROPFIND']) {
        const reply = await send(url, { method })
        expect([method, reply.status, reply.headers.allow]).toEqual([method, 405, 'GET, POST, DELETE'])
        await reply.text()
      }
      expect(errors).toEqual([])
    })
  })

  test.each(parsers.filter(([name]) => !name.includes('leaves text')))(
    "leaves malformed JSON to %s' own answer when it is in front, and lives on",
    async (_parser, create) => {
      const { url, errors } = await serve(framework, (app, handler) => app.use(create()).use(handler))
      const reply = await send(url, { body: '{"jsonrpc": "2.0", ' })
      expect([reply.status, reply.headers['content-type']]).toEqual([400, 'text/plain; charset=utf-8'])
      await reply.text()
      expect(errors).toMatchObject([{ status: 400 }])
      const client = await McpClient.open(url)
      expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
    },
  )

  test('answers malformed JSON with a JSON-RPC parse error where no parser is in front', async () => {
    const { url, errors } = await serve(framework, (app, handler) => app.use(handler).use(bodyParser()))
    const reply = await send(url, { body: '{"jsonrpc": "2.0", ' })
    expect(reply.status).toBe(400)
    expect(await reply.json()).toMatchObject({ jsonrpc: '2.0', error: { code: -32700 } })
    expect(errors).toEqual([])
  })

  test('answers 500 when a middleware has read the body and left nothing, and lives on', async () => {
    const { url, errors } = await serve(framework, (app, handler) => {
      app.use(async (ctx, next) => {
        if (ctx.get('x-swallow')) for await (const _chunk of ctx.req);
        await next()
      })
      app.use(handler)
    })
    const reply = await send(url, { headers: { 'x-swallow': '1' }, body: initializeMessage })
    expect([reply.status, reply.headers['content-type']]).toEqual([500, 'application/json'])
    const { error } = (await reply.json()) as { error: { code: number; message: string } }
    expect(error.code).toBe(-32603)
    expect(error.message).toContain('body was read before it reached the MCP endpoint')
    expect(errors).toEqual([])
    await McpClient.open(url)
  })

  test('reads a body after an asynchronous middleware', async () => {
    const { url } = await serve(framework, (app, handler) => {
      app.use(async (_ctx, next) => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        await next()
      })
      app.use(handler)
    })
    const client = await McpClient.open(url)
    expect(await client.textOf('echo', { text: 'x'.repeat(300_000) })).toBe('x'.repeat(300_000))
  })

  test('holds the sender while the client does not read, and loses nothing', async () => {
    const count = 200
    let sent = 0
    const flood: Tool = async (_args, extra) => {
      for (; sent < count; sent++) await report(extra, `${sent} ${'x'.repeat(100_000)}`)
      return 'done'
    }
    const { url, errors } = await serve(framework, (app, handler) => app.use(handler), { tools: { flood } })
    const client = await McpClient.open(url)
    const reply = await client.call('flood')
    // Nothing reads the response yet: what the sockets and Node's queue can take is far less than 20 MB.
    const isHeld = async (): Promise<void> => {
      const before = sent
      await new Promise((resolve) => setTimeout(resolve, 30))
      expect(sent).toBe(before)
    }
    await vi.waitFor(isHeld, { timeout: 5_000, interval: 5 })
    expect(sent).toBeLessThan(count)
    for (let i = 0; i < count; i++) {
      const { params } = (await reply.events.next()).message as { params: { data: string } }
      expect(Number.parseInt(params.data, 10)).toBe(i)
    }
    expect(toText(await reply.answer())).toBe('done')
    expect(errors).toEqual([])
  })

  test('keeps two servers on one app apart', async () => {
    const app = new framework()
    const router = new Router()
    for (const which of ['blue', 'green']) router.all(`/${which}`, mcp(endpointWith({ which: () => which })))
    const { origin } = await listen(app.use(router.routes()).callback())
    const blue = await McpClient.open(`${origin}/blue`)
    const green = await McpClient.open(`${origin}/green`)
    expect([await blue.textOf('which'), await green.textOf('which')]).toEqual(['blue', 'green'])
    const astray = await send(`${origin}/green`, { headers: blue.headers, body: ping })
    expect(astray.status).toBe(404)
  })

  test('leaves other routes alone, with a parser of their own', async () => {
    const { origin, url, errors } = await serve(framework, (app, handler) => {
      const router = new Router()
      router.get('/health', (ctx) => {
        ctx.body = { ok: true }
      })
      router.all('/mcp', handler)
      router.post('/form', bodyParser(), (ctx) => {
        ctx.body = ctx.request.body
      })
      app.use(router.routes()).use(router.allowedMethods())
    })
    await McpClient.open(url)
    expect(await (await fetch(`${origin}/health`)).json()).toEqual({ ok: true })
    const form = await fetch(`${origin}/form`, { method: 'POST', body: new URLSearchParams({ a: '1' }) })
    expect(await form.json()).toEqual({ a: '1' })
    expect((await fetch(`${origin}/nothing`)).status).toBe(404)
    expect((await fetch(`${url}/deeper`)).status).toBe(404)
    expect((await fetch(`${origin}/health`, { method: 'POST' })).status).toBe(405)
    expect(errors).toEqual([])
  })

  test('gives a request outside of its path to the next middleware', async () => {
    const { origin } = await serve(framework, (app, handler) => {
      app.use(atPath(handler)).use((ctx) => {
        ctx.body = 'next'
      })
    })
    expect(await (await fetch(`${origin}/other`)).text()).toBe('next')
  })

  test.each([
    ['an Error', new Error('secret of the factory'), 'secret of the factory'],
    ['a string', 'secret of the factory', "non-error thrown: 'secret of the factory'"],
    ['nothing', undefined, 'non-error thrown: undefined'],
  ])(
    'emits what the server factory throws on the app, once, and tells the client nothing: %s',
    async (_what, thrown, message) => {
      const app = new framework()
      const emitted: unknown[][] = []
      app.on('error', (...args: unknown[]) => emitted.push(args))
      const fail = (): never => {
        throw thrown
      }
      app.use(mcp({ server: fail }))
      const { origin } = await listen(app.callback())
      const reply = await send(origin, { body: initializeMessage })
      const text = await reply.text()
      expect([reply.status, JSON.parse(text)]).toMatchObject([500, { id: 0, error: { code: -32603 } }])
      expect(text).not.toContain('secret')
      expect(emitted).toEqual([[expect.objectContaining({ message }), expect.objectContaining({ path: '/' })]])
      expect(emitted[0]?.[0]).toBeInstanceOf(Error)
    },
  )

  test('has such an error printed where the app listens to none, as Koa does', async () => {
    const { faults } = watchProcess()
    const app = new framework()
    app.use(mcp({ server: () => Promise.reject(new Error('no database')) }))
    const { origin } = await listen(app.callback())
    expect((await send(origin, { body: initializeMessage })).status).toBe(500)
    expect(faults).toEqual([expect.stringContaining('Error: no database')])
  })

  test('serves one endpoint from several places', async () => {
    const app = new framework()
    const endpoint = endpointWith()
    app.use(atPath(mcp(endpoint), '/a')).use(atPath(mcp(endpoint), '/b'))
    const { origin } = await listen(app.callback())
    const client = await McpClient.open(`${origin}/a`)
    expect((await send(`${origin}/b`, { headers: client.headers, body: ping })).status).toBe(200)
  })
})

test('refuses bad options at once, naming them', () => {
  expect(() => mcp({ server: 'none' } as never)).toThrow(/Expected server to be a function/)
})
