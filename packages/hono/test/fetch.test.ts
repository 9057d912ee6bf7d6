import { type EndpointOptions, mcp } from '@throughline/mcp-http-hono'
import { Hono, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { compress } from 'hono/compress'
import { cors } from 'hono/cors'
import { describe, expect, test } from 'vitest'
import type { Json } from '../../../test-support/client/event-reader.ts'
import { initializeMessage, ping } from '../../../test-support/client/mcp-client.ts'
import { acceptBoth } from '../../../test-support/client/reply.ts'
import { endpointWith, settle, watchedEndpoint } from '../../../test-support/endpoints.ts'
import { cancelled, flooding, report, type Tool } from '../../../test-support/sdk-server.ts'
import { deferred, standstill } from '../../../test-support/waiting.ts'
import { watchProcess } from '../../../test-support/watch-process.ts'

/** The web bridge, with plain `Request` objects: what every runtime but Node hands to `app.fetch`. */

interface FetchOptions {
  readonly tools?: Record<string, Tool>
  readonly before?: readonly MiddlewareHandler[]
  readonly options?: Partial<EndpointOptions>
}

type Ask = (init: RequestInit, sessionId?: string) => Promise<Response>

async function open({ tools, before = [], options }: FetchOptions = {}) {
  const { faults } = watchProcess()
  const app = new Hono()
  const { endpoint, errors } = watchedEndpoint(tools, options)
  for (const middleware of before) app.use(middleware)
  app.all('/mcp', mcp(endpoint))
  const ask: Ask = async (init, sessionId) => {
    const headers = {
      accept: acceptBoth,
      ...(init.body && { 'content-type': 'application/json' }),
      ...(sessionId && { 'mcp-session-id': sessionId }),
      ...(init.headers as Record<string, string> | undefined),
    }
    return app.request('/mcp', { ...init, headers })
  }
  const opened = await ask(toPost(initializeMessage))
  expect(opened.status).toBe(200)
  await opened.text()
  const sessionId = opened.headers.get('mcp-session-id') as string
  expect((await ask(toPost({ jsonrpc: '2.0', method: 'notifications/initialized' }), sessionId)).status).toBe(202)
  const expectNoFault = (): void => expect({ errors, faults }).toEqual({ errors: [], faults: [] })
  return { app, endpoint, sessionId, expectNoFault, ask: (init: RequestInit) => ask(init, sessionId) }
}

function toPost(message: unknown, more: RequestInit = {}): RequestInit {
  return { ...more, method: 'POST', body: typeof message === 'string' ? message : JSON.stringify(message) }
}

function toCall(name: string, args: Json = {}): Json {
  return { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } }
}

/** The messages of an event stream, as they come. */
async function* readMessages(response: Response): AsyncGenerator<Json> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true })
    const blocks = text.split('\n\n')
    text = blocks.pop() as string
    for (const data of blocks.map((block) => /^data: (.+)$/m.exec(block)?.[1])) if (data) yield JSON.parse(data) as Json
  }
}

const say: Tool = async (_args, extra) => {
  await report(extra, 'hello')
  return 'said'
}

describe.each([
  ['nothing', []],
  ['compress() and cors()', [compress({ threshold: 0 }), cors()]],
  ['bodyLimit()', [bodyLimit({ maxSize: 100_000 })]],
  [
    'c.req.json()',
    [
      async (c, next) => {
        if (c.req.method === 'POST') await c.req.json().catch(() => undefined)
        await next()
      },
    ],
  ],
] as [string, MiddlewareHandler[]][])('app.request with %s in front', (_name, before) => {
  test('serves a session from initialize to DELETE', async () => {
    const { ask, expectNoFault } = await open({ before, tools: { say } })
    const answer = await ask(toPost(toCall('echo', { text: 'Grüße 🦉' })))
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(await answer.json()).toMatchObject({ result: { content: [{ text: 'Grüße 🦉' }] } })

    const stream = await ask(toPost(toCall('say'), { headers: { 'accept-encoding': 'gzip' } }))
    expect(stream.headers.get('content-type')).toBe('text/event-stream')
    expect(stream.headers.get('content-encoding')).toBeNull()
    const messages: Json[] = []
    for await (const message of readMessages(stream)) messages.push(message)
    expect(messages).toMatchObject([{ params: { data: 'hello' } }, { result: { content: [{ text: 'said' }] } }])

    const ended = await ask({ method: 'DELETE' })
    expect([ended.status, await ended.text()]).toEqual([204, ''])
    expect((await ask(toPost(ping))).status).toBe(404)
    expectNoFault()
  })

  test('answers malformed JSON with a parse error, other methods with 405', async () => {
    const { ask, expectNoFault } = await open({ before })
    const malformed = await ask(toPost('{"jsonrpc": "2.0", '))
    expect(malformed.status).toBe(400)
    expect(await malformed.json()).toMatchObject({ error: { code: -32700 } })
    for (const method of ['PUT', 'PATCH', 'HEAD', 'OPTIONS']) {
      // The preflight is cors()'s.
      if (method === 'OPTIONS' && before.length > 1) continue
      const refused = await ask({ method })
      expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, POST, DELETE'])
    }
    expectNoFault()
  })

  test('delivers an event while the call runs on', async () => {
    const seen = deferred()
    const step: Tool = async (_args, extra) => {
      await report(extra, 'first')
      await seen.promise
      return 'done'
    }
    const { ask } = await open({ before, tools: { step } })
    const stream = readMessages(await ask(toPost(toCall('step'))))
    expect((await stream.next()).value).toMatchObject({ params: { data: 'first' } })
    seen.resolve()
    expect((await stream.next()).value).toMatchObject({ result: { content: [{ text: 'done' }] } })
  })
})

