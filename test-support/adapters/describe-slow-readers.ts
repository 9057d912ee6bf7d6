import { once } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import { McpClient } from '../client/mcp-client.ts'
import { RawConnection } from '../client/raw-connection.ts'
import { settle } from '../endpoints.ts'
import { stopClock } from '../stop-clock.ts'
import { within } from '../waiting.ts'
import type { Adapter } from './adapter.ts'
import { type Exchange, type Started, start } from './start.ts'

/** Several times what the kernel's buffers take, so that most of it waits for its reader. */
const size = 20_000_000

/** Only who reads nothing any more is cut off. */
export function describeSlowReaders<M>(adapter: Adapter<M>): void {
  type Client = { readonly client: McpClient }

  async function startBig(stallMs: number, response: 'sse' | 'json' = 'sse'): Promise<Started & Client> {
    const started = await start(adapter, {
      options: { stallMs, response, abandonAfterMs: 60_000 },
      tools: { big: () => 'Z'.repeat(size) },
    })
    return { ...started, client: await McpClient.open(started.url) }
  }

  describe(`${adapter.name}: a client that reads slowly`, () => {
    test('gets a large event whole, as long as it reads', async () => {
      const clock = stopClock()
      const stallMs = 40
      const { client, endpoint, exchanges, expectNoFault } = await startBig(stallMs)
      const { response } = await client.call('big')
      const { response: served } = exchanges.at(-1) as Exchange
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      const isOver = once(response, 'close').then(() => true)
      let passedMs = 0
      // Each time that the endpoint could write on, nobody reads for most of a stall.
      while (!(await Promise.race([isOver, once(served, 'drain').then(() => false)]))) {
        response.pause()
        await clock.pass(0.75 * stallMs)
        passedMs += 0.75 * stallMs
        response.resume()
      }
      expect(passedMs).toBeGreaterThan(stallMs)
      expect(/Z+/.exec(Buffer.concat(chunks).toString())?.[0]).toHaveLength(size)
      expect(endpoint.stats().connections).toBe(0)
      expectNoFault()
    })

    test('gets a large JSON answer whole, as long as it reads', async () => {
      const clock = stopClock()
      const stallMs = 40
      const { client, expectNoFault } = await startBig(stallMs, 'json')
      const { response } = await client.call('big')
      let received = 0
      let paused = 0
      response.on('data', ({ length }: Buffer) => {
        received += length
        // More than a kernel hands over without asking the other for more.
        if (received < (paused + 1) * 6_000_000) return
        paused++
        response.pause()
        void clock.pass(0.75 * stallMs).then(() => response.resume())
      })
      await once(response, 'close')
      expect(paused).toBe(3)
      expect(received).toBeGreaterThan(size)
      expect(response.complete).toBe(true)
      expectNoFault()
    })

    test('is cut off when it reads nothing of several JSON answers', async () => {
      const { client, port, exchanges, expectNoFault } = await startBig(100, 'json')
      const unread = await Promise.all(
        [1, 2, 3].map(async () => {
          const connection = await RawConnection.open(port)
          connection.socket.pause()
          connection.send({ method: 'POST', headers: client.headers, body: client.callMessage('big') })
          return connection
        }),
      )
      await vi.waitFor(() => expect(exchanges).toHaveLength(5), { timeout: 10_000, interval: 5 })
      await within(5_000, Promise.all(exchanges.map(({ closed }) => closed)))
      for (const { socket } of unread) socket.destroy()
      expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
      expectNoFault()
    })

    test('is cut off when another has taken its place', async () => {
      const { client, endpoint, exchanges, expectNoFault } = await startBig(100)
      const superseded = await client.get()
      superseded.response.pause()
      const { closed } = exchanges.at(-1) as Exchange
      await endpoint.notify({ method: 'notifications/filler', params: { filler: 'x'.repeat(size) } })
      const next = await client.get()
      await within(5_000, closed)
      superseded.leave()
      next.leave()
      await settle(endpoint)
      expectNoFault()
    })

    test('is cut off when it reads nothing any more, without a word', async () => {
      const { client, endpoint, exchanges, expectNoFault } = await startBig(100)
      const reply = await client.call('big')
      reply.response.pause()
      await (exchanges.at(-1) as Exchange).closed
      expect(endpoint.stats().connections).toBe(0)
      reply.leave()
      expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
      expectNoFault()
    })
  })
}
