import { once } from 'node:events'
import { Agent, type IncomingMessage, type ServerResponse } from 'node:http'
import { createMemoryBackplane } from '@throughline/mcp-http-core'
import { type Endpoint, type EndpointOptions, mcp } from '@throughline/mcp-http-koa'
import type { Middleware } from 'koa'
import bodyParser from 'koa-bodyparser'
import compress from 'koa-compress'
import { describe, expect, test, vi } from 'vitest'
import { type Framework, frameworks } from './frameworks.ts'
import { begin, type Farewell, initializeMessage, leave, McpClient, ping, readReply, send } from './raw-client.ts'
import {
  cancelled,
  collectErrors,
  deferred,
  endpointWith,
  listen,
  report,
  serverWith,
  type Tool,
  watchProcess,
} from './test-server.ts'

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly closed: Promise<unknown>
}

interface Started {
  readonly url: string
  readonly endpoint: Endpoint
  /** Every exchange so far, the newest last. */
  readonly exchanges: Exchange[]
  /** What the app was told of. */
  readonly errors: unknown[]
  /** Fails when anything was thrown, rejected, warned of, printed, or handed to the app. */
  readonly expectNoFault: () => void
}

interface StartOptions {
  readonly tools?: Record<string, Tool>
  readonly options?: Partial<EndpointOptions>
  readonly before?: readonly Middleware[]
}

async function start(framework: Framework, { tools, options, before = [] }: StartOptions = {}): Promise<Started> {
  const { faults } = watchProcess()
  const exchanges: Exchange[] = []
  const app = new framework()
  const errors: unknown[] = collectErrors(app)
  const endpoint = endpointWith(tools, { abandonAfterMs: 100, onError: (error) => errors.push(error), ...options })
  app.use(({ req: request, res: response }, next) => {
    exchanges.push({ request, response, closed: once(response, 'close') })
    return next()
  })
  for (const middleware of before) app.use(middleware)
  app.use(mcp(endpoint))
  const { origin } = await listen(app.callback())
  const expectNoFault = (): void => expect({ errors, faults }).toEqual({ errors: [], faults: [] })
  return { url: `${origin}/mcp`, endpoint, exchanges, errors, expectNoFault }
}

/** Waits until the endpoint holds nothing but the sessions themselves. */
async function settle(endpoint: Endpoint, sessions = 1): Promise<void> {
  await vi.waitFor(
    () => {
      const { connections, calls, streams, questions, detachedCalls } = endpoint.stats()
      expect({ connections, calls, questions, detachedCalls }).toEqual({
        connections: 0,
        calls: 0,
        questions: 0,
        detachedCalls: 0,
      })
      // Each session has its standalone stream.
      expect(streams).toBe(sessions)
      expect(endpoint.stats().sessions).toBe(sessions)
    },
    { timeout: 3_000, interval: 10 },
  )
}

async function newest(exchanges: readonly Exchange[], count: number): Promise<Exchange> {
  await vi.waitFor(() => expect(exchanges.length).toBe(count), { interval: 2 })
  return exchanges.at(-1) as Exchange
}

const farewells: readonly Farewell[] = ['close', 'reset']
const ways = frameworks.flatMap(([name, framework]) => farewells.map((farewell) => ({ name, framework, farewell })))

