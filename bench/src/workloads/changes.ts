import { setTimeout as sleep } from 'node:timers/promises'
import { changesPerBurst } from '../commands.ts'
import { createCounter } from '../load/counter.ts'
import { McpClient } from '../load/mcp-client.ts'
import type { ServerProcess } from '../server-process.ts'
import { measureCpu } from './measure.ts'
import { openSubscriptions } from './standing-streams.ts'
import type { Case, Figures, Prepared, Scale, Workload } from './workload.ts'

const counts: Readonly<Record<Scale, number>> = { full: 1_000, quick: 1_000, tiny: 5 }
const settings = [
  { name: 'in one turn', command: 'burst' },
  { name: 'one a turn', command: 'pacedBurst' },
] as const
type Command = (typeof settings)[number]['command']

const marker = '"notifications/tools/list_changed"'
/** Longer than a server may hold changes back to tell of several at once. */
const quietMs = 200
/** Of a server's CPU in that time, in microseconds, when it has nothing to do. */
const idleUs = 40_000

interface Burst {
  readonly cpuUs: number
  readonly lastMs: number
  /** Events of each stream. */
  readonly events: readonly number[]
}

async function prepareChanges(server: ServerProcess, count: number, command: Command): Promise<Prepared> {
  const client = new McpClient(server, 1)
  const streams = await openSubscriptions(client, server, count)
  const events: number[] = new Array(count).fill(0)
  let lastAt = 0
  for (const [index, stream] of streams.entries()) {
    const countEvents = createCounter(marker)
    stream.onData = (chunk) => {
      events[index] = countEvents(chunk)
      lastAt = performance.now()
    }
  }

  /** Twice in a row nothing came, and the server had nothing to do: how much comes is its own choice. */
  async function untilQuiet(): Promise<void> {
    for (let quiet = 0; quiet < 2; ) {
      const from = lastAt
      const { cpuUs } = await measureCpu(server, () => sleep(quietMs))
      quiet = lastAt === from && cpuUs < idleUs ? quiet + 1 : 0
    }
  }

  async function burst(): Promise<Burst> {
    const before = [...events]
    const startedAt = performance.now()
    const { cpuUs } = await measureCpu(server, async () => {
      await server.request(command)
      await untilQuiet()
    })
    const own = events.map((total, index) => total - (before[index] ?? 0))
    const deaf = own.filter((total) => total === 0).length
    if (deaf > 0) throw new Error(`${deaf} of ${count} streams heard of no change`)
    return { cpuUs, lastMs: lastAt - startedAt, events: own }
  }

  return {
    async slice(durationMs): Promise<Figures> {
      const bursts: Burst[] = []
      const startedAt = performance.now()
      do bursts.push(await burst())
      while (performance.now() - startedAt < durationMs)
      const mean = (of: (burst: Burst) => number): number =>
        bursts.reduce((sum, burst) => sum + of(burst), 0) / bursts.length
      return {
        cpuMs: mean(({ cpuUs }) => cpuUs) / 1_000,
        cpuUs: mean(({ cpuUs }) => cpuUs) / count,
        fewest: Math.min(...bursts.flatMap(({ events }) => events)),
        most: Math.max(...bursts.flatMap(({ events }) => events)),
        lastMs: mean(({ lastMs }) => lastMs),
      }
    },
    async close() {
      await Promise.all(streams.map((stream) => stream.close()))
      await client.close()
    },
  }
}

export const changes: Workload = {
  name: 'W12B',
  title: `${changesPerBurst.toLocaleString('en')} changes of the list of tools, told to open \`subscriptions/listen\` streams`,
  figures: [
    { key: 'cpuMs', title: 'CPU ms', digits: 1 },
    { key: 'cpuUs', title: 'CPU µs per stream', digits: 1 },
    { key: 'fewest', title: 'events per stream, fewest', digits: 0 },
    { key: 'most', title: 'most', digits: 0 },
    { key: 'lastMs', title: 'ms until the last event', digits: 0 },
  ],
  ratio: { key: 'cpuMs', of: 'cost' },
  preparation: 'fresh',
  cases: (scale) =>
    settings.map(
      ({ name, command }): Case => ({
        name: `${counts[scale]} streams, ${name}`,
        prepare: (server) => prepareChanges(server, counts[scale], command),
      }),
    ),
}
