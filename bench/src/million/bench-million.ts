/**
 * What a million idle sessions leave in a node whose sessions hibernate in a Redis of their own, and how it answers with
 * them. `pnpm bench:million [--sessions N]`
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { Pool } from 'undici'
import { startRedis } from '../../../test-support/redis/start-redis.ts'
import { buildServer } from '../build-server.ts'
import { checkAnswer, protocolVersion, toCall } from '../load/messages.ts'
import { describeMachine } from '../machine.ts'
import { quantile } from '../statistics.ts'
import type { Asked, Told } from './node.ts'

const { values } = parseArgs({ options: { sessions: { type: 'string', default: '1000000' } } })
const sessions = Number(values.sessions)
const count = sessions.toLocaleString('en')
const megabyte = 1_048_576

/** In which the sessions of the second node end. */
const shortIdleMs = 5_000

type Answered<Key> = Extract<Told, Record<Key & string, unknown>>

class Node {
  readonly #child: ChildProcess
  readonly #pool: Pool

  static async start(entry: string, hibernateAfterMs: number, sessionIdleMs: number): Promise<Node> {
    const args = [redis.port, hibernateAfterMs, sessionIdleMs].map(String)
    const child = fork(entry, args, { execArgv: ['--expose-gc'] })
    const [{ url }] = (await once(child, 'message')) as [Answered<'url'>]
    return new Node(child, url)
  }

  private constructor(child: ChildProcess, url: string) {
    this.#child = child
    this.#pool = new Pool(new URL(url).origin, { connections: 16, pipelining: 1 })
  }

  async ask<Key extends string>(asked: Asked): Promise<Answered<Key>> {
    const answering = once(this.#child, 'message') as Promise<[Answered<Key>]>
    this.#child.send(asked)
    return (await answering)[0]
  }

  async untilAllHibernate(): Promise<void> {
    while ((await this.ask<'live'>('live')).live > 0) await sleep(100)
  }

  /** An echo in a session: the status, and how long it took, in milliseconds. */
  async echo(sessionId: string): Promise<{ status: number; ms: number }> {
    const since = performance.now()
    const { statusCode: status, body } = await this.#pool.request({
      ...{ path: '/mcp', method: 'POST', body: toCall(1, 'echo', { text: 'awake' }) },
      headers: {
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        ...{ 'mcp-session-id': sessionId, 'mcp-protocol-version': protocolVersion },
      },
    })
    const text = await body.text()
    if (status === 200) checkAnswer(text, 1, 'awake')
    return { status, ms: performance.now() - since }
  }

  async stop(): Promise<void> {
    await this.#pool.destroy()
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}

interface Row {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly limit?: number
}

/** Sessions in which a call is made again after all were put away, one after another and 16 at a time. */
async function wake(node: Node, sessionIds: readonly string[]): Promise<number[]> {
  const times: number[] = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let i = next++; i < sessionIds.length; i = next++) {
      const { status, ms } = await node.echo(sessionIds[i] as string)
      if (status !== 200) throw new Error(`A session that hibernated was answered ${status}`)
      times.push(ms)
    }
  }
  await Promise.all(Array.from({ length: 16 }, work))
  return times.sort((a, b) => a - b)
}

/** How long after its time a session is still answered, at most, beside all others, in milliseconds. */
async function expire(entry: string): Promise<number> {
  const node = await Node.start(entry, 1_000, shortIdleMs)
  try {
    const { opened } = await node.ask<'opened'>({ open: 20 })
    const openedAt = performance.now()
    await node.untilAllHibernate()
    // Not to be woken: a call would prolong it. Each is asked for once, and those asked for late have ended.
    let lastAlive = 0
    for (const sessionId of opened) {
      await sleep(Math.max(0, openedAt + shortIdleMs - performance.now()) / 2)
      const age = performance.now() - openedAt
      const { status } = await node.echo(sessionId)
      if (status === 200) lastAlive = Math.max(lastAlive, age)
      else if (age < shortIdleMs - 200) throw new Error(`A session had ended after ${age} ms`)
    }
    return Math.max(0, lastAlive - shortIdleMs)
  } finally {
    await node.stop()
  }
}

const { entry, remove } = await buildServer('million/node.ts')
const redis = await startRedis()
const control = new Redis({ port: redis.port, host: '127.0.0.1' })
const node = await Node.start(entry, 1_000, 6 * 3_600_000)
try {
  await node.ask({ open: 1_000 })
  await node.untilAllHibernate()
  const before = (await node.ask<'memory'>('memory')).memory
  const since = performance.now()
  const { opened } = await node.ask<'opened'>({ open: sessions })
  await node.untilAllHibernate()
  const seconds = (performance.now() - since) / 1_000
  const after = (await node.ask<'memory'>('memory')).memory
  const used = Number(/used_memory:(\d+)/.exec(await control.info('memory'))?.[1])
  const times = await wake(node, opened)
  const lateMs = await expire(entry)
  const rows: readonly Row[] = [
    { name: `RSS of the node, ${count} sessions`, value: after.rss / megabyte, unit: 'MiB', limit: 700 },
    { name: 'RSS of the node before', value: before.rss / megabyte, unit: 'MiB' },
    {
      name: 'heap of the node above that before, each',
      value: (after.heapUsed - before.heapUsed) / sessions,
      unit: 'B',
    },
    { name: 'a call that wakes one of them, median', value: quantile(times, 0.5), unit: 'ms' },
    { name: `the slowest of ${times.length}, 16 at a time`, value: times.at(-1) ?? 0, unit: 'ms', limit: 1_000 },
    { name: 'answered after its time, at most', value: lateMs, unit: 'ms', limit: 1_000 },
    { name: 'memory of Redis, each', value: used / sessions, unit: 'B' },
    { name: 'opened and put away a second', value: sessions / seconds, unit: '' },
  ]
  const { cpu, cores, os, node: version, load } = describeMachine()
  const text = [
    `# ${count} idle sessions on one node`,
    '',
    `${cpu}, ${cores} cores, ${os}, Node ${version}, load ${load.join(' ')} at the end. Opened in the node, without HTTP; called over HTTP.`,
    '',
    '| | measured | goal | |',
    '| --- | ---: | ---: | --- |',
    ...rows.map(({ name, value, unit, limit }) => {
      const shown = value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : 0 })
      if (limit === undefined) return `| ${name} | ${shown} ${unit} | | |`
      return `| ${name} | ${shown} ${unit} | ≤ ${limit} ${unit} | ${value <= limit ? 'reached' : '**not reached**'} |`
    }),
    '',
  ].join('\n')
  console.log(text)
  if (sessions >= 1_000_000) await writeFile('bench/results/million.md', text)
} finally {
  await node.stop()
  control.disconnect()
  await redis.stop()
  await remove()
}