describe.each(ways)('$name: the client leaves with a $farewell', ({ framework, farewell }) => {
  test('before its body is complete', async () => {
    const { url, endpoint, exchanges, expectNoFault } = await start(framework)
    const client = await McpClient.open(url)
    for (const headers of [client.headers, {}]) {
      const outgoing = begin(url, { headers: { ...headers, 'content-length': '1000' } })
      const count = exchanges.length + 1
      outgoing.write('{"jsonrpc":"2.0",')
      const { closed } = await newest(exchanges, count)
      leave(outgoing, farewell)
      await closed
    }
    await settle(endpoint)
    expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
    expectNoFault()
  })

  test('in the middle of a chunked body', async () => {
    const { url, endpoint, exchanges, expectNoFault } = await start(framework)
    const client = await McpClient.open(url)
    const outgoing = begin(url, { headers: client.headers })
    outgoing.write('{"jsonrpc":"2.0",')
    const { closed } = await newest(exchanges, 3)
    leave(outgoing, farewell)
    await closed
    await settle(endpoint)
    expectNoFault()
  })

  test.each(['auto', 'sse', 'json'] as const)('while the handler runs, with response: %s', async (response) => {
    const started = deferred()
    const stopped = deferred()
    const { url, endpoint, exchanges, expectNoFault } = await start(framework, {
      options: { response, upgradeAfterMs: 10_000 },
      tools: {
        hold: async (_args, extra) => {
          started.resolve()
          await cancelled(extra)
          stopped.resolve()
          return 'nobody reads this'
        },
      },
    })
    const client = await McpClient.open(url)
    const outgoing = begin(url, { headers: client.headers })
    outgoing.end(JSON.stringify(client.callMessage('hold')))
    await started.promise
    leave(outgoing, farewell)
    await exchanges.at(-1)?.closed
    await stopped.promise
    await settle(endpoint)
    expectNoFault()
  })

  test('while the handler runs, which then ends by itself', async () => {
    const started = deferred()
    const finish = deferred()
    const { url, endpoint, exchanges, expectNoFault } = await start(framework, {
      options: { abandonAfterMs: 60_000, upgradeAfterMs: 10_000 },
      tools: {
        hold: async (_args, extra) => {
          started.resolve()
          await finish.promise
          await report(extra, 'late')
          return 'late'
        },
      },
    })
    const client = await McpClient.open(url)
    const outgoing = begin(url, { headers: client.headers })
    outgoing.end(JSON.stringify(client.callMessage('hold')))
    await started.promise
    leave(outgoing, farewell)
    await exchanges.at(-1)?.closed
    finish.resolve()
    await settle(endpoint)
    expectNoFault()
  })

  test('in the middle of a stream, and finds the rest when it comes back', async () => {
    const finish = deferred()
    const { url, endpoint, exchanges, expectNoFault } = await start(framework, {
      options: { abandonAfterMs: 60_000 },
      tools: {
        hold: async (_args, extra) => {
          await report(extra, 'first')
          await finish.promise
          await report(extra, 'second')
          return 'whole'
        },
      },
    })
    const client = await McpClient.open(url)
    const reply = await client.call('hold')
    const { id } = await reply.events.next()
    reply.leave(farewell)
    await exchanges.at(-1)?.closed
    finish.resolve()
    await settle(endpoint)
    const resumed = await client.get({ 'last-event-id': id as string })
    expect((await resumed.events.next()).message).toMatchObject({ params: { data: 'second' } })
    expect(await resumed.answer()).toMatchObject({ result: { content: [{ text: 'whole' }] } })
    await settle(endpoint)
    expectNoFault()
  })

  test('in the middle of a stream and for good', async () => {
    const stopped = deferred()
    const { url, endpoint, expectNoFault } = await start(framework, {
      tools: {
        hold: async (_args, extra) => {
          await report(extra, 'first')
          await cancelled(extra)
          // A handler that does not know yet.
          await report(extra, 'to nobody')
          stopped.resolve()
        },
      },
    })
    const client = await McpClient.open(url)
    const reply = await client.call('hold')
    await reply.events.next()
    reply.leave(farewell)
    await stopped.promise
    await settle(endpoint)
    expectNoFault()
  })

  test('while a write to it is blocked', async () => {
    const stopped = deferred()
    let sent = 0
    const { url, endpoint, exchanges, expectNoFault } = await start(framework, {
      tools: {
        flood: async (_args, extra) => {
          const stop = cancelled(extra)
          while (!extra.signal.aborted) {
            await Promise.race([report(extra, 'x'.repeat(100_000)), stop])
            sent++
          }
          stopped.resolve()
        },
      },
    })
    const client = await McpClient.open(url)
    const reply = await client.call('flood')
    const { response } = exchanges.at(-1) as Exchange
    await vi.waitFor(() => expect(response.writableLength).toBeGreaterThan(200_000), { interval: 5 })
    // The sender is held: no event more while nobody reads.
    await vi.waitFor(
      async () => {
        const before = sent
        await new Promise((resolve) => setTimeout(resolve, 30))
        expect(sent).toBe(before)
      },
      { timeout: 5_000, interval: 5 },
    )
    reply.leave(farewell)
    await stopped.promise
    await settle(endpoint)
    expectNoFault()
  })

  test('while one large answer is on its way', async () => {
    const { url, endpoint, exchanges, expectNoFault } = await start(framework, {
      tools: { big: () => 'x'.repeat(20_000_000) },
    })
    const client = await McpClient.open(url)
    for (const accept of ['application/json', 'text/event-stream']) {
      const reply = await client.call('big', {}, { accept })
      expect(reply.headers['content-type']).toBe(accept)
      const { closed } = exchanges.at(-1) as Exchange
      reply.leave(farewell)
      await closed
    }
    await settle(endpoint)
    expectNoFault()
  })

  test('from the standalone stream', async () => {
    const { url, endpoint, exchanges, expectNoFault } = await start(framework)
    const client = await McpClient.open(url)
    for (let i = 0; i < 5; i++) {
      const stream = await client.get()
      const { closed } = exchanges.at(-1) as Exchange
      stream.leave(farewell)
      await closed
      await settle(endpoint)
    }
    await endpoint.notify({ method: 'notifications/tools/list_changed' })
    const stream = await client.get()
    expect((await stream.events.next()).message.method).toBe('notifications/tools/list_changed')
    stream.leave(farewell)
    await settle(endpoint)
    expectNoFault()
  })

  test('while its server object is being built', async () => {
    const building = deferred()
    const built = deferred()
    const make = serverWith()
    const { url, endpoint, exchanges, expectNoFault } = await start(framework, {
      options: {
        initializeTimeoutMs: 100,
        response: 'sse',
        server: async () => {
          building.resolve()
          await built.promise
          return make()
        },
      },
    })
    const outgoing = begin(url)
    outgoing.end(JSON.stringify(initializeMessage))
    await building.promise
    leave(outgoing, farewell)
    await exchanges.at(-1)?.closed
    built.resolve()
    // Nobody knows the session's id, so it ends unused.
    await settle(endpoint, 0)
    expectNoFault()
  })

  test.each([
    ['GET', undefined],
    ['POST', ping],
  ])('while its session is brought to life again, with %s', async (method, body) => {
    const backplane = createMemoryBackplane()
    const first = await start(framework, { options: { backplane } })
    const client = await McpClient.open(first.url)
    const building = deferred()
    const built = deferred()
    const make = serverWith()
    const second = await start(framework, {
      options: {
        backplane,
        response: 'sse',
        server: async () => {
          building.resolve()
          await built.promise
          return make()
        },
      },
    })
    const outgoing = begin(second.url, { method, headers: client.headers })
    outgoing.end(body && JSON.stringify(body))
    await building.promise
    leave(outgoing, farewell)
    await second.exchanges.at(-1)?.closed
    built.resolve()
    await settle(second.endpoint)
    second.expectNoFault()
  })

  test.each([
    ['koa-bodyparser', true],
    ['no parser', false],
  ])('while a middleware in front waits, with %s', async (_parser, parser) => {
    const waiting = deferred()
    const goOn = deferred()
    const started = deferred()
    const stopped = deferred()
    let slow = false
    const wait: Middleware = async (_ctx, next) => {
      if (slow) {
        waiting.resolve()
        await goOn.promise
      }
      await next()
    }
    const { url, endpoint, exchanges, errors, expectNoFault } = await start(framework, {
      options: { response: 'json' },
      before: parser ? [bodyParser(), wait] : [wait],
      tools: {
        hold: async (_args, extra) => {
          started.resolve()
          await cancelled(extra)
          stopped.resolve()
        },
      },
    })
    const client = await McpClient.open(url)
    slow = true
    const outgoing = begin(url, { headers: client.headers })
    outgoing.end(JSON.stringify(client.callMessage('hold')))
    await waiting.promise
    leave(outgoing, farewell)
    await exchanges.at(-1)?.closed
    // The endpoint was not asked yet: it is Koa that speaks of a reset.
    expect(errors.splice(0)).toMatchObject(farewell === 'reset' ? [{ code: 'ECONNRESET' }] : [])
    goOn.resolve()
    slow = false
    // With a parsed body the call begins; nobody is there, so it is abandoned like any other.
    if (parser) {
      await started.promise
      await stopped.promise
    }
    await settle(endpoint)
    expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
    expectNoFault()
  })

  test('and 50 clients at once in all states', async () => {
    const { url, endpoint, expectNoFault } = await start(framework, {
      tools: {
        hold: async (_args, extra) => {
          await report(extra, 'x')
          await cancelled(extra)
        },
      },
    })
    const client = await McpClient.open(url)
    await Promise.all(
      Array.from({ length: 50 }, async (_value, i) => {
        const outgoing = begin(url, { headers: client.headers })
        outgoing.on('error', () => undefined)
        if (i % 2 === 0) outgoing.end(JSON.stringify(client.callMessage('hold')))
        else outgoing.write('{')
        if (i % 4 < 2) setImmediate(() => outgoing.destroy())
        else if (i % 2 === 0) outgoing.once('response', () => leave(outgoing, farewell))
        else outgoing.once('socket', (socket) => socket.once('connect', () => leave(outgoing, farewell)))
        await new Promise((resolve) => outgoing.once('close', resolve))
      }),
    )
    await settle(endpoint)
    expect((await send(url, { headers: client.headers, body: ping })).status).toBe(200)
    expectNoFault()
  })

  test('from an app that listens to no errors: nothing is printed', async () => {
    const { faults } = watchProcess()
    const stopped = deferred()
    const hold: Tool = async (_args, extra) => {
      await report(extra, 'first')
      await cancelled(extra)
      stopped.resolve()
    }
    const endpoint = endpointWith({ hold }, { abandonAfterMs: 1 })
    const { origin } = await listen(new framework().use(mcp(endpoint)).callback())
    const client = await McpClient.open(origin)
    const reply = await client.call('hold')
    await reply.events.next()
    reply.leave(farewell)
    await stopped.promise
    await settle(endpoint)
    expect(faults).toEqual([])
  })

  test('before anything was sent: middleware in front goes on, and the app hears when it throws', async () => {
    const started = deferred()
    const wentOn = deferred()
    const front: Middleware = async (ctx, next) => {
      await next()
      if (!ctx.get('x-watched')) return
      wentOn.resolve()
      throw new Error('of the middleware')
    }
    const hold: Tool = async (_args, extra) => {
      started.resolve()
      await cancelled(extra)
    }
    const { url, endpoint, errors, expectNoFault } = await start(framework, { before: [front], tools: { hold } })
    const client = await McpClient.open(url)
    const outgoing = begin(url, { headers: { ...client.headers, 'x-watched': '1' } })
    outgoing.end(JSON.stringify(client.callMessage('hold')))
    await started.promise
    leave(outgoing, farewell)
    await wentOn.promise
    await settle(endpoint)
    expect(errors.splice(0)).toMatchObject([{ message: 'of the middleware' }])
    expectNoFault()
  })
})

