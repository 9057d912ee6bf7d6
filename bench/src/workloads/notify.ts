import { each } from '../load/each.ts'
import { McpClient } from '../load/mcp-client.ts'
import type { ServerProcess } from '../server-process.ts'
import { openStreams } from './standing-streams.ts'
import type { Case, Prepared, Scale, Workload } from './workload.ts'

const counts: Readonly<Record<Scale, readonly number[]>> = { full: [10_000], quick: [1_000], tiny: [50] }
const marker = 'notifications/message'
/** A notification that has not reached every stream by then is lost. */
const arrivalMs = 30_000

async function prepareNotify(server: ServerProcess, count: number): Promise<Prepared> {
  const client = new McpClient(server, 16)
  const sessions = await each(count, 16, () => client.open())
  const streams = await openStreams(client, server, sessions)
  // Small and apart in time: one event never comes in two chunks, nor two in one.
  let missing = 0
  let onAll: () => void = () => undefined
  for (const stream of streams) {
    stream.onData = (chunk) => {
      if (chunk.includes(marker) && --missing === 0) onAll()
    }
  }

  async function notifyAll(): Promise<void> {
    missing = count
    const arrived = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${missing} of ${count} streams got nothing`)), arrivalMs)
      onAll = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    await Promise.all([server.request('notify'), arrived])
  }

  return {
    async slice(durationMs) {
      const before = await server.request('usage')
      const startedAt = performance.now()
      let rounds = 0
      do {
        await notifyAll()
        rounds++
      } while (performance.now() - startedAt < durationMs)
      const seconds = (performance.now() - startedAt) / 1_000
      const { cpuUs } = await server.request('usage')
      const events = rounds * count
      return { perSecond: events / seconds, cpuUs: (cpuUs - before.cpuUs) / events, allMs: (1_000 * seconds) / rounds }
    },
    async close() {
      await Promise.all(streams.map((stream) => stream.close()))
      await each(count, 16, (index) => client.end(sessions[index] ?? {}))
      await client.close()
    },
  }
}

export const notify: Workload = {
  name: 'W8',
  title: 'one notification to every session with an open stream (floor: a bare `response.write` each)',
  figures: [
    { key: 'perSecond', title: 'events/s', digits: 0 },
    { key: 'cpuUs', title: 'CPU µs per event', digits: 2 },
    { key: 'allMs', title: 'ms until all have it', digits: 1 },
  ],
  ratio: { key: 'cpuUs', of: 'cost' },
  preparation: 'fresh',
  cases: (scale) =>
    counts[scale].map(
      (count): Case => ({ name: `${count} streams`, prepare: (server) => prepareNotify(server, count) }),
    ),
}
