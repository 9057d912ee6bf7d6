import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import { McpClient } from '../client/mcp-client.ts'
import type { Adapter } from './adapter.ts'
import { type Exchange, type Started, start } from './start.ts'

/** More than the kernel's buffers take, so that much of it waits for its reader. */
const size = 10_000_000

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
      // So long that a busy machine, too, goes on between two pauses, and shorter than all of them together.
      const stallMs = 1_500
      const { client, endpoint, expectNoFault } = await startBig(stallMs)
      const { response } = await client.call('big')
      const began = performance.now()
      const text = await readWithPauses(response, { every: size / 20, pauseMs: 120 })
      expect(/Z+/.exec(text)?.[0]).toHaveLength(size)
      expect(performance.now() - began).toBeGreaterThan(stallMs)
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

/** Reads a body to its end, or to where it breaks. */
async function readWithPauses(
  response: IncomingMessage,
  { every, pauseMs }: { readonly every: number; readonly pauseMs: number },
): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    length += chunk.length
    if (length < every) return
    length = 0
    response.pause()
    setTimeout(() => response.resume(), pauseMs)
  })
  await new Promise((resolve) => response.once('close', resolve))
  return Buffer.concat(chunks).toString()
}
