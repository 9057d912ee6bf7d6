import { describe, expect, test, vi } from 'vitest'
import { McpClient, toText } from '../client/mcp-client.ts'
import type { Farewell } from '../client/reply.ts'
import { settle } from '../endpoints.ts'
import { cancelled, flooding, report } from '../sdk-server.ts'
import { deferred, standstill } from '../waiting.ts'
import type { Adapter } from './adapter.ts'
import { type Exchange, type Started, type StartOptions, start as startOn } from './start.ts'

const farewells: readonly Farewell[] = ['close', 'reset']

/** A client that leaves while it is being answered: nothing is thrown, nothing is left over, and what it missed waits. */
export function describeReaderLeaves<M>(adapter: Adapter<M>): void {
  const start = (options: StartOptions<M> = {}): Promise<Started> => startOn(adapter, options)

  describe.each(farewells)(`${adapter.name}: the client leaves with a %s`, (farewell) => {
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
      const { flood, sent, stopped } = flooding(100_000)
      const { url, endpoint, exchanges, expectNoFault } = await start({ tools: { flood } })
      const client = await McpClient.open(url)
      const reply = await client.call('flood')
      const { response } = exchanges.at(-1) as Exchange
      await vi.waitFor(() => expect(response.writableNeedDrain).toBe(true), { interval: 5 })
      // No event more while nobody reads: the kernel's buffers hold some megabytes, and this process one piece too many.
      expect((await standstill(sent)) * 100_000).toBeLessThan(20_000_000)
      expect(response.writableNeedDrain).toBe(true)
      expect(response.writableLength).toBeLessThan(262_144 + 65_536)
      reply.leave(farewell)
      await stopped
      await settle(endpoint)
      expectNoFault()
    })

    test('while one large answer is on its way', async () => {
      const { url, endpoint, exchanges, expectNoFault } = await start({ tools: { big: () => 'x'.repeat(12_000_000) } })
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
  })

  test(`${adapter.name}: many events leave few listeners on request, response and socket`, async () => {
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
