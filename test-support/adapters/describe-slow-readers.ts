import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { McpClient } from '../client/mcp-client.ts'
import { stopClock } from '../stop-clock.ts'
import type { Adapter } from './adapter.ts'
import { type Exchange, type Started, start } from './start.ts'

/** Several times what the kernel's buffers take, so that most of it waits for its reader. */
const size = 20_000_000

/** Only who reads nothing any more is cut off. */
export function describeSlowReaders<M>(adapter: Adapter<M>): void {
  async function startBig(stallMs: number): Promise<Started & { readonly client: McpClient }> {
    const started = await start(adapter, {
      options: { stallMs, response: 'sse', abandonAfterMs: 60_000 },
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
