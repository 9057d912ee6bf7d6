import { setTimeout as sleep } from 'node:timers/promises'
import { driveCalls } from '../load/drive-calls.ts'
import { each } from '../load/each.ts'
import { McpClient } from '../load/mcp-client.ts'
import { toCall } from '../load/messages.ts'
import { RawStream } from '../load/raw-stream.ts'
import type { ServerProcess } from '../server-process.ts'
import { quantile } from '../statistics.ts'
import { callFigures } from './calls.ts'
import { measureCpu } from './measure.ts'
import type { Case, Prepared, Scale, Workload } from './workload.ts'

const connections = 16
/** Ids of the calls that are measured are below. */
const firstParkedId = 1_000_000_000
const counts: Readonly<Record<Scale, readonly number[]>> = {
  full: [0, 100, 1_000, 5_000],
  quick: [0, 100, 1_000],
  tiny: [0, 20],
}

async function prepareParked(server: ServerProcess, count: number): Promise<Prepared> {
  const client = new McpClient(server, connections)
  const session = await client.open()
  const headers = client.headersOf('POST', session)
  const parked = await each(count, 64, (index) =>
    RawStream.open({ url: server.url, method: 'POST', headers, body: toCall(firstParkedId + index, 'park', {}) }),
  )
  await untilParked(server, count)
  return {
    async slice(durationMs) {
      const toEcho = (_connection: number, id: number, text: string) => client.toEcho(session, id, text)
      const load = { url: server.url, connections, durationMs, toEcho }
      const { value, cpuUs } = await measureCpu(server, () => driveCalls(load))
      return {
        perSecond: value.answers / value.seconds,
        cpuUs: cpuUs / value.answers,
        p50Ms: quantile(value.latencies, 0.5),
        p99Ms: quantile(value.latencies, 0.99),
      }
    },
    async close() {
      await server.request('release')
      await client.end(session)
      await Promise.all(parked.map((stream) => stream.close()))
      await client.close()
    },
  }
}

async function untilParked(server: ServerProcess, count: number): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if ((await server.request('parked')).count === count) return
    await sleep(50)
  }
  throw new Error(`Expected ${count} calls in flight, got ${(await server.request('parked')).count}`)
}

export const parked: Workload = {
  name: 'W7',
  title: 'one session: echo on 16 connections while other calls of it are in flight',
  figures: callFigures,
  ratio: { key: 'cpuUs', of: 'cost' },
  preparation: 'fresh',
  cases: (scale) =>
    counts[scale].map(
      (count): Case => ({ name: `${count} in flight`, prepare: (server) => prepareParked(server, count) }),
    ),
}
