/** What a SQLite file costs beside memory. `pnpm bench:sqlite [--rounds N]` */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildServer } from '../build-server.ts'
import { NodeClient } from '../cluster/sessions.ts'
import { toCall } from '../load/messages.ts'
import { describeMachine } from '../machine.ts'
import { summarize } from '../statistics.ts'
import type { Asked, Told } from './node.ts'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '9' } } })
const rounds = Number(values.rounds)

class Server {
  readonly url: string
  readonly #child: ChildProcess

  static async start(entry: string, ...file: readonly string[]): Promise<Server> {
    const child = fork(entry, [...file], { execArgv: [] })
    const [told] = (await once(child, 'message')) as [Told & { url: string }]
    return new Server(child, told.url)
  }

  private constructor(child: ChildProcess, url: string) {
    this.#child = child
    this.url = url
  }

  async ask(asked: Asked): Promise<number> {
    const answering = once(this.#child, 'message') as Promise<[Told & { value: number }]>
    this.#child.send(asked as object)
    return (await answering)[0].value
  }

  async cpuOf(work: () => Promise<unknown>): Promise<number> {
    const before = await this.ask('cpu')
    await work()
    return (await this.ask('cpu')) - before
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}

const rows: string[] = []

function add(name: string, measured: readonly number[], unit: string, goal = ''): void {
  const { median, spread } = summarize(measured)
  console.error(name, median.toFixed(2))
  rows.push(`| ${name} | ${median.toFixed(2)} ${unit} ± ${Math.round(spread * 100)} % | ${goal} |`)
}

/** Both in turn, and their ratio. */
async function compare(name: string, goal: string, [memory, sqlite]: readonly [Measure, Measure]): Promise<void> {
  const [of, by]: [number[], number[]] = [[], []]
  await memory()
  await sqlite()
  for (let round = 0; round < rounds; round++) {
    of.push(await memory())
    by.push(await sqlite())
  }
  add(`${name}, memory`, of, 'µs')
  add(`${name}, SQLite`, by, 'µs')
  add(
    `${name}, SQLite ÷ memory`,
    by.map((each, i) => each / (of[i] as number)),
    '×',
    goal,
  )
}

type Measure = () => Promise<number>

const { entry, remove } = await buildServer('sqlite/node.ts')
const folder = await mkdtemp(join(tmpdir(), 'throughline-bench-'))
const file = join(folder, 'mcp.db')
const started: Server[] = []
try {
  const [memory, sqlite] = [await Server.start(entry), await Server.start(entry, file)]
  started.push(memory, sqlite)
  const servers = [memory, sqlite] as const
  for (const [sessions, events] of [
    [1, 1],
    [1, 16],
    [16, 1],
    [16, 16],
  ] as const) {
    const measures = servers.map((server) => () => server.ask({ sessions, events })) as [Measure, Measure]
    await compare(
      `an event appended, ${sessions} sessions with ${events} at once`,
      events * sessions > 1 ? '≤ 3 ×' : '',
      measures,
    )
  }
  const clients = servers.map(({ url }) => new NodeClient(url))
  const calls = 2_000
  const echo = await Promise.all(
    clients.map(async (client, i) => {
      const ids = await client.openAll(16)
      return async () => (await (servers[i] as Server).cpuOf(() => client.echo(ids, calls / 16))) / calls
    }),
  )
  await compare('a call on its owner', '≤ 1.05 ×', echo as [Measure, Measure])
  const streamed = 100
  const progress = await Promise.all(
    clients.map(async (client, i) => {
      const ids = await client.openAll(8)
      const call = (id: string, at: number) =>
        client.post(id, toCall(at, 'progress', { count: streamed, pace: 'burst' }, 't'))
      return async () => {
        const used = await (servers[i] as Server).cpuOf(async () => {
          for (let round = 0; round < 5; round++) await Promise.all(ids.map(call))
        })
        return used / (5 * ids.length * streamed)
      }
    }),
  )
  await compare('a progress event to a client, all that the server does', '≤ 3 ×', progress as [Measure, Measure])

  await sqlite.ask('fill')
  const restarts: number[] = []
  let last = sqlite
  for (let round = 0; round < rounds; round++) {
    const before = new NodeClient(last.url)
    const id = await before.open()
    await before.post(id, toCall(1, 'echo', { text: 'before' }))
    await before.close()
    await last.kill()
    const since = performance.now()
    last = await Server.start(entry, file)
    started.push(last)
    const client = new NodeClient(last.url)
    await client.post(id, toCall(2, 'echo', { text: 'after' }))
    restarts.push(performance.now() - since)
    await client.close()
  }
  add('kill -9 and start with 10,000 sessions, until the first answer in one of them', restarts, 'ms', '≤ 1,000 ms')
  for (const client of clients) await client.close()
} finally {
  for (const server of started) await server.kill()
  await rm(folder, { recursive: true, force: true })
  await remove()
}

const { cpu, cores, os, node, load } = describeMachine()
const machine = `${cpu}, ${cores} cores, ${os}, Node ${node}, better-sqlite3, load ${load.join(' ')} at the end`
const table = ['| | measured | goal |', '| --- | ---: | ---: |', ...rows].join('\n')
const text = `# A SQLite file beside memory\n\n${machine}. ${rounds} rounds; medians, ± is the distance of the quartiles. CPU.\n\n${table}\n`
console.log(text)
await writeFile('bench/results/sqlite.md', text)
