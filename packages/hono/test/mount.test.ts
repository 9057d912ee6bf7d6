import { mcp } from '@throughline/mcp-http-hono'
import { Hono, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { validator } from 'hono/validator'
import { describe, expect, test } from 'vitest'
import { initializeMessage, McpClient, ping, toText } from '../../../test-support/client/mcp-client.ts'
import { RawConnection, toHead } from '../../../test-support/client/raw-connection.ts'
import { send } from '../../../test-support/client/reply.ts'
import { endpointWith } from '../../../test-support/endpoints.ts'
import { report, type Tool } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { watchProcess } from '../../../test-support/watch-process.ts'
import { listen, type Started, start } from './test-app.ts'

type McpHandler = ReturnType<typeof mcp>

interface Mount {
  readonly name: string
  readonly path: string
  mount(app: Hono, handler: McpHandler): Hono
}

function behind(name: string, middleware: MiddlewareHandler): Mount {
  return { name, path: '/mcp', mount: (app, handler) => app.use(middleware).all('/mcp', handler) }
}

/** Middleware that looks at the body of a POST first. */
function reading(read: (c: Parameters<MiddlewareHandler>[0]) => unknown): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.method === 'POST') await read(c)
    await next()
  }
}

const readsJson = reading((c) => c.req.json().catch(() => undefined))

const mounts: readonly Mount[] = [
  { name: 'app.all', path: '/mcp', mount: (app, handler) => app.all('/mcp', handler) },
  { name: 'basePath', path: '/api/v1/mcp', mount: (app, handler) => app.basePath('/api/v1').all('/mcp', handler) },
  {
    name: 'app.route',
    path: '/tenants/42/mcp',
    mount: (app, handler) => app.route('/tenants/:tenant', new Hono().all('/mcp', handler)),
  },
  {
    name: 'app.route with an error handler of its own',
    path: '/sub/mcp',
    mount: (app, handler) =>
      app.route('/sub', new Hono().onError((_error, c) => c.text('of the sub-app', 500)).all('/mcp', handler)),
  },
  {
    name: 'app.use',
    path: '/mcp',
    mount: (app, handler) => app.use('/mcp', handler),
  },
  behind('c.req.json() in front', readsJson),
  behind(
    'c.req.text() in front',
    reading((c) => c.req.text()),
  ),
  behind(
    'c.req.arrayBuffer() in front',
    reading((c) => c.req.arrayBuffer()),
  ),
  behind(
    'c.req.json() begun in front',
    reading((c) => void c.req.json().catch(() => undefined)),
  ),
  behind(
    'c.req.raw.clone() read in front',
    reading((c) => c.req.raw.clone().text()),
  ),
  behind(
    'c.req.raw.clone() in front',
    reading((c) => void c.req.raw.clone()),
  ),
  behind('bodyLimit() in front', bodyLimit({ maxSize: 1_000_000 })),
  behind(
    'another Request in place of the first',
    reading(async (c) => {
      c.req.raw = new Request(c.req.raw, { body: await c.req.raw.arrayBuffer() })
    }),
  ),
  {
    name: 'a validator on the route',
    path: '/mcp',
    mount: (app, handler) =>
      app.all(
        '/mcp',
        validator('json', (value) => value),
        handler,
      ),
  },
]

interface Mounted {
  readonly url: string
  readonly errors: unknown[]
  readonly faults: readonly unknown[]
}

async function serve({ path, mount }: Pick<Mount, 'path' | 'mount'>, tools?: Record<string, Tool>): Promise<Mounted> {
  const { faults } = watchProcess()
  const errors: unknown[] = []
  const app = mount(new Hono(), mcp(endpointWith(tools, { onError: (error) => errors.push(error) })))
  app.onError((error, c) => {
    errors.push(error)
    return 'getResponse' in error ? (error.getResponse as () => Response)() : c.text('error handler of the app', 500)
  })
  const { origin } = await listen(app)
  return { url: origin + path, errors, faults }
}