test('cancelling the body is leaving', async () => {
  const { ask, endpoint, expectNoFault } = await open()
  const stream = await ask({ method: 'GET' })
  expect(endpoint.stats().connections).toBe(1)
  await stream.body?.cancel()
  await settle(endpoint)
  expectNoFault()
})

test('aborting the signal is leaving: while the handler runs', async () => {
  const started = deferred()
  const stopped = deferred()
  const hold: Tool = async (_args, extra) => {
    started.resolve()
    await cancelled(extra)
    stopped.resolve()
  }
  const { ask, endpoint, expectNoFault } = await open({ tools: { hold }, options: { response: 'json' } })
  const controller = new AbortController()
  // The app is not told by app.request: the answer is for nobody.
  void ask(toPost(toCall('hold'), { signal: controller.signal }))
  await started.promise
  controller.abort()
  await stopped.promise
  await settle(endpoint)
  expectNoFault()
})

test('aborting the signal is leaving: in the middle of a stream, before and after it is read', async () => {
  const { ask, endpoint, expectNoFault } = await open()
  for (const read of [false, true]) {
    const controller = new AbortController()
    const stream = await ask({ method: 'GET', signal: controller.signal })
    const reader = stream.body?.getReader()
    if (read) await reader?.read()
    // Whether a stream that nobody reads any more ends or breaks is all one.
    reader?.closed.catch(() => undefined)
    controller.abort()
    await settle(endpoint)
  }
  expectNoFault()
})

test('holds the sender when nobody reads', async () => {
  const { flood, sent, stopped } = flooding(50_000)
  const { ask, endpoint, expectNoFault } = await open({ tools: { flood } })
  const stream = await ask(toPost(toCall('flood')))
  expect(await standstill(sent)).toBeGreaterThan(2)
  await stream.body?.cancel()
  await stopped
  await settle(endpoint)
  expectNoFault()
})

describe('the address on which a connection arrived', () => {
  const ask = async (env: unknown, host: string): Promise<number> => {
    const app = new Hono().all('/mcp', mcp(endpointWith()))
    const headers = { accept: acceptBoth, 'content-type': 'application/json' }
    const request = new Request(`http://${host}/mcp`, toPost(initializeMessage, { headers }))
    return (await app.fetch(request, env as Record<string, unknown>)).status
  }

  test.each([
    ['Deno', { remoteAddr: { transport: 'tcp', hostname: '127.0.0.1', port: 5 } }],
    ['Bun', { requestIP: () => ({ address: '::1', family: 'IPv6', port: 5 }) }],
  ])('is loopback where %s says that the client is on it', async (_runtime, env) => {
    expect(await ask(env, 'evil.example:3000')).toBe(403)
    expect(await ask(env, 'localhost:3000')).toBe(200)
  })

  test.each([
    ['Deno', { remoteAddr: { transport: 'tcp', hostname: '192.0.2.7', port: 5 } }],
    ['Deno on a Unix socket', { remoteAddr: { transport: 'unix', path: '/run/app' } }],
    ['Bun', { requestIP: () => null }],
    ['a worker', { KEY: 'value' }],
    ['a test', undefined],
  ])('is not where %s says otherwise', async (_runtime, env) => {
    expect(await ask(env, 'mcp.example.com')).toBe(200)
  })
})
