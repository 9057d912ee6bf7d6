import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createMemoryBackplane } from '@throughline/mcp-http-core'
import { createEndpoint, type Endpoint, type EndpointOptions, mcp } from '@throughline/mcp-http-express'
import type { ErrorRequestHandler, RequestHandler } from 'express'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type Framework, frameworks } from './frameworks.ts'
import { begin, initializeMessage, McpClient, ping, send } from './raw-client.ts'
import { cancelled, deferred, listen, report, serverWith, type Tool, watchProcess } from './test-server.ts'

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly closed: Promise<unknown>
}

interface Started {
  readonly url: string
  readonly port: number
  readonly endpoint: Endpoint
  /** Every exchange so far, the newest last. */
  readonly exchanges: Exchange[]
  /** Fails when anything was thrown, rejected, warned of, or handed to the app. */
  readonly expectNoFault: () => void
}

interface StartOptions {
  readonly tools?: Record<string, Tool>
  readonly options?: Partial<EndpointOptions>
  readonly before?: readonly RequestHandler[]
}

async function start(framework: Framework, { tools, options, before = [] }: StartOptions = {}): Promise<Started> {
  const { faults } = watchProcess()
  const errors: unknown[] = []
  const exchanges: Exchange[] = []
  const app = framework()
  const endpoint = createEndpoint({
    server: serverWith(tools),
    abandonAfterMs: 100,
    onError: (error) => errors.push(error),
    ...options,
  })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  app.use((request, response, next) => {
    exchanges.push({ request, response, closed: once(response, 'close') })
    next()
  })
  app.all('/mcp', ...before, mcp(endpoint))
  const onError: ErrorRequestHandler = (error, _request, response, _next) => {
    errors.push(error)
    response.destroy()
  }
  app.use(onError)
  const { origin, port } = await listen(app)
  const expectNoFault = (): void => expect({ errors, faults }).toEqual({ errors: [], faults: [] })
  return { url: `${origin}/mcp`, port, endpoint, exchanges, expectNoFault }
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

describe.each(frameworks)('%s: the client leaves', (_name, framework) => {
  test('before its body is complete', async () => {
    const { url, endpoint, exchanges, expectNoFault } = await start(framework)
    const client = await McpClient.open(url)
    for (const headers of [client.headers, {}]) {
      const outgoing = begin(url, { headers: { ...headers, 'content-length': '1000' } })
      outgoing.on('error', () => undefined)
      const count = exchanges.length + 1
      outgoing.write('{"jsonrpc":"2.0",')
      const { closed } = await newest(exchanges, count)
      outgoing.destroy()
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
    outgoing.on('error', () => undefined)
    outgoing.write('{"jsonrpc":"2.0",')
    const { closed } = await newest(exchanges, 3)
    outgoing.destroy()
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
    outgoing.on('error', () => undefined)
    outgoing.end(JSON.stringify(client.callMessage('hold')))
    await started.promise
    outgoing.destroy()
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
    outgoing.on('error', () => undefined)
    outgoing.end(JSON.stringify(client.callMessage('hold')))
    await started.promise
    outgoing.destroy()
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
    reply.leave()
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
    reply.leave()
    await stopped.promise
    await settle(endpoint)
    expectNoFault()
  })

  test('with a reset instead of a farewell', async () => {
    const stopped = deferred()
    const { url, endpoint, expectNoFault } = await start(framework, {
      tools: {
        hold: async (_args, extra) => {
          await report(extra, 'first')
          await cancelled(extra)
          stopped.resolve()
        },
      },
    })
    const client = await McpClient.open(url)
    const reply = await client.call('hold')
    await reply.events.next()
    reply.response.socket.resetAndDestroy()
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
    reply.leave()
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
      reply.leave()
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
      stream.leave()
      await closed
      await settle(endpoint)
    }
    await endpoint.notify({ method: 'notifications/tools/list_changed' })
    const stream = await client.get()
    expect((await stream.events.next()).message.method).toBe('notifications/tools/list_changed')
    stream.leave()
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
    outgoing.on('error', () => undefined)
    outgoing.end(JSON.stringify(initializeMessage))
    await building.promise
    outgoing.destroy()
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
    outgoing.on('error', () => undefined)
    outgoing.end(body && JSON.stringify(body))
    await building.promise
    outgoing.destroy()
    await second.exchanges.at(-1)?.closed
    built.resolve()
    await settle(second.endpoint)
    second.expectNoFault()
  })

  test.each([
    ['without', false],
    ['with', true],
  ])('while a middleware in front waits, %s express.json()', async (_with, parser) => {
    const waiting = deferred()
    const goOn = deferred()
    const started = deferred()
    const stopped = deferred()
    let slow = false
    const wait: RequestHandler = (_request, _response, next) => {
      if (!slow) return next()
      waiting.resolve()
      void goOn.promise.then(() => next())
    }
    const { url, endpoint, exchanges, expectNoFault } = await start(framework, {
      options: { response: 'json' },
      before: parser ? [framework.json(), wait] : [wait],
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
    outgoing.on('error', () => undefined)
    outgoing.end(JSON.stringify(client.callMessage('hold')))
    await waiting.promise
    outgoing.destroy()
    await exchanges.at(-1)?.closed
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

  test('after many events: the listeners on its request and response are few', async () => {
    const { url, endpoint, exchanges, expectNoFault } = await start(framework, {
      tools: {
        chat: async (_args, extra) => {
          for (let i = 0; i < 200; i++) await report(extra, 'x'.repeat(2_000))
          return 'done'
        },
      },
    })
    const client = await McpClient.open(url)
    const reply = await client.call('chat')
    await reply.answer()
    const { request, response } = exchanges.at(-1) as Exchange
    for (const emitter of [request, response]) {
      for (const name of ['close', 'error', 'drain', 'finish', 'end', 'data', 'aborted']) {
        expect(emitter.listenerCount(name), name).toBeLessThanOrEqual(6)
      }
    }
    await settle(endpoint)
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
        else if (i % 2 === 0) outgoing.once('response', () => outgoing.destroy())
        else outgoing.once('socket', (socket) => socket.once('connect', () => socket.resetAndDestroy()))
        await new Promise((resolve) => outgoing.once('close', resolve))
      }),
    )
    await settle(endpoint)
    expect((await send(url, { headers: client.headers, body: ping })).status).toBe(200)
    expectNoFault()
  })
})
