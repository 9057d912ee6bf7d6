/**
 * W13: two workers of `node:cluster` on one Redis beside one process on the memory backplane.
 * `pnpm bench:workers [--rounds N]`
 *
 * The load and Redis need processors too, and so many there may not be. So what is compared is what the processors of the
 * server would have time for: workers ÷ the processor time of a call.
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { buildServer } from '../build-server.ts'
import { NodeProcess } from '../cluster/node-process.ts'
import { NodeClient } from '../cluster/sessions.ts'
import { startRedisStore } from '../cluster/stores/redis.ts'
import { describeMachine } from '../machine.ts'
import { type Summary, summarize } from '../statistics.ts'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '15' } } })
const rounds = Number(values.rounds)
const workers = 2

/** Clients, each with one session. */
const clients = 16
const sliceCalls = 4_000
const warmUpSlices = 4

/** Microseconds of all processors of a server for each call. */
type Slice = () => Promise<number>

const closing: NodeClient[] = []

/** Each client keeps to a connection of its own, and so to the worker that opened its session. */
async function keptTo(node: NodeProcess): Promise<Slice> {
  const each = Array.from({ length: clients }, () => new NodeClient(node.url, 1))
  closing.push(...each)
  const opened = await Promise.all(each.map(async (client) => [client, [await client.open()]] as const))
  return toSlice(node, () => Promise.all(opened.map(([client, ids]) => client.echo(ids, sliceCalls / clients))))
}

/** Each request takes any connection, and so comes to any worker. */
async function spreadOver(node: NodeProcess): Promise<Slice> {
  const client = new NodeClient(node.url, clients)
  closing.push(client)
  const ids = await client.openAll(clients)
  return toSlice(node, () => client.echo(ids, sliceCalls / clients))
}

function toSlice(node: NodeProcess, work: () => Promise<unknown>): Slice {
  return async () => {
    const before = await node.ask('cpu')
    await work()
    return ((await node.ask('cpu')) - before) / sliceCalls
  }
}

const { entry, remove } = await buildServer('workers/node.ts')
const store = await startRedisStore()
const one = await NodeProcess.start({ entry })
const two = await NodeProcess.start({ entry, workers, store: store.ofNodes })
const [alone, kept, spread]: [number[], number[], number[]] = [[], [], []]
try {
  const slices = [await keptTo(one), await keptTo(two), await spreadOver(two)] as const
  for (let i = 0; i < warmUpSlices; i++) for (const slice of slices) await slice()
  for (let round = 0; round < rounds; round++) {
    const [before, ofKept, ofSpread, after] = [
      ...[await slices[0](), await slices[1](), await slices[2]()],
      await slices[0](),
    ] as [number, number, number, number]
    const ofOne = (before + after) / 2
    alone.push(ofOne)
    kept.push((workers * ofOne) / ofKept)
    spread.push((workers * ofOne) / ofSpread)
  }
} finally {
  for (const client of closing) await client.close()
  await Promise.all([one.stop(), two.stop()])
  await store.stop()
  await remove()
}

function toRow(name: string, { median, spread: around }: Summary, goal?: number): string {
  const verdict = goal === undefined ? '' : median >= goal ? 'reached' : '**not reached**'
  return `| ${name} | ${median.toFixed(2)} × ± ${Math.round(100 * around)} % | ${goal === undefined ? '' : `≥ ${goal} ×`} | ${verdict} |`
}

const { cpu, cores, os, node, load } = describeMachine()
const text = `# Two workers on one port

${cpu}, ${cores} cores, ${os}, Node ${node}, load ${load.join(' ')} at the end. ${rounds} rounds of ${sliceCalls} calls of W1's echo in ${clients} sessions; medians, ± is the distance of the quartiles. One process takes ${summarize(alone).median.toFixed(0)} µs for a call. What is compared is what the processors have time for, 2 ÷ (processor time of a call, of all processes but Redis): the load ran on the same cores.

| ${workers} workers of \`node:cluster\` on one Redis ÷ one process on the memory backplane | measured | goal | |
| --- | ---: | ---: | --- |
${toRow('each client keeps to a connection, and so to a worker', summarize(kept), 1.8)}
${toRow('each request takes any connection, so that half of them are forwarded', summarize(spread))}
`
console.log(text)
await writeFile('bench/results/workers.md', text)