describe.each(mounts)('mounted with $name', (mount) => {
  test('serves a session from initialize to DELETE', async () => {
    const { url, errors, faults } = await serve(mount)
    const client = await McpClient.open(url)
    expect(await client.textOf('echo', { text: 'Grüße, 世界 🦉' })).toBe('Grüße, 世界 🦉')
    // Larger than what web streams and sockets hold by themselves.
    expect(await client.textOf('echo', { text: 'x'.repeat(900_000) })).toHaveLength(900_000)
    const ended = await client.delete()
    expect([ended.status, await ended.text()]).toEqual([204, ''])
    expect((await client.post(ping)).status).toBe(404)
    expect({ errors, faults }).toEqual({ errors: [], faults: [] })
  })

  test('streams events of a call as they come, and of the session', async () => {
    const seen = deferred()
    const { url } = await serve(mount, {
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
    const { url, errors } = await serve(mount)
    const chunked = await send(url, { headers: { 'transfer-encoding': 'chunked' }, body: initializeMessage })
    expect(chunked.status).toBe(200)
    await chunked.text()
    const odd = await send(url, { body: { hello: 'world' } })
    expect(odd.status).toBe(400)
    expect(await odd.json()).toMatchObject({ jsonrpc: '2.0', error: { code: -32600 } })
    expect(errors).toEqual([])
  })

  test('answers malformed JSON: with a JSON-RPC parse error, unless a validator does', async () => {
    const { url, errors } = await serve(mount)
    const reply = await send(url, { body: '{"jsonrpc": "2.0", ' })
    expect(reply.status).toBe(400)
    if (mount.name === 'a validator on the route') {
      expect(await reply.text()).toBe('Malformed JSON in request body')
      return
    }
    expect(await reply.json()).toMatchObject({ jsonrpc: '2.0', error: { code: -32700 } })
    expect(errors).toEqual([])
  })

  test('answers 405 with Allow to other methods', async () => {
    const { url } = await serve(mount)
    for (const method of ['PUT', 'PATCH', 'HEAD', 'OPTIONS']) {
      const reply = await send(url, { method })
      expect([method, reply.status, reply.headers.allow]).toEqual([method, 405, 'GET, POST, DELETE'])
      await reply.text()
    }
  })

  test('refuses a name that is not of this machine on a loopback address: DNS rebinding finds nothing', async () => {
    const { url } = await serve(mount)
    const reply = await send(url, { headers: { host: 'evil.example:3000' }, body: initializeMessage })
    expect(reply.status).toBe(403)
    expect(await reply.json()).toMatchObject({ error: { message: expect.stringContaining('Host not allowed') } })
  })
})

const plain = (app: Hono, handler: McpHandler): Hono => app.all('/mcp', handler)

test('answers 500 when a middleware has read the body past Hono, and lives on', async () => {
  const { url, errors } = await serve({
    path: '/mcp',
    mount: (app, handler) =>
      app
        .use(
          '/mcp',
          reading(async (c) => {
            if (c.req.header('x-swallow')) await c.req.raw.text()
          }),
        )
        .all('/mcp', handler),
  })
  const reply = await send(url, { headers: { 'x-swallow': 'yes' }, body: initializeMessage })
  expect(reply.status).toBe(500)
  expect(await reply.json()).toMatchObject({
    error: { code: -32603, message: expect.stringContaining('body was read before it reached the MCP endpoint') },
  })
  expect(errors).toEqual([])
  await McpClient.open(url)
})

test('leaves a body that is too large for bodyLimit() to bodyLimit()', async () => {
  const { url } = await serve({
    path: '/mcp',
    mount: (app, handler) =>
      app.use(bodyLimit({ maxSize: 500, onError: (c) => c.text('too much', 413) })).all('/mcp', handler),
  })
  const client = await McpClient.open(url)
  for (const headers of [{}, { 'transfer-encoding': 'chunked' }] as Record<string, string>[]) {
    const reply = await client.call('echo', { text: 'x'.repeat(1_000) }, headers)
    expect([reply.status, await reply.text()]).toEqual([413, 'too much'])
  }
  expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
})

test('answers 413 to a chunked body that is too large, while it comes in', async () => {
  const { url, port, expectNoFault } = await start({ options: { maxBodyBytes: 10_000 } })
  const client = await McpClient.open(url)
  const connection = await RawConnection.open(port)
  const headers = { host: 'localhost', accept: 'application/json, text/event-stream', ...client.headers }
  connection.write(
    toHead('POST', '/mcp', { ...headers, 'content-type': 'application/json', 'transfer-encoding': 'chunked' }),
  )
  connection.write(`4000\r\n${'x'.repeat(0x4000)}\r\n`)
  expect((await connection.readHead()).status).toBe(413)
  connection.socket.destroy()
  expectNoFault()
})

test('reads a body after an asynchronous middleware', async () => {
  const { url } = await start({
    before: [
      async (_c, next) => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        await next()
      },
    ],
  })
  const client = await McpClient.open(url)
  expect(await client.textOf('echo', { text: 'x'.repeat(300_000) })).toBe('x'.repeat(300_000))
})

test('keeps a connection for the next request, and gives plain answers a length', async () => {
  const { url, port, expectNoFault } = await start()
  const client = await McpClient.open(url)
  const connection = await RawConnection.open(port)
  const headers = { host: 'localhost', accept: 'application/json, text/event-stream', ...client.headers }
  const write = (method: string, message?: unknown): void => {
    const body = message ? JSON.stringify(message) : ''
    const more = message ? { 'content-type': 'application/json', 'content-length': String(body.length) } : undefined
    connection.write(toHead(method, '/mcp', { ...headers, ...more }) + body)
  }
  write('POST', ping)
  const pong = await connection.readResponse()
  expect(pong.headers['content-length']).toBe(String(pong.body.length))
  write('POST', { jsonrpc: '2.0', method: 'notifications/initialized' })
  const accepted = await connection.readResponse()
  expect([accepted.status, accepted.headers['content-length'], accepted.body]).toEqual([202, '0', ''])
  write('DELETE')
  const ended = await connection.readResponse()
  expect([ended.status, ended.headers['content-length']]).toEqual([204, undefined])
  expectNoFault()
})

test('while draining, keeps no connection', async () => {
  const hold = deferred()
  const { url, endpoint } = await start({
    options: { response: 'json' },
    tools: { hold: () => hold.promise.then(() => 'held') },
  })
  const client = await McpClient.open(url)
  const running = client.call('hold')
  const reply = await client.get()
  const closing = endpoint.close({ drainMs: 5_000 })
  await reply.events.ended
  const refused = await client.post(ping)
  expect([refused.status, refused.headers.connection]).toEqual([503, 'close'])
  hold.resolve()
  expect((await running).headers.connection).toBe('close')
  await closing
})

test('keeps two servers on one app apart', async () => {
  const app = new Hono()
  for (const which of ['blue', 'green']) app.all(`/${which}`, mcp(endpointWith({ which: () => which })))
  const { origin } = await listen(app)
  const blue = await McpClient.open(`${origin}/blue`)
  const green = await McpClient.open(`${origin}/green`)
  expect([await blue.textOf('which'), await green.textOf('which')]).toEqual(['blue', 'green'])
  expect((await send(`${origin}/green`, { headers: blue.headers, body: ping })).status).toBe(404)
})

test('leaves other routes alone', async () => {
  const { url } = await serve({
    path: '/mcp',
    mount: (app, handler) =>
      plain(
        app.get('/health', (c) => c.json({ ok: true })),
        handler,
      ).post('/form', async (c) => c.json(await c.req.parseBody())),
  })
  await McpClient.open(url)
  expect(await (await send(url.replace('mcp', 'health'), { method: 'GET' })).json()).toEqual({ ok: true })
  const form = await send(url.replace('mcp', 'form'), {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'a=1',
  })
  expect(await form.json()).toEqual({ a: '1' })
  expect((await send(`${url}/deeper`, { body: initializeMessage })).status).toBe(404)
})

test('answers an error of the factory itself; middleware finds it in c.error', async () => {
  const reported: unknown[] = []
  const seen: unknown[] = []
  const app = new Hono()
  app.use(async (c, next) => {
    await next()
    seen.push(c.error)
  })
  const fail = (): never => {
    throw new Error('secret of the factory')
  }
  app.all('/mcp', mcp({ server: fail, onError: (error) => reported.push(error) }))
  app.onError((error, c) => {
    seen.push('onError', error)
    return c.text('error handler of the app', 500)
  })
  const { origin } = await listen(app)
  const reply = await send(`${origin}/mcp`, { body: initializeMessage })
  const text = await reply.text()
  expect([reply.status, JSON.parse(text)]).toMatchObject([500, { id: 0, error: { code: -32603 } }])
  expect(text).not.toContain('secret')
  expect(reported).toMatchObject([{ message: 'secret of the factory' }])
  expect(seen).toEqual(reported)
})

describe('a client that reads slowly', () => {
  async function startFlood(stallMs: number): Promise<Started & { readonly client: McpClient }> {
    const started = await start({
      options: { stallMs, response: 'sse', abandonAfterMs: 60_000 },
      tools: { big: () => 'y'.repeat(30_000_000) },
    })
    return { ...started, client: await McpClient.open(started.url) }
  }

  test('gets a large event whole, as long as it reads', async () => {
    const { client, endpoint, expectNoFault } = await startFlood(150)
    const reply = await client.call('big')
    const text: Buffer[] = []
    // Half a megabyte at a time, with pauses: in all far longer than a stall may last.
    let size = 0
    let pausedAt = 0
    const done = new Promise<void>((resolve) => reply.response.once('end', resolve))
    reply.response.on('data', (chunk: Buffer) => {
      text.push(chunk)
      size += chunk.length
      if (size - pausedAt < 3_000_000) return
      pausedAt = size
      reply.response.pause()
      setTimeout(() => reply.response.resume(), 50)
    })
    await done
    expect(Buffer.concat(text).toString()).toContain(`${'y'.repeat(30_000_000)}"`)
    expect(endpoint.stats().connections).toBe(0)
    expectNoFault()
  })

  test('is cut off when it reads nothing any more, without a word', async () => {
    const { client, endpoint, exchanges, expectNoFault } = await startFlood(100)
    const reply = await client.call('big')
    reply.response.pause()
    await exchanges.at(-1)?.closed
    expect(endpoint.stats().connections).toBe(0)
    reply.leave()
    expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
    expectNoFault()
  })
})

test('refuses bad options at once, naming them', () => {
  expect(() => mcp({ server: 'none' } as never)).toThrow(/Expected server to be a function/)
})

test('takes an app with its own environment', async () => {
  const app = new Hono<{ Variables: { user: string } }>()
  app.all('/mcp', mcp(endpointWith()))
  const { origin } = await listen(app as unknown as Hono)
  await McpClient.open(`${origin}/mcp`)
})
