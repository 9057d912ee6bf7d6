/** W1 and W2 on releases of Node, one after the other: `pnpm bench:releases [20 22 24 26] [--rounds N]`. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { installNode } from '../../scripts/install-node.ts'
import { readArguments } from './arguments.ts'
import { runBench } from './bench-run.ts'
import type { Report } from './report.ts'
import type { Summary } from './statistics.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    out: { type: 'string', default: 'bench/results/releases.md' },
  },
})
const releases = positionals.length > 0 ? positionals : ['20', '22', '24', '26']

const targets = {
  W1: ['dispatch', 'dispatch-sse', 'ours-node', 'ours-node-sse', 'sdk1-node', 'sdk1-node-json'],
  W2: ['dispatch', 'ours-node'],
}

interface Asked {
  readonly workload: keyof typeof targets
  readonly target: string
  /** What its cost is a multiple of. */
  readonly of: string
  readonly title: string
}

const asked: readonly Asked[] = [
  { workload: 'W1', target: 'ours-node', of: 'dispatch', title: 'a call, JSON ÷ dispatch' },
  { workload: 'W1', target: 'ours-node-sse', of: 'dispatch-sse', title: 'a call, event stream ÷ dispatch in SSE' },
  { workload: 'W1', target: 'sdk1-node-json', of: 'ours-node', title: "the SDK's transport ÷ ours, JSON" },
  { workload: 'W1', target: 'sdk1-node', of: 'ours-node-sse', title: "the SDK's transport ÷ ours, event stream" },
  { workload: 'W2', target: 'ours-node', of: 'dispatch', title: 'a session that comes and goes, JSON ÷ dispatch' },
]

type Reports = Readonly<Record<Asked['workload'], Report>>

async function measure(release: string): Promise<Reports> {
  const node = join(await installNode(release), 'node')
  const run = (workload: Asked['workload']): Promise<Report> => {
    const args = ['--targets', targets[workload].join(), '--workloads', workload, '--rounds', values.rounds]
    const onProgress = (text: string): void => console.error(`Node ${release}: ${text}`)
    return runBench(readArguments([...args, '--node', node]), { onProgress })
  }
  return { W1: await run('W1'), W2: await run('W2') }
}

/** Of ratios to the slices of dispatch beside each. */
function toCell(reports: Reports, { workload, target, of }: Asked): string {
  const rows = reports[workload].workloads[0]?.rows ?? []
  const ratioOf = (name: string): Summary | undefined => rows.find((row) => row.target === name)?.ratio
  const [own, other] = [ratioOf(target), ratioOf(of)]
  if (!own || !other) return 'failed'
  return `${(own.median / other.median).toFixed(2)} ± ${Math.round(100 * Math.hypot(own.spread, other.spread))} %`
}

/** What a call costs, for a look across: the machine may have been slower at one of them. */
function toCost({ W1 }: Reports): string {
  const row = W1.workloads[0]?.rows.find(({ target }) => target === 'ours-node')
  return `${row?.figures.cpuUs?.median.toFixed(0)} µs`
}

const toLine = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

function toText(all: readonly Reports[]): string {
  const [{ W1 }] = all as readonly [Reports]
  const { machine } = W1
  const table = [
    toLine(['CPU of the server', ...all.map(({ W1 }) => `Node ${W1.machine.node.slice(1)}`)]),
    toLine(['---', ...all.map(() => '---:')]),
    ...asked.map((row) => toLine([row.title, ...all.map((reports) => toCell(reports, row))])),
    toLine(['a call, JSON, by itself', ...all.map(toCost)]),
  ]
  const loads = all.map(({ W1 }) => W1.machine.load[0]).join(', ')
  const where = `${machine.cpu}, ${machine.cores} cores, ${machine.os}, load ${loads} at the start of each.`
  const how = `${values.rounds} rounds of each release, one release after the other; medians, ± the distance of the quartiles.`
  return `# Releases of Node\n\n${where} ${how}\n\n${table.join('\n')}\n`
}

const all: Reports[] = []
for (const release of releases) {
  all.push(await measure(release))
  // A run takes long, and may be stopped.
  await writeFile(values.out, toText(all))
}
console.log(toText(all))
// Connections of the load generator may be open still.
process.exit(0)
