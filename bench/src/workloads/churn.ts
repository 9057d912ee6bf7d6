import { setTimeout as sleep } from 'node:timers/promises'
import { each } from '../load/each.ts'
import { type Headers, McpClient } from '../load/mcp-client.ts'
import { checkAnswer, toCall } from '../load/messages.ts'
import type { ServerProcess } from '../server-process.ts'
import { quantile } from '../statistics.ts'
import { measureCpu, repeat } from './measure.ts'
import type { Case, Figure, Figures, Prepared, Scale, Workload } from './workload.ts'

const connections = 16
const call = toCall(1, 'echo', { text: 'hello' })

/** Initialize, initialized, one call. */
async function use(client: McpClient): Promise<Headers> {
  const session = await client.open()
  const { text } = await client.send('POST', session, call)
  checkAnswer(text, 1, 'hello')
  return session
}

async function measureLives(server: ServerProcess, durationMs: number, live: () => Promise<void>): Promise<Figures> {
  const times: number[] = []
  const { value: seconds, cpuUs } = await measureCpu(server, () =>
    repeat(connections, durationMs, async () => {
      const startedAt = performance.now()
      await live()
      times.push(performance.now() - startedAt)
    }),
  )
  times.sort((a, b) => a - b)
  return {
    perSecond: times.length / seconds,
    cpuUs: cpuUs / times.length,
    p50Ms: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
  }
}

const figures: readonly Figure[] = [
  { key: 'perSecond', title: 'sessions/s', digits: 0 },
  { key: 'cpuUs', title: 'CPU µs per session', digits: 0 },
  { key: 'p50Ms', title: 'p50 ms', digits: 2 },
  { key: 'p99Ms', title: 'p99 ms', digits: 2 },
]

async function prepareChurn(server: ServerProcess): Promise<Prepared> {
  const client = new McpClient(server, connections)
  return {
    slice: (durationMs) => measureLives(server, durationMs, async () => client.end(await use(client))),
    close: () => client.close(),
  }
}

export const churn: Workload = {
  name: 'W2',
  title: 'sessions that come and go: initialize, initialized, one call, DELETE; 16 connections',
  figures,
  ratio: { key: 'cpuUs', of: 'cost' },
  preparation: 'kept',
  cases: () => [{ name: '16 connections', prepare: prepareChurn }],
}

/** Sessions that are abandoned in all, and the time in which a server may put them away. */
const abandonments: Readonly<Record<Scale, { readonly count: number; readonly restMs: number }>> = {
  full: { count: 100_000, restMs: 5_000 },
  quick: { count: 20_000, restMs: 5_000 },
  tiny: { count: 100, restMs: 50 },
}

const megabyte = 1_048_576

async function prepareAbandoned(server: ServerProcess, scale: Scale): Promise<Prepared> {
  const { count, restMs } = abandonments[scale]
  const client = new McpClient(server, connections)
  let used = 0
  const before = await server.request('settle')
  async function live(): Promise<void> {
    used++
    await use(client)
  }
  return {
    slice: (durationMs) => measureLives(server, durationMs, live),
    async finish() {
      await each(Math.max(0, count - used), connections, live)
      const { heapUsed } = await server.request('settle')
      await sleep(restMs)
      const rested = await server.request('settle')
      return { heapMb: heapUsed / megabyte, keptB: (rested.heapUsed - before.heapUsed) / used }
    },
    close: () => client.close(),
  }
}

export const abandoned: Workload = {
  name: 'W10',
  title: 'sessions that are used once and abandoned: initialize, initialized, one call; 16 connections',
  figures: [
    ...figures,
    { key: 'heapMb', title: 'live heap after all, MB', digits: 1 },
    { key: 'keptB', title: 'and 5 s later, B per session', digits: 0 },
  ],
  ratio: { key: 'cpuUs', of: 'cost' },
  preparation: 'kept',
  cases: (scale) => [
    {
      name: `${abandonments[scale].count} sessions`,
      prepare: (server) => prepareAbandoned(server, scale),
    } satisfies Case,
  ],
}
