import { driveCalls } from '../load/drive-calls.ts'
import { each } from '../load/each.ts'
import { McpClient } from '../load/mcp-client.ts'
import type { ServerProcess } from '../server-process.ts'
import { quantile } from '../statistics.ts'
import { measureCpu, repeat } from './measure.ts'
import type { Prepared, Workload } from './workload.ts'

const sessions = 64

export const callFigures = [
  { key: 'perSecond', title: 'req/s', digits: 0 },
  { key: 'cpuUs', title: 'CPU µs per request', digits: 1 },
  { key: 'p50Ms', title: 'p50 ms', digits: 2 },
  { key: 'p99Ms', title: 'p99 ms', digits: 2 },
]

/** Echo calls over connections that each belong to a session of its own. */
async function prepareCalls(server: ServerProcess): Promise<Prepared> {
  if (server.target.isInProcess) return prepareInProcess(server)
  const client = new McpClient(server, 16)
  const opened = await each(sessions, 16, () => client.open())
  const load = {
    url: server.url,
    connections: sessions,
    toEcho: (connection: number, id: number, text: string) => client.toEcho(opened[connection] ?? {}, id, text),
  }
  return {
    async slice(durationMs) {
      const { value, cpuUs } = await measureCpu(server, () => driveCalls({ ...load, durationMs }))
      return {
        perSecond: value.answers / value.seconds,
        cpuUs: cpuUs / value.answers,
        p50Ms: quantile(value.latencies, 0.5),
        p99Ms: quantile(value.latencies, 0.99),
      }
    },
    async close() {
      await each(sessions, 16, (index) => client.end(opened[index] ?? {}))
      await client.close()
    },
  }
}

/** The server's process makes the calls itself: how long one takes says nothing, for none waits for another. */
function prepareInProcess(server: ServerProcess): Prepared {
  return {
    async slice(durationMs) {
      let answers = 0
      const { value: seconds, cpuUs } = await measureCpu(server, () =>
        repeat(1, durationMs, async () => {
          answers += (await server.request('call')).count
        }),
      )
      return { perSecond: answers / seconds, cpuUs: cpuUs / answers }
    },
    close: async () => undefined,
  }
}

export const calls: Workload = {
  name: 'W1',
  title: '`tools/call` echo on open sessions, 64 connections, 64 sessions',
  figures: callFigures,
  ratio: { key: 'cpuUs', of: 'cost' },
  preparation: 'kept',
  cases: () => [{ name: '64 × 64', prepare: prepareCalls }],
}

export const guards: Workload = {
  ...calls,
  name: 'W9',
  title: 'what each guard and option costs: W1 with one thing more',
}
