/** What several nodes cost beside one, on a Redis of its own. `pnpm bench:cluster [--rounds N] [--json FILE]` */
import { writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { startRedis } from '../../../test-support/redis/start-redis.ts'
import { buildServer } from '../build-server.ts'
import { toCall } from '../load/messages.ts'
import { describeMachine } from '../machine.ts'
import { type Summary, summarize } from '../statistics.ts'
import { NodeProcess } from './node-process.ts'
import { NodeClient } from './sessions.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    json: { type: 'string', default: 'bench/results/cluster.json' },
  },
})
const rounds = Number(values.rounds)

/** Calls of one slice, spread over the sessions. */
const sliceCalls = 4_000
const sessions = 16

interface Row {
  readonly name: string
  readonly unit: string
  readonly measured: Summary
  readonly limit: number
}

const { entry, remove } = await buildServer('cluster/node.ts')
const redis = await startRedis()
const control = new Redis({ port: redis.port, host: '127.0.0.1' })
const started: NodeProcess[] = []

async function start(redisPort: number, hibernateAfterMs = 0): Promise<NodeProcess> {
  const node = await NodeProcess.start({ entry, redisPort, hibernateAfterMs })
  started.push(node)
  return node
}

async function cpuOf(nodes: readonly NodeProcess[], work: () => Promise<void>): Promise<number> {
  const sum = async (): Promise<number> => {
    const each = await Promise.all(nodes.map((node) => node.ask('cpu')))
    return each.reduce((total, cpu) => total + cpu, 0)
  }
  const before = await sum()
  await work()
  return (await sum()) - before
}

/** A call on its owner in a cluster beside one on a node alone, and one by way of another node beside that. */
async function benchCalls(): Promise<Row[]> {
  const [alone, owner, other] = [await start(0), await start(redis.port), await start(redis.port)]
  const [toAlone, toOwner, toOther] = [alone, owner, other].map(({ url }) => new NodeClient(url)) as Clients
  const [lone, shared] = [await toAlone.openAll(sessions), await toOwner.openAll(sessions)]
  const times = sliceCalls / sessions
  const slices = {
    alone: () => cpuOf([alone], () => toAlone.echo(lone, times)),
    owner: () => cpuOf([owner, other], () => toOwner.echo(shared, times)),
    forwarded: () => cpuOf([owner, other], () => toOther.echo(shared, times)),
  }
  for (const slice of Object.values(slices)) await slice()
  const onOwner: number[] = []
  const forwarded: number[] = []
  for (let round = 0; round < rounds; round++) {
    const [before, own, by, after] = [
      ...[await slices.alone(), await slices.owner(), await slices.forwarded()],
      await slices.owner(),
    ] as [number, number, number, number]
    onOwner.push(own / before)
    forwarded.push(by / ((own + after) / 2))
  }
  for (const client of [toAlone, toOwner, toOther]) await client.close()
  return [
    {
      name: 'a call on its owner ÷ on the memory backplane, CPU',
      unit: '×',
      measured: summarize(onOwner),
      limit: 1.05,
    },
    {
      name: 'a forwarded call ÷ on its owner, CPU of both nodes',
      unit: '×',
      measured: summarize(forwarded),
      limit: 2.2,
    },
  ]
}

type Clients = [NodeClient, NodeClient, NodeClient]

/** The first call in a session that hibernates beside that in one that was just opened; and what it leaves in the node. */
async function benchHibernation(): Promise<Row[]> {
  const node = await start(redis.port, 200)
  const client = new NodeClient(node.url)
  const count = 300
  const ratios: number[] = []
  for (let round = 0; round < rounds; round++) {
    const fresh = await client.openAll(count)
    const first = await cpuOf([node], () => client.echo(fresh))
    await untilGone(node)
    const woken = await cpuOf([node], () => client.echo(fresh))
    await untilGone(node)
    if (round > 0) ratios.push(woken / first)
  }
  const many = 2_000
  const before = await node.ask('heap')
  await client.openAll(many)
  await untilGone(node)
  const bytes = ((await node.ask('heap')) - before) / many
  await client.close()
  return [
    {
      name: 'a call that wakes a session ÷ the first in a fresh one, CPU',
      unit: '×',
      measured: summarize(ratios),
      limit: 1.6,
    },
    {
      name: 'a hibernated session, heap of the node',
      unit: 'B',
      measured: summarize([Math.max(0, bytes)]),
      limit: 300,
    },
  ]
}

