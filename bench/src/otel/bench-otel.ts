/** What watching a server costs: see `bench/README.md`. `pnpm bench:otel [--rounds N] [--node PATH] [--only a,b] [--out FILE]` */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { buildServer } from '../build-server.ts'
import { NodeClient } from '../cluster/sessions.ts'
import { describeMachine } from '../machine.ts'
import { onServerCore, pinLoadGenerator } from '../pin.ts'
import { type Summary, summarize } from '../statistics.ts'
import type { Asked, Told } from './node.ts'
import { type Variant, variants } from './variants.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '41' },
    node: { type: 'string', default: process.execPath },
    only: { type: 'string' },
    out: { type: 'string', default: 'bench/results/otel.md' },
  },
})
const rounds = Number(values.rounds)
const only = values.only?.split(',')
const chosen = variants.filter(({ name }) => only?.includes(name) ?? true)

const sessions = 64
const sliceCalls = 1_000
const warmUpSlices = 12

class Server {
  readonly #child: ChildProcess
  readonly #client: NodeClient
  #sessionIds: readonly string[] = []

  static async start(entry: string, name: string): Promise<Server> {
    const [command, args] = onServerCore(values.node, [entry, name])
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const [told] = (await once(child, 'message')) as [Told & { url: string }]
    const server = new Server(child, told.url)
    server.#sessionIds = await server.#client.openAll(sessions)
    for (let i = 0; i < warmUpSlices; i++) await server.slice()
    return server
  }

  private constructor(child: ChildProcess, url: string) {
    this.#child = child
    this.#client = new NodeClient(url)
  }

  /** Microseconds of the processor for each call. */
  async slice(): Promise<number> {
    const before = await this.#cpu()
    await this.#client.echo(this.#sessionIds, sliceCalls / sessions)
    return ((await this.#cpu()) - before) / sliceCalls
  }

  async #cpu(): Promise<number> {
    const answering = once(this.#child, 'message') as Promise<[Told & { value: number }]>
    this.#child.send('cpu' satisfies Asked)
    return (await answering)[0].value
  }

  async stop(): Promise<void> {
    await this.#client.close()
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}

interface Compared {
  readonly cost: Summary
  readonly added: Summary
  readonly ratio: Summary
}

/** One, the other, one: what else the machine does meets both sides of each ratio. */
async function compare(entry: string, { name, of }: Variant): Promise<Compared> {
  const server = await Server.start(entry, name.replace('plain-again', 'plain').replace(/-of-.*/, ''))
  const beside = await Server.start(entry, of)
  try {
    const [costs, added, ratios]: [number[], number[], number[]] = [[], [], []]
    let before = await beside.slice()
    for (let round = 0; round < rounds; round++) {
      const cost = await server.slice()
      const after = await beside.slice()
      const other = (before + after) / 2
      costs.push(cost)
      added.push(cost - other)
      ratios.push(cost / other)
      before = after
    }
    return { cost: summarize(costs), added: summarize(added), ratio: summarize(ratios) }
  } finally {
    await server.stop()
    await beside.stop()
  }
}

function toRow({ title, of, limit }: Variant, { cost, added, ratio }: Compared): string {
  const verdict = limit === undefined ? '' : `≤ ${limit}: ${ratio.median <= limit ? 'reached' : '**not reached**'}`
  const around = `± ${Math.round(100 * ratio.spread)} %`
  const cells = [`${cost.median.toFixed(1)}`, `${added.median.toFixed(1)}`, `${ratio.median.toFixed(2)} ${around}`]
  return `| ${title} | ${cells.join(' | ')} | ${of} | ${verdict} |`
}

pinLoadGenerator()
const { entry, remove } = await buildServer('otel/node.ts')
const { cpu, cores, os, node, load } = describeMachine(values.node)
const rows: string[] = []
try {
  for (const variant of chosen) {
    const row = toRow(variant, await compare(entry, variant))
    console.error(row)
    rows.push(row)
  }
} finally {
  await remove()
}
const machine = `${cpu}, ${cores} cores, ${os}, Node ${node}, load ${load.join(' ')} at the start, ${describeMachine().load.join(' ')} at the end`
const how = `${rounds} rounds of ${sliceCalls} calls of W1's echo in ${sessions} sessions; each round compares with the rounds of the other server before and after it. Medians; ± is the distance of the quartiles. CPU of the server's process, in µs for each call.`
const table = ['| | µs | more, µs | ratio | to | goal |', '| --- | ---: | ---: | ---: | --- | --- |', ...rows].join(
  '\n',
)
const text = `# What watching costs\n\n${machine}. ${how}\n\n${table}\n`
console.log(text)
await writeFile(values.out, text)
