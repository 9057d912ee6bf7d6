import { createEndpoint, mcp } from '@throughline/mcp-http-express'
import type { ErrorRequestHandler, Express, RequestHandler } from 'express'
import { describe, expect, onTestFinished, test } from 'vitest'
import { initializeMessage, McpClient, ping, toText } from '../../../test-support/client/mcp-client.ts'
import { acceptBoth, send } from '../../../test-support/client/reply.ts'
import { type Listening, listen } from '../../../test-support/listen.ts'
import { report, serverWith, type Tool } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { type Framework, frameworks, mounts } from './frameworks.ts'

interface Mounted extends Listening {
  readonly url: string
  /** What reached the app's error handler. */
  readonly errors: unknown[]
  /** What reached `onError`. */
  readonly reported: unknown[]
}

async function serve(
  framework: Framework,
  mount: (app: Express, handler: RequestHandler) => void,
  { path = '/mcp', tools = {} }: { path?: string; tools?: Record<string, Tool> } = {},
): Promise<Mounted> {
  const app = framework()
  const reported: unknown[] = []
  const endpoint = createEndpoint({ server: serverWith(tools), onError: (error) => reported.push(error) })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  mount(app, mcp(endpoint))
  const errors = collectErrors(app)
  const listening = await listen(app)
  return { ...listening, url: listening.origin + path, errors, reported }
}

/** Must come after the routes. */
function collectErrors(app: Express): unknown[] {
  const errors: unknown[] = []
  const handler: ErrorRequestHandler = (error, _request, response, next) => {
    errors.push(error)
    if (response.headersSent) return next(error)
    response.status((error as { status?: number }).status ?? 500).send('error handler of the app')
  }
  app.use(handler)
  return errors
}

