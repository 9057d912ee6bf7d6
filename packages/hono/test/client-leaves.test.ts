import { createMemoryBackplane } from '@throughline/mcp-http-core'
import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { compress } from 'hono/compress'
import { describe, expect, test, vi } from 'vitest'
import { begin, initializeMessage, McpClient, ping, RawConnection, send, toHead } from './raw-client.ts'
import { cancelled, deferred, type Exchange, report, serverWith, settle, start } from './test-server.ts'

async function newest(exchanges: readonly Exchange[], count: number): Promise<Exchange> {
  await vi.waitFor(() => expect(exchanges.length).toBe(count), { interval: 2 })
  return exchanges.at(-1) as Exchange
}

const readsJson: MiddlewareHandler = async (c, next) => {
  if (c.req.method === 'POST') await c.req.json()
  await next()
}

describe('the client leaves', () => {
  test('before its body is complete', async () => {
    const { url, endpoint, exchanges, expectNoFault } = await start()
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
    const { url, endpoint, exchanges, expectNoFault } = await start()
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
    const { url, endpoint, exchanges, expectNoFault } = await start({
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
    const { url, endpoint, exchanges, expectNoFault } = await start({
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
    const { url, endpoint, exchanges, expectNoFault } = await start({
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
    const { url, endpoint, expectNoFault } = await start({
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
    const { url, endpoint, expectNoFault } = await start({
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
    const { url, endpoint, exchanges, expectNoFault } = await start({
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
    await vi.waitFor(() => expect(response.writableNeedDrain).toBe(true), { interval: 5 })
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
    const { url, endpoint, exchanges, expectNoFault } = await start({
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
    const { url, endpoint, exchanges, expectNoFault } = await start()
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
    const { url, endpoint, exchanges, expectNoFault } = await start({
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
    const first = await start({ options: { backplane } })
    const client = await McpClient.open(first.url)
    const building = deferred()
    const built = deferred()
    const make = serverWith()
    const second = await start({
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
    ['without', undefined],
    ['after c.req.json()', readsJson],
    ['after bodyLimit()', bodyLimit({ maxSize: 100_000 })],
  ])('while a middleware in front waits, %s', async (_with, parser) => {
    const waiting = deferred()
    const goOn = deferred()
    const started = deferred()
    const stopped = deferred()
    let slow = false
    const wait: MiddlewareHandler = async (_c, next) => {
      if (slow) {
        waiting.resolve()
        await goOn.promise
      }
      await next()
    }
    const { url, endpoint, exchanges, expectNoFault } = await start({
      options: { response: 'json' },
      before: parser ? [parser, wait] : [wait],
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
    if (parser === readsJson) {
      await started.promise
      await stopped.promise
    }
    await settle(endpoint)
    expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
    expectNoFault()
  })

  test('after many events: the listeners on its request and response are few', async () => {
    const { url, endpoint, exchanges, expectNoFault } = await start({
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
    const { url, endpoint, expectNoFault } = await start({
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

  test('while a middleware behind the answer still waits', async () => {
    let waiting = deferred()
    let goOn = deferred()
    let slow = false
    const wait: MiddlewareHandler = async (_c, next) => {
      await next()
      if (!slow) return
      waiting.resolve()
      await goOn.promise
    }
    const { url, endpoint, exchanges, expectNoFault } = await start({ before: [compress(), wait] })
    const client = await McpClient.open(url, { 'accept-encoding': 'gzip' })
    for (const method of ['GET', 'POST']) {
      slow = true
      waiting = deferred()
      goOn = deferred()
      const outgoing = begin(url, { method, headers: client.headers })
      outgoing.on('error', () => undefined)
      outgoing.end(method === 'POST' ? JSON.stringify(ping) : undefined)
      await waiting.promise
      outgoing.destroy()
      await exchanges.at(-1)?.closed
      slow = false
      // Its stream is over although nobody has begun to read the response.
      await settle(endpoint)
      goOn.resolve()
    }
    expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
    expectNoFault()
  })

  test('and a middleware has dropped its stream: it is over with the exchange', async () => {
    let drop = false
    const { url, endpoint, expectNoFault } = await start({
      before: [
        async (c, next) => {
          await next()
          if (!drop) return
          c.res = undefined
          c.res = c.text('instead', 503)
        },
      ],
    })
    const client = await McpClient.open(url)
    drop = true
    const reply = await client.get()
    expect([reply.status, await reply.text()]).toEqual([503, 'instead'])
    await settle(endpoint)
    expectNoFault()
  })

  test('while the request before it on the same connection is being answered', async () => {
    const started = deferred()
    const { url, port, endpoint, expectNoFault } = await start({
      tools: {
        hold: async (_args, extra) => {
          started.resolve()
          await cancelled(extra)
        },
      },
      options: { response: 'json' },
    })
    const client = await McpClient.open(url)
    const connection = await RawConnection.open(port)
    const headers = {
      host: `127.0.0.1:${port}`,
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      ...client.headers,
    }
    const call = JSON.stringify(client.callMessage('hold'))
    connection.write(toHead('POST', '/mcp', { ...headers, 'content-length': String(call.length) }) + call)
    await started.promise
    connection.write(toHead('POST', '/mcp', { ...headers, 'content-length': String(call.length) }) + call)
    await vi.waitFor(() => expect(endpoint.stats().calls).toBe(2), { interval: 2 })
    connection.socket.destroy()
    await settle(endpoint)
    expectNoFault()
  })
})
