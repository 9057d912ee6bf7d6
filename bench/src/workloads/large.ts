import { randomBytes } from 'node:crypto'
import { each } from '../load/each.ts'
import { McpClient } from '../load/mcp-client.ts'
import { checkAnswer, toCall } from '../load/messages.ts'
import type { ServerProcess } from '../server-process.ts'
import { measureCpu, repeat } from './measure.ts'
import type { Prepared, Workload } from './workload.ts'

const connections = 4
const text = randomBytes(524_288).toString('hex')
const megabyte = 1_048_576

async function prepareLarge(server: ServerProcess): Promise<Prepared> {
  const client = new McpClient(server, connections)
  const opened = await each(connections, connections, () => client.open())
  const call = toCall(1, 'echo', { text })
  return {
    async slice(durationMs) {
      let calls = 0
      const { value: seconds, cpuUs } = await measureCpu(server, () =>
        repeat(connections, durationMs, async (lane) => {
          const reply = await client.send('POST', opened[lane] ?? {}, call)
          checkAnswer(reply.text, 1, text)
          calls++
        }),
      )
      return { perSecond: calls / seconds, cpuUs: cpuUs / calls }
    },
    // With the sessions still open: what a server keeps of calls that are over is what is looked for.
    finish: async () => ({ heapMb: (await server.request('settle')).heapUsed / megabyte }),
    async close() {
      for (const session of opened) await client.end(session)
      await client.close()
    },
  }
}

export const large: Workload = {
  name: 'W5',
  title: 'an argument of 1 MiB, echoed; 4 connections',
  figures: [
    { key: 'perSecond', title: 'MiB/s in and out', digits: 0 },
    { key: 'cpuUs', title: 'CPU µs per call', digits: 0 },
    { key: 'heapMb', title: 'live heap afterwards, MB', digits: 1 },
  ],
  ratio: { key: 'cpuUs', of: 'cost' },
  preparation: 'kept',
  cases: () => [{ name: '1 MiB', prepare: prepareLarge }],
}