describe.each(frameworks)('%s', (_name, framework) => {
  test('leaves no listener behind on a connection that is used again', async () => {
    const { url, exchanges, expectNoFault } = await start(framework, {
      before: [compress({ threshold: 0 })],
      tools: {
        chat: async (_args, extra) => {
          for (let i = 0; i < 50; i++) await report(extra, 'x'.repeat(2_000))
          return 'done'
        },
      },
    })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const client = await McpClient.open(url)
    const listenersAfter = async (body: unknown, headers: Record<string, string> = {}): Promise<unknown> => {
      const outgoing = begin(url, { headers: { ...client.headers, ...headers }, agent })
      outgoing.end(JSON.stringify(body))
      await (await readReply(outgoing)).text()
      const { request, response, closed } = exchanges.at(-1) as Exchange
      await closed
      const { socket } = request
      expect(response.listenerCount('drain')).toBeLessThanOrEqual(2)
      return socket.eventNames().map((name) => [name, socket.listenerCount(name)])
    }
    const first = await listenersAfter(ping)
    for (let i = 0; i < 12; i++) {
      expect(await listenersAfter(ping)).toEqual(first)
      expect(await listenersAfter(client.callMessage('chat'))).toEqual(first)
      expect(await listenersAfter({ jsonrpc: '2.0', method: 'notifications/initialized' })).toEqual(first)
      expect(await listenersAfter(ping, { 'mcp-session-id': 'x'.repeat(32) })).toEqual(first)
    }
    expect(new Set(exchanges.slice(2).map(({ request }) => request.socket)).size).toBe(1)
    agent.destroy()
    expectNoFault()
  })
})
