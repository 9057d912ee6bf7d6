/** W1 and W2 on releases of Node, one after the other: `pnpm bench:releases [20 22 24 26] [--rounds N]`. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { installNode } from '../../scripts/install-node.ts'
import { readArguments } from './arguments.ts'
import { runBench } from './bench-run.ts'
import type { Report, Row } from './report.ts'
import type { Summary } from './statistics.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    out: { type: 'string', default: 'bench/results/releases.md' },
  },
})
const releases = positionals.length > 0 ? positionals : ['20', '22', '24', '26']

const targets = ['dispatch', 'dispatch-sse', 'ours-node', 'ours-node-sse', 'sdk1-node', 'sdk1-node-json']

interface Asked {
  readonly workload: 'W1' | 'W2'
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

async function measure(release: string): Promise<Report> {
  const node = join(await installNode(release), 'node')
  const args = ['--targets', targets.join(), '--workloads', 'W1,W2', '--rounds', values.rounds, '--node', node]
  return runBench(readArguments(args), { onProgress: (text) => console.error(`Node ${release}: ${text}`) })
}

/** Both are ratios to the same slices of dispatch. */
function toCell(report: Report, { workload, target, of }: Asked): string {
  const rows = report.workloads.find(({ name }) => name === workload)?.rows ?? []
  const ratioOf = (name: string): Summary | undefined => rows.find((row: Row) => row.target === name)?.ratio
  const [own, other] = [ratioOf(target), ratioOf(of)]
  if (!own || !other) return 'failed'
  return `${(own.median / other.median).toFixed(2)} ± ${Math.round(100 * Math.hypot(own.spread, other.spread))} %`
}

/** What a call costs, for a look across: the machine may have been slower at one of them. */
function toCost({ workloads }: Report): string {
  const row = workloads.find(({ name }) => name === 'W1')?.rows.find(({ target }) => target === 'ours-node')
  return `${row?.figures.cpuUs?.median.toFixed(0)} µs`
}

const reports: Report[] = []
for (const release of releases) reports.push(await measure(release))
const [{ machine }] = reports as [Report]
const toLine = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
const table = [
  toLine(['CPU of the server', ...reports.map(({ machine }) => `Node ${machine.node.slice(1)}`)]),
  toLine(['---', ...reports.map(() => '---:')]),
  ...asked.map((row) => toLine([row.title, ...reports.map((report) => toCell(report, row))])),
  toLine(['a call, JSON, by itself', ...reports.map(toCost)]),
]
const loads = reports.map(({ machine }) => machine.load[0]).join(', ')
const how = `${values.rounds} rounds of each release, one release after the other; medians, ± the distance of the quartiles.`
const text = `# Releases of Node

${machine.cpu}, ${machine.cores} cores, ${machine.os}, load ${loads} at the start of each. ${how}

${table.join('\n')}
`
console.log(text)
await writeFile(values.out, text)
// Connections of the load generator may be open still.
process.exit(0)