describe.each(frameworks)('%s', (_name, framework) => {
  describe.each(mounts)('mounted with $name', ({ path, mount }) => {
    const start = (tools: Record<string, Tool> = {}): Promise<Mounted> =>
      serve(framework, (app, handler) => mount(framework, app, handler), { path, tools })

    test('serves a session from initialize to DELETE', async () => {
      const { url, errors } = await start()
      const client = await McpClient.open(url)
      expect(await client.textOf('echo', { text: 'Grüße, 世界 🦉' })).toBe('Grüße, 世界 🦉')
      const ended = await client.delete()
      expect([ended.status, await ended.text()]).toEqual([204, ''])
      expect((await client.post(ping)).status).toBe(404)
      expect(errors).toEqual([])
    })

    test('streams events of a call as they come, and of the session', async () => {
      const seen = deferred()
      const { url } = await start({
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
      const { url } = await start()
      for (const method of ['PUT', 'PATCH', 'HEAD', 'OPTIONS']) {
        const reply = await send(url, { method })
        expect([method, reply.status, reply.headers.allow]).toEqual([method, 405, 'GET, POST, DELETE'])
        await reply.text()
      }
    })
  })

  test('answers 500 when a middleware has read the body and left nothing, and lives on', async () => {
    const { url, errors } = await serve(framework, (app, handler) => {
      app.use('/swallow', (request, _response, next) => {
        request.resume().once('end', () => next())
      })
      app.all(['/mcp', '/swallow'], handler)
    })
    const reply = await send(url.replace('/mcp', '/swallow'), { body: initializeMessage })
    expect(reply.status).toBe(500)
    expect(reply.headers['content-type']).toBe('application/json')
    const { error } = (await reply.json()) as { error: { code: number; message: string } }
    expect(error.code).toBe(-32603)
    expect(error.message).toContain('body was read before it reached the MCP endpoint')
    expect(errors).toEqual([])
    await McpClient.open(url)
  })

  test('answers 500 when a middleware has begun to read the body', async () => {
    const { url } = await serve(framework, (app, handler) => {
      app.use((request, _response, next) => {
        request.once('data', () => {
          request.pause()
          next()
        })
      })
      app.all('/mcp', handler)
    })
    const reply = await send(url, { body: initializeMessage })
    expect(reply.status).toBe(500)
    expect(await reply.json()).toMatchObject({ jsonrpc: '2.0', error: { code: -32603 } })
  })

  test("leaves malformed JSON to express.json()'s own answer when it is in front", async () => {
    const { url, errors } = await serve(framework, (app, handler) => {
      app.use(framework.json())
      app.all('/mcp', handler)
    })
    const reply = await send(url, { body: '{"jsonrpc": "2.0", ' })
    expect([reply.status, await reply.text()]).toEqual([400, 'error handler of the app'])
    expect(errors).toHaveLength(1)
    const client = await McpClient.open(url)
    expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
  })

  test('answers malformed JSON with a JSON-RPC parse error where no parser is in front', async () => {
    const { url, errors } = await serve(framework, (app, handler) => app.all('/mcp', handler))
    const reply = await send(url, { body: '{"jsonrpc": "2.0", ' })
    expect(reply.status).toBe(400)
    expect(await reply.json()).toMatchObject({ jsonrpc: '2.0', error: { code: -32700 } })
    expect(errors).toEqual([])
  })

  test('reads a body after an asynchronous middleware', async () => {
    const { url } = await serve(framework, (app, handler) => {
      app.use((_request, _response, next) => {
        setTimeout(next, 20)
      })
      app.all('/mcp', handler)
    })
    const client = await McpClient.open(url)
    expect(await client.textOf('echo', { text: 'x'.repeat(300_000) })).toBe('x'.repeat(300_000))
  })

  test('keeps two servers on one app apart', async () => {
    const app = framework()
    const name: Record<string, string> = {}
    for (const which of ['blue', 'green']) {
      const endpoint = createEndpoint({ server: serverWith({ which: () => which }, which) })
      onTestFinished(() => endpoint.close({ drainMs: 0 }))
      app.all(`/${which}`, mcp(endpoint))
    }
    const { origin } = await listen(app)
    const blue = await McpClient.open(`${origin}/blue`)
    const green = await McpClient.open(`${origin}/green`)
    name.blue = await blue.textOf('which')
    name.green = await green.textOf('which')
    expect(name).toEqual({ blue: 'blue', green: 'green' })
    const astray = await send(`${origin}/green`, { headers: blue.headers, body: ping })
    expect(astray.status).toBe(404)
  })

  test('leaves other routes alone', async () => {
    const { origin, url } = await serve(framework, (app, handler) => {
      app.get('/health', (_request, response) => {
        response.json({ ok: true })
      })
      app.all('/mcp', handler)
      app.post('/form', framework.urlencoded({ extended: false }), (request, response) => {
        response.json(request.body)
      })
    })
    await McpClient.open(url)
    expect(await (await fetch(`${origin}/health`)).json()).toEqual({ ok: true })
    const form = await fetch(`${origin}/form`, { method: 'POST', body: new URLSearchParams({ a: '1' }) })
    expect(await form.json()).toEqual({ a: '1' })
    expect((await fetch(`${origin}/nothing`)).status).toBe(404)
  })

  test('gives an unknown path below app.all to the app', async () => {
    const { url } = await serve(framework, (app, handler) => app.all('/mcp', handler))
    const reply = await send(`${url}/deeper`, { headers: { accept: acceptBoth }, body: initializeMessage })
    expect(reply.status).toBe(404)
    expect(reply.headers['content-type']).toContain('text/html')
  })

  test('hands what the app cannot know of to its error handler: nothing, since the endpoint answers itself', async () => {
    const app = framework()
    const reported: unknown[] = []
    const fail = (): never => {
      throw new Error('secret of the factory')
    }
    app.all('/mcp', mcp({ server: fail, onError: (error) => reported.push(error) }))
    const errors = collectErrors(app)
    const { origin } = await listen(app)
    const reply = await send(`${origin}/mcp`, { body: initializeMessage })
    const text = await reply.text()
    expect([reply.status, JSON.parse(text)]).toMatchObject([500, { id: 0, error: { code: -32603 } }])
    expect(text).not.toContain('secret')
    expect(errors).toEqual([])
    expect(reported).toMatchObject([{ message: 'secret of the factory' }])
  })
})

test('refuses bad options at once, naming them', () => {
  expect(() => mcp({ server: 'none' } as never)).toThrow(/Expected server to be a function/)
})
