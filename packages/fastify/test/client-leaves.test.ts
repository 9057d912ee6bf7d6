import { connect } from 'node:net'
import { createMemoryBackplane } from '@throughline/mcp-http-core'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test, vi } from 'vitest'
import { begin, initializeMessage, McpClient, ping, send, toText } from './raw-client.ts'
import { cancelled, deferred, type Exchange, report, serverWith, settle, start, type Tool } from './test-app.ts'

const soon = { abandonAfterMs: 100 }

async function newest(exchanges: readonly Exchange[], count: number): Promise<Exchange> {
  await vi.waitFor(() => expect(exchanges.length).toBe(count), { interval: 2 })
  return exchanges.at(-1) as Exchange
}

/** A tool that runs until it is cancelled. */
function holding(before: (extra: Parameters<Tool>[1]) => Promise<void> = async () => undefined): {
  readonly hold: Tool
  readonly started: Promise<void>
  readonly stopped: Promise<void>
} {
  const started = deferred()
  const stopped = deferred()
  const hold: Tool = async (_args, extra) => {
    await before(extra)
    started.resolve()
    await cancelled(extra)
    stopped.resolve()
    return 'nobody reads this'
  }
  return { hold, started: started.promise, stopped: stopped.promise }
}

describe('the client leaves', () => {
  test.each([{ 'content-length': '1000' }, { 'transfer-encoding': 'chunked' }])(
    'before its body is complete, with %o',
    async (framing) => {
      const { url, endpoint, exchanges, expectNoFault } = await start({ options: soon })
      const client = await McpClient.open(url)
      for (const headers of [client.headers, {}]) {
        const outgoing = begin(url, { headers: { ...headers, ...(framing as Record<string, string>) } })
        const count = exchanges.length + 1
        outgoing.write('{"jsonrpc":"2.0",')
        const { closed } = await newest(exchanges, count)
        outgoing.destroy()
        await closed
      }
      await settle(endpoint)
      expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
      expectNoFault()
    },
  )

  test.each(['auto', 'sse', 'json'] as const)('while the handler runs, with response: %s', async (response) => {
    const { hold, started, stopped } = holding()
    const { url, endpoint, exchanges, expectNoFault } = await start({
      options: { ...soon, response, upgradeAfterMs: 10_000 },
      tools: { hold },
    })
    const client = await McpClient.open(url)
    const outgoing = begin(url, { headers: client.headers })
    outgoing.end(JSON.stringify(client.callMessage('hold')))
    await started
    outgoing.destroy()
    await exchanges.at(-1)?.closed
    await stopped
    await settle(endpoint)
    expectNoFault()
  })

  test('while the handler runs, which then sends an event and ends by itself', async () => {
    const started = deferred()
    const finish = deferred()
    const { url, endpoint, exchanges, expectNoFault } = await start({
      options: { upgradeAfterMs: 10_000 },
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
    outgoing.destroy()
    await exchanges.at(-1)?.closed
    finish.resolve()
    await settle(endpoint)
    expectNoFault()
  })

  test('in the middle of a stream, and comes back for the rest', async () => {
    const finish = deferred()
    const { url, endpoint, exchanges, expectNoFault } = await start({
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
    expect(toText(await resumed.answer())).toBe('whole')
    await settle(endpoint)
    expectNoFault()
  })

  test.each([
    ['with a farewell', (client: ReturnType<typeof begin>) => client.destroy()],
    ['with a reset', (client: ReturnType<typeof begin>) => client.socket?.resetAndDestroy()],
  ])('in the middle of a stream and for good, %s', async (_how, leave) => {
    const { hold, stopped } = holding((extra) => report(extra, 'first'))
    const { url, endpoint, expectNoFault } = await start({ options: soon, tools: { hold } })
    const client = await McpClient.open(url)
    const outgoing = begin(url, { headers: client.headers })
    outgoing.end(JSON.stringify(client.callMessage('hold')))
    outgoing.once('response', (response) => response.on('error', () => undefined).once('data', () => leave(outgoing)))
    await stopped
    await settle(endpoint)
    expectNoFault()
  })

  test('from the standalone stream, again and again', async () => {
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

  test('while one large answer is on its way', async () => {
    const { url, endpoint, exchanges, expectNoFault } = await start({ tools: { big: () => 'x'.repeat(20_000_000) } })
    const client = await McpClient.open(url)
    for (const accept of ['application/json', 'text/event-stream']) {
      const reply = await client.call('big', {}, { accept })
      expect(reply.headers['content-type']).toContain(accept)
      const { closed } = exchanges.at(-1) as Exchange
      reply.leave()
      await closed
    }
    await settle(endpoint)
    expectNoFault()
  })

  test('while its server object is being built', async () => {
    const building = deferred()
    const built = deferred()
    const make = serverWith()
    const server = async () => {
      building.resolve()
      await built.promise
      return make()
    }
    const { url, endpoint, exchanges, expectNoFault } = await start({
      options: { initializeTimeoutMs: 100, response: 'sse', server },
    })
    const outgoing = begin(url)
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
    const server = async () => {
      building.resolve()
      await built.promise
      return make()
    }
    const second = await start({ options: { backplane, response: 'sse', server } })
    const outgoing = begin(second.url, { method, headers: client.headers })
    outgoing.end(body && JSON.stringify(body))
    await building.promise
    outgoing.destroy()
    await second.exchanges.at(-1)?.closed
    built.resolve()
    await settle(second.endpoint)
    second.expectNoFault()
  })

  test.each(['preHandler', 'onSend'] as const)('while a %s hook waits', async (name) => {
    let slow = false
    const waiting = deferred()
    const goOn = deferred()
    const wait = async (): Promise<void> => {
      if (!slow) return
      waiting.resolve()
      await goOn.promise
    }
    const before = (app: FastifyInstance) => app.addHook(name as 'preHandler', wait)
    const { url, endpoint, exchanges, expectNoFault } = await start({
      before,
      options: soon,
      tools: { chat: (_args, extra) => report(extra, 'hello') },
    })
    const client = await McpClient.open(url)
    slow = true
    const outgoing = begin(url, { headers: client.headers })
    outgoing.end(JSON.stringify(client.callMessage('chat')))
    await waiting.promise
    outgoing.destroy()
    await exchanges.at(-1)?.closed
    slow = false
    goOn.resolve()
    await settle(endpoint)
    expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
    expectNoFault()
  })

  test('with several requests in one pipeline', async () => {
    const { hold, started, stopped } = holding()
    const { url, endpoint, expectNoFault } = await start({
      options: { ...soon, response: 'sse' },
      tools: { hold, chat: (_args, extra) => report(extra, 'hello') },
    })
    const client = await McpClient.open(url)
    const { port, host } = new URL(url)
    const socket = connect(Number(port), '127.0.0.1')
    const fields = { host, accept: 'text/event-stream', 'content-type': 'application/json', ...client.headers }
    const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
    for (const name of ['hold', 'hold', 'chat', 'hold']) {
      const body = JSON.stringify(client.callMessage(name))
      socket.write(`POST /mcp HTTP/1.1\r\n${head.join('')}content-length: ${body.length}\r\n\r\n${body}`)
    }
    await started
    await vi.waitFor(() => expect(endpoint.stats().connections).toBe(3))
    socket.resetAndDestroy()
    await stopped
    await settle(endpoint)
    expectNoFault()
  })

  test('and 50 clients at once in all states', async () => {
    const { hold } = holding((extra) => report(extra, 'x'))
    const { url, endpoint, expectNoFault } = await start({ options: soon, tools: { hold } })
    const client = await McpClient.open(url)
    await Promise.all(
      Array.from({ length: 50 }, async (_value, i) => {
        const outgoing = begin(url, { headers: client.headers })
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

test('many events leave few listeners on request, response and socket', async () => {
  const { url, endpoint, exchanges, expectNoFault } = await start({
    tools: {
      chat: async (_args, extra) => {
        for (let i = 0; i < 200; i++) await report(extra, 'x'.repeat(2_000))
        return 'done'
      },
    },
  })
  const client = await McpClient.open(url)
  expect(toText(await (await client.call('chat')).answer())).toBe('done')
  const { request, response } = exchanges.at(-1) as Exchange
  for (const emitter of [request, response, request.socket]) {
    for (const name of ['close', 'error', 'drain', 'finish', 'end', 'data', 'aborted']) {
      expect(emitter.listenerCount(name), name).toBeLessThanOrEqual(6)
    }
  }
  await settle(endpoint)
  expectNoFault()
})

describe('a client that does not read', () => {
  const flooding = (): { flood: Tool; sent: () => number; stopped: Promise<void> } => {
    const stopped = deferred()
    let sent = 0
    const flood: Tool = async (_args, extra) => {
      const stop = cancelled(extra)
      while (!extra.signal.aborted) {
        await Promise.race([report(extra, 'x'.repeat(100_000)), stop])
        sent++
      }
      stopped.resolve()
    }
    return { flood, sent: () => sent, stopped: stopped.promise }
  }

  test('holds the sender, and leaves while a write to it is blocked', async () => {
    const { flood, sent, stopped } = flooding()
    const { url, endpoint, exchanges, expectNoFault } = await start({ options: soon, tools: { flood } })
    const client = await McpClient.open(url)
    const reply = await client.call('flood')
    await vi.waitFor(
      async () => {
        const before = sent()
        await new Promise((resolve) => setTimeout(resolve, 50))
        expect(sent()).toBe(before)
        expect(sent()).toBeGreaterThan(0)
      },
      { timeout: 5_000, interval: 5 },
    )
    // What waits in this process; the kernel's buffers hold some megabytes more.
    expect((exchanges.at(-1) as Exchange).response.writableLength).toBeLessThan(300_000)
    expect(sent() * 100_000).toBeLessThan(20_000_000)
    reply.leave()
    await stopped
    await settle(endpoint)
    expectNoFault()
  })

  test('is cut off, and one that reads slowly is not', async () => {
    const { url, exchanges, expectNoFault } = await start({
      options: { stallMs: 1_000, response: 'sse' },
      tools: { big: () => 'x'.repeat(20_000_000) },
    })
    const client = await McpClient.open(url)
    const stalled = await client.call('big')
    const { closed } = exchanges.at(-1) as Exchange

    const slow = await client.call('big')
    const began = performance.now()
    let bytes = 0
    for await (const chunk of slow.response) {
      bytes += (chunk as Buffer).length
      await new Promise((resolve) => setTimeout(resolve, (chunk as Buffer).length / 10_000))
    }
    expect(bytes).toBeGreaterThan(20_000_000)
    expect(performance.now() - began).toBeGreaterThan(1_000)
    await closed
    stalled.leave()
    expectNoFault()
  })
})
