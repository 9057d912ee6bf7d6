/** What several nodes cost beside one, on a Redis or Postgres of its own. `pnpm bench:cluster [--store postgres] [--rounds N] [--json FILE] [--only calls]` */
import { writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { buildServer } from '../build-server.ts'
import { toCall } from '../load/messages.ts'
import { stayAwake } from '../load/stay-awake.ts'
import { describeMachine } from '../machine.ts'
import { pinLoadGenerator } from '../pin.ts'
import { type Summary, summarize } from '../statistics.ts'
import { NodeProcess, type NodeSettings } from './node-process.ts'
import { NodeClient } from './sessions.ts'
import { sharedNow } from './shared-clock.ts'
import type { ClusterStore } from './stores/cluster-store.ts'
import { type PostgresStore, startPostgresStore } from './stores/postgres.ts'
import { startRedisStore } from './stores/redis.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    store: { type: 'string', default: 'redis' },
    /** @default of the store, in bench/results */
    json: { type: 'string' },
    /** One part of it; nothing is written then. */
    only: { type: 'string' },
  },
})
const rounds = Number(values.rounds)

/** Calls of one slice, spread over the sessions: few, so that what else the machine does meets all kinds of slices. */
const sliceCalls = 1_600
/** Of slices, in a round of the others. */
const callRounds = 12
const sessions = 16

interface Row {
  readonly name: string
  readonly unit: string
  readonly measured: Summary
  /** Goal: at most, or at least where {@link isLeast} says so; `NaN` without one. */
  readonly limit: number
  readonly isLeast?: boolean
}

pinLoadGenerator()
const { entry, remove } = await buildServer('cluster/node.ts')
if (values.store !== 'redis' && values.store !== 'postgres') {
  throw new TypeError(`Expected --store to be redis or postgres, got ${values.store}`)
}
const store: ClusterStore | PostgresStore = await { redis: startRedisStore, postgres: startPostgresStore }[
  values.store
]()
const started: NodeProcess[] = []

async function start(hibernateAfterMs = 0): Promise<NodeProcess> {
  return await startOn({ store: store.ofNodes, hibernateAfterMs })
}

async function startOn(settings: NodeSettings): Promise<NodeProcess> {
  const node = await NodeProcess.start({ entry, isPinned: true, ...settings })
  started.push(node)
  return node
}

async function cpuOf(nodes: readonly NodeProcess[], work: () => Promise<void>): Promise<number> {
  const sum = async (): Promise<number> => {
    const each = await Promise.all(nodes.map((node) => node.ask('cpu')))
    return each.reduce((total, cpu) => total + cpu, 0)
  }
  const before = await sum()
  await stayAwake(work)
  return (await sum()) - before
}

