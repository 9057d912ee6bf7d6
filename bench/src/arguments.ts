import { parseArgs } from 'node:util'
import { findTarget, targets } from './targets/index.ts'
import type { Target, WorkloadName } from './targets/target.ts'
import { workloadNames } from './workloads/index.ts'

export interface BenchArguments {
  readonly targets: readonly Target[]
  readonly workloads: readonly WorkloadName[]
  readonly rounds: number
  readonly isQuick: boolean
  /** The program `node` that the servers run on. */
  readonly node: string
  /** Where the results go, instead of `results/`. */
  readonly json: string | undefined
}

export const usage = `tsx bench/src/bench.ts [--targets a,b] [--workloads W1,W2] [--rounds N] [--quick] [--node PATH] [--json FILE]

  targets    names, or beginnings that end in "*": ours*. Default: all
  workloads  default: all
  rounds     default: 5, with --quick 2
  quick      shorter slices and warm-up, fewer sessions: to see that it works
  node       the program that servers run on. Default: the one that runs this
  json       write the results here, and the tables and the chart beside it`

/** @throws RangeError or TypeError that says what was expected. */
export function readArguments(args: readonly string[]): BenchArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      targets: { type: 'string' },
      workloads: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      node: { type: 'string', default: process.execPath },
      json: { type: 'string' },
    },
  })
  const rounds = Number(values.rounds ?? (values.quick ? 2 : 5))
  if (!Number.isSafeInteger(rounds) || rounds < 1)
    throw new RangeError(`Expected --rounds from 1, got ${values.rounds}`)
  return {
    targets: values.targets === undefined ? targets : [...new Set(values.targets.split(',').flatMap(matchTargets))],
    workloads: values.workloads === undefined ? workloadNames : values.workloads.split(',').map(findWorkload),
    rounds,
    isQuick: values.quick,
    node: values.node,
    json: values.json,
  }
}

function matchTargets(pattern: string): readonly Target[] {
  if (!pattern.endsWith('*')) return [findTarget(pattern)]
  return targets.filter(({ name }) => name.startsWith(pattern.slice(0, -1)))
}

function findWorkload(name: string): WorkloadName {
  const found = workloadNames.find((known) => known === name.toUpperCase())
  if (found) return found
  throw new RangeError(`Expected a workload (${workloadNames.join(', ')}), got "${name}"`)
}