async function untilGone(node: NodeProcess): Promise<void> {
  while ((await node.ask('sessions')) > 0) await delay(50)
}

/** From where a tool sends a message to a client that listens on another node, beside a bare message of Redis. */
async function benchDelivery(): Promise<Row[]> {
  const [owner, other] = [await start(redis.port), await start(redis.port)]
  const [toOwner, toOther] = [new NodeClient(owner.url), new NodeClient(other.url)]
  const sessionId = await toOwner.open()
  const delivered: number[] = []
  const stop = await toOther.listen(sessionId, (data) => {
    const { params } = JSON.parse(data) as { params?: { data?: number } }
    if (typeof params?.data === 'number') delivered.push(now() - params.data)
  })
  const bare: number[] = []
  const listener = control.duplicate()
  await listener.subscribe('bare')
  listener.on('message', (_channel, sentAt) => bare.push(now() - Number(sentAt)))
  for (let i = 0; i < 100 * rounds; i++) {
    await toOwner.post(sessionId, toCall(i, 'stamp' as never, {}))
    await delay(3)
    await control.publish('bare', String(now()))
    await delay(3)
  }
  stop()
  listener.disconnect()
  await Promise.all([toOwner.close(), toOther.close()])
  const ratio = summarize(delivered).median / summarize(bare).median
  return [
    { name: 'a bare PUBLISH to its subscriber', unit: 'ms', measured: summarize(bare), limit: Number.NaN },
    { name: 'a message to a client on another node', unit: 'ms', measured: summarize(delivered), limit: Number.NaN },
    { name: 'the second ÷ the first', unit: '×', measured: summarize([ratio]), limit: 3 },
  ]
}

function now(): number {
  return performance.timeOrigin + performance.now()
}

async function benchMemory(): Promise<Row[]> {
  await control.flushall()
  const node = await start(redis.port)
  const client = new NodeClient(node.url)
  const count = 500
  await client.openAll(count)
  const keys = (await control.keys('*')).filter((key) => key.includes('{'))
  const sizes = await Promise.all(keys.map((key) => control.memory('USAGE', key)))
  const bytes = sizes.reduce((sum: number, size) => sum + Number(size ?? 0), 0) / count
  await client.close()
  return [{ name: 'an idle session in Redis', unit: 'B', measured: summarize([bytes]), limit: 1_024 }]
}

function toTable(rows: readonly Row[]): string {
  const lines = rows.map(({ name, unit, measured: { median, spread, count }, limit }) => {
    const shown = `${median >= 100 ? median.toFixed(0) : median.toFixed(2)} ${unit}`
    const around = count > 1 ? ` ± ${Math.round(spread * 100)} %` : ''
    const aim = Number.isNaN(limit) ? '' : `≤ ${limit} ${unit}`
    const verdict = Number.isNaN(limit) ? '' : median <= limit ? 'reached' : '**not reached**'
    return `| ${name} | ${shown}${around} | ${aim} | ${verdict} |`
  })
  return ['| | measured | goal | |', '| --- | ---: | ---: | --- |', ...lines].join('\n')
}

try {
  const rows: Row[] = []
  for (const part of [benchCalls, benchHibernation, benchDelivery, benchMemory]) {
    rows.push(...(await part()))
    for (const node of started.splice(0)) await node.stop()
  }
  const { cpu, cores, os, node, load } = describeMachine()
  const machine = `${cpu}, ${cores} cores, ${os}, Node ${node}, load ${load.join(' ')} at the start`
  const text = `# Several nodes on Redis\n\n${machine}. ${rounds} rounds; medians, ± is the distance of the quartiles.\n\n${toTable(rows)}\n`
  console.log(text)
  await writeFile(values.json, JSON.stringify({ rows }, undefined, 2))
  await writeFile(values.json.replace(/\.json$/, '.md'), text)
} finally {
  for (const node of started) await node.stop()
  control.disconnect()
  await redis.stop()
  await remove()
}