/** A call on its owner in a cluster beside one on a node alone, and one by way of another node beside that. */
async function benchCalls(): Promise<Row[]> {
  const [alone, owner, other] = [await startOn({}), await start(), await start()]
  const [toAlone, toOwner, toOther] = [alone, owner, other].map(({ url }) => new NodeClient(url)) as Clients
  const [lone, shared] = [await toAlone.openAll(sessions), await toOwner.openAll(sessions)]
  const times = sliceCalls / sessions
  const slices = {
    alone: () => cpuOf([alone], () => toAlone.echo(lone, times)),
    owner: () => cpuOf([owner, other], () => toOwner.echo(shared, times)),
    forwarded: () => cpuOf([owner, other], () => toOther.echo(shared, times)),
  }
  // A process that has run for longer is faster: each has run as often in the end.
  for (let warmUp = 0; warmUp < warmUps; warmUp++) for (const slice of Object.values(slices)) await slice()
  for (let warmUp = 0; warmUp < warmUps; warmUp++) await slices.alone()
  const onOwner: number[] = []
  const forwarded: number[] = []
  for (let round = 0; round < callRounds * rounds; round++) {
    const [before, own, by] = [await slices.alone(), await slices.owner(), await slices.forwarded()]
    const [ownAfter, after] = [await slices.owner(), await slices.alone()]
    onOwner.push((own + ownAfter) / (before + after))
    forwarded.push((2 * by) / (own + ownAfter))
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

const warmUps = 8

type Clients = [NodeClient, NodeClient, NodeClient]

/** Longer than a slice takes, so that no session hibernates within one. */
const hibernateAfterMs = 1_500

/** The first call in a session that hibernates beside that in one that was just opened; and what it leaves in the node. */
async function benchHibernation(): Promise<Row[]> {
  const node = await start(hibernateAfterMs)
  const client = new NodeClient(node.url)
  const count = 300
  const ratios: number[] = []
  const withOpening: number[] = []
  for (let round = 0; round <= rounds; round++) {
    let fresh: string[] = []
    const opening = await cpuOf([node], async () => {
      fresh = await client.openAll(count)
    })
    const first = await cpuOf([node], () => client.echo(fresh))
    await untilGone(node)
    const woken = await cpuOf([node], () => client.echo(fresh))
    await untilGone(node)
    // The first one warms up.
    if (round === 0) continue
    ratios.push(woken / first)
    withOpening.push(woken / (opening + first))
  }
  const many = 2_000
  const before = await heapAtRest(node)
  await client.openAll(many)
  await untilGone(node)
  const bytes = ((await heapAtRest(node)) - before) / many
  await client.close()
  return [
    {
      name: 'a call that wakes a session ÷ the first in a fresh one, CPU',
      unit: '×',
      measured: summarize(ratios),
      limit: 1.6,
    },
    {
      name: 'the same ÷ opening a session and its first call',
      unit: '×',
      measured: summarize(withOpening),
      limit: Number.NaN,
    },
    {
      name: 'a hibernated session, heap of the node',
      unit: 'B',
      measured: summarize([Math.max(0, bytes)]),
      limit: 300,
    },
  ]
}

/** The least of some times: what commands under way hold does not stay. */
async function heapAtRest(node: NodeProcess): Promise<number> {
  let least = Infinity
  for (let time = 0; time < 5; time++) {
    await delay(200)
    least = Math.min(least, await node.ask('heap'))
  }
  return least
}

/** Until the node has no session, and has told the store of that: what giving them back costs is not to be counted below. */
async function untilGone(node: NodeProcess): Promise<void> {
  while ((await node.ask('sessions')) > 0) await delay(50)
  await delay(settlingMs)
}

const settlingMs = 500

/** From where an event is appended to where another node writes it to its client, beside a bare message of the store. */
async function benchDelivery(): Promise<Row[]> {
  const [owner, other] = [await start(), await start()]
  const [toOwner, toOther] = [new NodeClient(owner.url), new NodeClient(other.url)]
  const sessionId = await toOwner.open()
  let heard: (sentAt: number) => void = () => undefined
  /** Milliseconds from when it says that it was sent until it is here. */
  const arrival = (): Promise<number> =>
    new Promise((resolve) => {
      heard = (sentAt) => resolve(sharedNow() - sentAt)
    })
  const stop = await toOther.listen(sessionId, (data) => {
    const { params } = JSON.parse(data) as { params?: { data?: number } }
    if (typeof params?.data === 'number') heard(params.data)
  })
  await store.hear((sentAt) => heard(Number(sentAt)))
  const bare: number[] = []
  const written: number[] = []
  const read: number[] = []
  const ratios: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const [bareNow, writtenNow, readNow]: [number[], number[], number[]] = [[], [], []]
    for (let i = 0; i < pairs; i++) {
      const delivering = arrival()
      await toOwner.post(sessionId, toCall(i, 'stamp' as never, {}))
      readNow.push(await delivering)
      writtenNow.push((await other.ask('writtenAt')) - (await owner.ask('appendedAt')))
      await delay(2)
      const coming = arrival()
      void store.say(String(sharedNow()))
      bareNow.push(await coming)
      await delay(2)
    }
    // The first one warms up.
    if (round === 0) continue
    bare.push(...bareNow)
    written.push(...writtenNow)
    read.push(...readNow)
    ratios.push(summarize(writtenNow).median / summarize(bareNow).median)
  }
  stop()
  await Promise.all([toOwner.close(), toOther.close()])
  return [
    { name: store.bareMessage, unit: 'ms', measured: summarize(bare), limit: Number.NaN },
    {
      ...{ name: 'an event, from the log of its owner to where another node writes it', unit: 'ms' },
      ...{ measured: summarize(written), limit: Number.NaN },
    },
    { name: 'the second ÷ the first, by rounds', unit: '×', measured: summarize(ratios), limit: 3 },
    {
      ...{ name: 'an event, from the tool that sends it to the client that has read it', unit: 'ms' },
      ...{ measured: summarize(read), limit: Number.NaN },
    },
  ]
}

/** Messages of either kind in a round, in turn. */
const pairs = 200

async function benchMemory(): Promise<Row[]> {
  await store.empty()
  const before = await store.sessionBytes()
  const client = new NodeClient((await start()).url)
  const count = 500
  await client.openAll(count)
  const measured = summarize([((await store.sessionBytes()) - before) / count])
  await client.close()
  return [{ name: `an idle session in ${store.title}`, unit: 'B', measured, limit: store.sessionLimit }]
}

async function benchAppends(): Promise<Row[]> {
  if (!('compareAppends' in store)) return []
  await store.compareAppends()
  const ratios: number[] = []
  for (let round = 0; round < rounds; round++) ratios.push(await store.compareAppends())
  const name = 'events appended per second ÷ bare inserts of the same rows, 256 at once'
  return [{ name, unit: '×', measured: summarize(ratios), limit: 0.5, isLeast: true }]
}

function toTable(rows: readonly Row[]): string {
  const lines = rows.map(({ name, unit, measured: { median, spread, count }, limit, isLeast }) => {
    const shown = `${median >= 100 ? median.toFixed(0) : median.toFixed(2)} ${unit}`
    const around = count > 1 ? ` ± ${Math.round(spread * 100)} %` : ''
    const aim = Number.isNaN(limit) ? '' : `${isLeast ? '≥' : '≤'} ${limit} ${unit}`
    const isReached = isLeast ? median >= limit : median <= limit
    const verdict = Number.isNaN(limit) ? '' : isReached ? 'reached' : '**not reached**'
    return `| ${name} | ${shown}${around} | ${aim} | ${verdict} |`
  })
  return ['| | measured | goal | |', '| --- | ---: | ---: | --- |', ...lines].join('\n')
}

try {
  const rows: Row[] = []
  const parts = {
    ...{ calls: benchCalls, hibernation: benchHibernation, delivery: benchDelivery },
    ...{ memory: benchMemory, appends: benchAppends },
  }
  for (const [name, part] of Object.entries(parts)) {
    if (values.only !== undefined && values.only !== name) continue
    rows.push(...(await part()))
    for (const node of started.splice(0)) await node.stop()
  }
  const { cpu, cores, os, node, load } = describeMachine()
  const machine = `${cpu}, ${cores} cores, ${os}, Node ${node}, load ${load.join(' ')} at the start`
  const text = `# Several nodes on ${store.title}\n\n${machine}. ${rounds} rounds; medians, ± is the distance of the quartiles.\n\n${toTable(rows)}\n`
  console.log(text)
  if (values.only === undefined) {
    const json = values.json ?? `bench/results/${store.title === 'Redis' ? 'cluster' : 'postgres'}.json`
    await writeFile(json, JSON.stringify({ rows }, undefined, 2))
    await writeFile(json.replace(/\.json$/, '.md'), text)
  }
} finally {
  for (const node of started) await node.stop()
  await store.stop()
  await remove()
}
