// Where the time and the memory of one target go. `tsx bench/src/profile.ts TARGET WORKLOAD [--case N] [--seconds N]`
import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { buildServer } from './build-server.ts'
import { toFlameGraph } from './flame-graph.ts'
import { pinLoadGenerator } from './pin.ts'
import {
  type Cost,
  type CpuProfile,
  functionOf,
  type HeapNode,
  moduleOf,
  packageOf,
  sumBy,
  toCpuCosts,
  toHeapCosts,
} from './profile-data.ts'
import { ServerProcess } from './server-process.ts'
import { toSourcePosition } from './source-positions.ts'
import { findTarget } from './targets/index.ts'
import type { WorkloadName } from './targets/target.ts'
import { workloads } from './workloads/index.ts'

const folder = fileURLToPath(new URL('../results/profiles', import.meta.url))
const warmUpMs = 5_000

const { values, positionals } = parseArgs({
  options: { case: { type: 'string', default: '1' }, seconds: { type: 'string', default: '5' } },
  allowPositionals: true,
})
const target = findTarget(positionals[0] ?? '')
const workload = workloads[(positionals[1] ?? '').toUpperCase() as WorkloadName]
const chosen = workload?.cases('quick')[Number(values.case) - 1]
if (!chosen) throw new RangeError(`Expected TARGET WORKLOAD [--case N], got ${process.argv.slice(2).join(' ')}`)

pinLoadGenerator()
const { entry, remove } = await buildServer()
const server = await ServerProcess.start(entry, target)
try {
  const prepared = await chosen.prepare(server)
  if (workload.preparation !== 'once') await prepared.slice(warmUpMs)
  await server.request('startProfile')
  const figures = await prepared.slice(Number(values.seconds) * 1_000)
  const { cpu, heap } = await server.request('stopProfile')
  const cpuProfile = JSON.parse(cpu) as CpuProfile
  const heapProfile = JSON.parse(heap) as { head: HeapNode }
  const cpuCosts = toCpuCosts(cpuProfile)
  const heapCosts = toHeapCosts(heapProfile.head)
  for (const { callFrame } of cpuProfile.nodes) toSourcePosition(callFrame)
  for (const { frame } of heapCosts) toSourcePosition(frame)

  console.log(`# ${target.name}, ${workload.name} ${chosen.name}\n`)
  console.log(`While it was profiled: ${JSON.stringify(figures)}\n`)
  printTable('Self time by package', cpuCosts, { nameOf: packageOf, rows: 25, unit: 'ms', divisor: 1_000 })
  printTable('Self time by module', cpuCosts, { nameOf: moduleOf, rows: 25, unit: 'ms', divisor: 1_000 })
  printTable('Functions by self time', cpuCosts, { nameOf: functionOf, rows: 30, unit: 'ms', divisor: 1_000 })
  printTable('Allocated by package', heapCosts, { nameOf: packageOf, rows: 15, unit: 'MB', divisor: 1_048_576 })
  printTable('Functions by what they allocated', heapCosts, {
    nameOf: functionOf,
    rows: 30,
    unit: 'MB',
    divisor: 1_048_576,
  })

  await mkdir(folder, { recursive: true })
  const base = `${folder}/${target.name}-${workload.name}`
  await writeFile(`${base}.cpuprofile`, JSON.stringify(cpuProfile))
  await writeFile(`${base}.heapprofile`, JSON.stringify(heapProfile))
  await writeFile(`${base}.svg`, toFlameGraph(cpuProfile, `${target.name}, ${workload.name} ${chosen.name}`))
  console.error(`wrote ${base}.cpuprofile, .heapprofile and .svg`)
} finally {
  await server.stop()
  await remove()
}
// Connections of the load generator may be open still.
process.exit(0)

interface TableOptions {
  readonly nameOf: Parameters<typeof sumBy>[1]
  readonly rows: number
  readonly unit: string
  readonly divisor: number
}

function printTable(title: string, costs: readonly Cost[], { nameOf, rows, unit, divisor }: TableOptions): void {
  const lines = sumBy(costs, nameOf)
    .slice(0, rows)
    .map(({ name, amount, part }) => `| ${name} | ${(amount / divisor).toFixed(1)} | ${(100 * part).toFixed(1)} |`)
  console.log([`## ${title}`, '', `| | ${unit} | % |`, '| --- | ---: | ---: |', ...lines, ''].join('\n'))
}
