import { fork } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import type { Requirement } from '../src/requirement.ts'
import { requirements } from '../src/requirements/index.ts'
import { type Double, doubles } from './doubles.ts'
import { isNear, judge, laborious, probeFor } from './judge.ts'

/*
 * Every check against every double; what is laborious only against the doubles of its own section, unless --all.
 * The tests run a part of this, to be quick:
 *   tsx conformance/doubles/full-matrix.ts [--only <start of a requirement id>] [--all] [--processes 2] [--parallel 5]
 */
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    all: { type: 'boolean', default: false },
    processes: { type: 'string', default: '2' },
    parallel: { type: 'string', default: '5' },
    share: { type: 'string' },
  },
})
const processes = Number(values.processes)
const startedAt = performance.now()
if (values.share === undefined) await runProcesses()
else await runShare(Number(values.share))

/** One process cannot use two processors. */
async function runProcesses(): Promise<void> {
  const children = Array.from({ length: processes }, (_, share) =>
    fork(import.meta.filename, [...process.argv.slice(2), '--share', String(share)]),
  )
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]))
  console.log(`${Math.round((performance.now() - startedAt) / 1_000)} s`)
  process.exitCode = codes.every((code) => code === 0) ? 0 : 1
}

async function runShare(share: number): Promise<void> {
  const chosen = doubles.filter(({ requirement, spoilsAll }, index) => {
    return index % processes === share && spoilsAll === undefined && requirement.startsWith(values.only)
  })
  const targetFor = await probeFor(chosen)
  let count = 0
  let complaints = 0
  const judgeAll = async (isMeant: (requirement: Requirement) => boolean, limit: number): Promise<void> => {
    const queue = chosen.values()
    const work = async (): Promise<void> => {
      for (const double of queue) {
        const checks = requirements.filter((requirement) => isMeant(requirement) && isWorthIt(requirement, double))
        const found = await judge(double, checks, targetFor(double))
        for (const complaint of found) console.log(`✗ ${complaint}`)
        count += checks.length
        complaints += found.length
      }
    }
    await Promise.all(Array.from({ length: limit }, work))
  }
  const parallel = Number(values.parallel)
  await judgeAll(({ id, alone }) => !alone && !laborious.has(id), parallel)
  // What takes much time, and then what measures time, has fewer beside it.
  await judgeAll(({ id }) => laborious.has(id), Math.ceil(parallel / 2))
  await judgeAll(({ alone }) => alone, Math.ceil(parallel / 2))
  console.log(`share ${share + 1} of ${processes}: ${chosen.length} doubles, ${count} checks, ${complaints} complaints`)
  process.exitCode = complaints === 0 ? 0 : 1
}

function isWorthIt({ id }: Requirement, double: Double): boolean {
  return values.all || !laborious.has(id) || isNear(id, double)
}
