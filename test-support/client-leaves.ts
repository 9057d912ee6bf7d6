import { describe, expect, test, vi } from 'vitest'
import { createMemoryBackplane } from '../packages/core/src/index.ts'
import { initializeMessage, McpClient, ping, toText } from './client/mcp-client.ts'
import { begin, type Farewell, leave, send } from './client/reply.ts'
import { settle } from './endpoints.ts'
import { type Exchange, newest, type StartOptions, type Watched } from './exchanges.ts'
import { cancelled, holding, report, serverWith, type Tool } from './sdk-server.ts'
import { deferred } from './waiting.ts'

const farewells: readonly Farewell[] = ['close', 'reset']

/** A factory of servers that waits to be told. */
function createSlowFactory(): {
  readonly server: () => Promise<ReturnType<ReturnType<typeof serverWith>>>
  readonly building: Promise<void>
  readonly finish: () => void
} {
  const building = deferred()
  const built = deferred()
  const make = serverWith()
  const server = async () => {
    building.resolve()
    await built.promise
    return make()
  }
  return { server, building: building.promise, finish: built.resolve }
}

/**
 * Whatever a client is doing when it leaves, nothing is thrown, nothing is left over, and others are served.
 * Calls must be abandoned after 100 ms unless `start` is told otherwise.
 */
export function describeClientLeaves(name: string, start: (options?: StartOptions) => Promise<Watched>): void {
  describe.each(farewells)(`${name}: the client leaves with a %s`, (farewell) => {
    test.each([
      ['a length', { 'content-length': '1000' }],
      ['chunks', { 'transfer-encoding': 'chunked' }],
    ])('before its body is complete, with %s', async (_framing, framing) => {
      const { url, endpoint, exchanges, expectNoFault } = await start()
      const client = await McpClient.open(url)
      for (const headers of [client.headers, {}]) {
        const outgoing = begin(url, { headers: { ...headers, ...(framing as Record<string, string>) } })
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

    test.each(['auto', 'sse', 'json'] as const)('while the handler runs, with response: %s', async (response) => {
      const { hold, started, stopped } = holding()
      const { url, endpoint, exchanges, expectNoFault } = await start({
        options: { response, upgradeAfterMs: 10_000 },
        tools: { hold },
      })
      const client = await McpClient.open(url)
      const outgoing = begin(url, { headers: client.headers })
      outgoing.end(JSON.stringify(client.callMessage('hold')))
      await started
      leave(outgoing, farewell)
      await exchanges.at(-1)?.closed
      await stopped
      await settle(endpoint)
      expectNoFault()
    })

    test('while the handler runs, which then sends an event and ends by itself', async () => {
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
      reply.leave(farewell)
      await exchanges.at(-1)?.closed
      finish.resolve()
      await settle(endpoint)
      const resumed = await client.get({ 'last-event-id': id as string })
      expect((await resumed.events.next()).message).toMatchObject({ params: { data: 'second' } })
      expect(toText(await resumed.answer())).toBe('whole')
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
      reply.leave(farewell)
      await stopped.promise
      await settle(endpoint)
      expectNoFault()
    })

    test('while a write to it is blocked', async () => {
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
      const { url, endpoint, exchanges, expectNoFault } = await start({ tools: { flood } })
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
      expect(response.writableNeedDrain).toBe(true)
      reply.leave(farewell)
      await stopped.promise
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
        reply.leave(farewell)
        await closed
      }
      await settle(endpoint)
      expectNoFault()
    })

    test('from the standalone stream, again and again', async () => {
      const { url, endpoint, exchanges, expectNoFault } = await start()
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
      const { server, building, finish } = createSlowFactory()
      const { url, endpoint, exchanges, expectNoFault } = await start({
        options: { initializeTimeoutMs: 100, response: 'sse', server },
      })
      const outgoing = begin(url)
      outgoing.end(JSON.stringify(initializeMessage))
      await building
      leave(outgoing, farewell)
      await exchanges.at(-1)?.closed
      finish()
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
      const { server, building, finish } = createSlowFactory()
      const second = await start({ options: { backplane, response: 'sse', server } })
      const outgoing = begin(second.url, { method, headers: client.headers })
      outgoing.end(body && JSON.stringify(body))
      await building
      leave(outgoing, farewell)
      await second.exchanges.at(-1)?.closed
      finish()
      await settle(second.endpoint)
      second.expectNoFault()
    })

    test('and 50 clients at once in all states', async () => {
      const { hold } = holding((extra) => report(extra, 'x'))
      const { url, endpoint, expectNoFault } = await start({ tools: { hold } })
      const client = await McpClient.open(url)
      await Promise.all(
        Array.from({ length: 50 }, async (_value, i) => {
          const outgoing = begin(url, { headers: client.headers })
          if (i % 2 === 0) outgoing.end(JSON.stringify(client.callMessage('hold')))
          else outgoing.write('{')
          if (i % 4 < 2) setImmediate(() => outgoing.destroy())
          else if (i % 2 === 0) outgoing.once('response', () => leave(outgoing, farewell))
          else {
            const connected = () => leave(outgoing, i % 8 === 3 ? farewell : 'reset')
            outgoing.once('socket', (socket) => socket.once('connect', connected))
          }
          await new Promise((resolve) => outgoing.once('close', resolve))
        }),
      )
      await settle(endpoint)
      expect((await send(url, { headers: client.headers, body: ping })).status).toBe(200)
      expectNoFault()
    })
  })

  test(`${name}: many events leave few listeners on request, response and socket`, async () => {
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
      for (const event of ['close', 'error', 'drain', 'finish', 'end', 'data', 'aborted']) {
        expect(emitter.listenerCount(event), event).toBeLessThanOrEqual(6)
      }
    }
    await settle(endpoint)
    expectNoFault()
  })
}
