import { McpClient } from '../load/mcp-client.ts'
import { checkAnswer, toCall } from '../load/messages.ts'
import type { ServerProcess } from '../server-process.ts'
import { quantile } from '../statistics.ts'
import { measureCpu, repeat } from './measure.ts'
import type { Prepared, Workload } from './workload.ts'

const connections = 16
const call = toCall(1, 'echo', { text: 'hello' })

async function prepareChurn(server: ServerProcess): Promise<Prepared> {
  const client = new McpClient(server, connections)

  async function live(): Promise<void> {
    const session = await client.open()
    const { text } = await client.send('POST', session, call)
    checkAnswer(text, 1, 'hello')
    await client.end(session)
  }

  return {
    async slice(durationMs) {
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
    },
    close: () => client.close(),
  }
}

export const churn: Workload = {
  name: 'W2',
  title: 'sessions that come and go: initialize, initialized, one call, DELETE; 16 connections',
  figures: [
    { key: 'perSecond', title: 'sessions/s', digits: 0 },
    { key: 'cpuUs', title: 'CPU µs per session', digits: 0 },
    { key: 'p50Ms', title: 'p50 ms', digits: 2 },
    { key: 'p99Ms', title: 'p99 ms', digits: 2 },
  ],
  ratio: { key: 'cpuUs', of: 'cost' },
  preparation: 'kept',
  cases: () => [{ name: '16 connections', prepare: prepareChurn }],
}
