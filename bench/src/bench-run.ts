import type { BenchArguments } from './arguments.ts'
import { buildServer } from './build-server.ts'
import { describeMachine, readVersions } from './machine.ts'
import { pinLoadGenerator } from './pin.ts'
import { type Report, toRows } from './report.ts'
import { type RunSettings, runWorkload, type WorkloadResult } from './run.ts'
import { workloads } from './workloads/index.ts'
import type { Scale } from './workloads/workload.ts'

type Timing = Pick<RunSettings, 'sliceMs' | 'warmUpMs' | 'rewarmMs' | 'scale'>

/** A server is not itself before about five seconds: V8 compiles what is hot. */
const timings: Readonly<Record<Scale, Timing>> = {
  full: { sliceMs: 2_000, warmUpMs: 5_000, rewarmMs: 1_500, scale: 'full' },
  quick: { sliceMs: 1_000, warmUpMs: 1_000, rewarmMs: 500, scale: 'quick' },
  tiny: { sliceMs: 100, warmUpMs: 50, rewarmMs: 20, scale: 'tiny' },
}

export interface BenchOptions {
  readonly onProgress?: RunSettings['onProgress']
  /** Is given what there is after each workload: a run takes long, and may be stopped. */
  readonly onReport?: (report: Report) => Promise<void>
  /** For the test: enough to see that everything works. */
  readonly isTiny?: boolean
}

/** Runs the workloads one after the other, each with servers of its own. */
export async function runBench(
  given: Omit<BenchArguments, 'json'>,
  { onProgress = () => undefined, onReport = async () => undefined, isTiny = false }: BenchOptions = {},
): Promise<Report> {
  const timing = timings[isTiny ? 'tiny' : given.isQuick ? 'quick' : 'full']
  const settings: RunSettings = { ...timing, node: given.node, rounds: given.rounds, onProgress }
  const startedAt = new Date()
  const head = {
    startedAt: startedAt.toISOString(),
    settings: { ...timing, rounds: given.rounds },
    machine: describeMachine(given.node),
    versions: readVersions(given.targets),
  }
  const results: WorkloadResult[] = []
  const toReport = (): Report => {
    const seconds = (Date.now() - startedAt.getTime()) / 1_000
    return { ...head, seconds, workloads: results.map(toWorkloadReport) }
  }
  pinLoadGenerator()
  const { entry, remove } = await buildServer()
  try {
    for (const name of given.workloads) {
      results.push(await runWorkload(workloads[name], { entry, targets: given.targets, settings }))
      await onReport(toReport())
    }
  } finally {
    await remove()
  }
  return toReport()
}

function toWorkloadReport(result: WorkloadResult): Report['workloads'][number] {
  const { workload, slices, failures } = result
  const { name, title, figures: columns, ratio: ratioOf } = workload
  return { name, title, columns, ratioOf, rows: toRows(result), failures, slices }
}
