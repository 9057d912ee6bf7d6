import { outsidePromises } from './virtual-time.ts'

// The core keeps clocks that it finds when it is loaded: it comes after.

import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { buildServer } from '../../../../bench/src/build-server.ts'
import { type Summary, total } from './batch.ts'
import { breaches, type Sentence } from './database.ts'
import { unnoticed } from './mutants.ts'
import type { Share } from './share.ts'
import { runWorld } from './world.ts'

/*
 * tsx packages/core/test/simulation/simulate.ts            runs for --seconds, or --worlds, on --workers processes;
 *                                                          fewer interleavings than --at-least are a failure
 *   --seed 4711                                            one world, with everything that happens in it
 *   --mutants                                              for each sentence of the contract, a database that breaks it
 */
const { values } = parseArgs({
  // pnpm passes its own separator on.
  args: process.argv.slice(2).filter((argument) => argument !== '--'),
  options: {
    seed: { type: 'string' },
    broken: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    from: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '150' },
    worlds: { type: 'string', default: 'Infinity' },
    'at-least': { type: 'string', default: '0' },
    workers: { type: 'string', default: String(Math.min(2, availableParallelism())) },
  },
})

/** Worlds in which a broken sentence must be noticed. */
const mostWorlds = 4_000

outsidePromises(() => {
  if (values.seed !== undefined) replay(Number(values.seed))
  else if (values.mutants) runMutants()
  else void runWorkers()
})

function replay(seed: number): void {
  const broken = values.broken as Sentence
  const { violations, histories: _histories, ...counts } = runWorld({ seed, broken, trace: console.log })
  console.log(counts)
  for (const { rule, what } of violations) console.log(`${rule}: ${what}`)
  process.exitCode = violations.length > 0 ? 1 : 0
}

async function runWorkers(): Promise<void> {
  const [from, seconds, workers] = [values.from, values.seconds, values.workers].map(Number) as [number, number, number]
  // JSON knows no Infinity.
  const worlds = Math.min(Number(values.worlds), Number.MAX_SAFE_INTEGER)
  const began = performance.now()
  const sum = total()
  // tsx would take half as long again.
  const { entry, remove } = await buildServer(new URL('share.ts', import.meta.url).href)
  const ends = Array.from({ length: workers }, (_, share) => {
    const its: Share = { share, workers, from, worlds, seconds }
    const worker = fork(entry, [JSON.stringify(its)], { execArgv: [] })
    worker.on('message', (summary: Summary) => {
      sum.add(summary)
      for (const { seed, rule, what } of summary.violations) console.log(`seed ${seed}: ${rule}: ${what}`)
    })
    return new Promise<number | null>((resolve) => worker.once('exit', resolve))
  })
  const codes = await Promise.all(ends)
  await remove()
  console.log(sum.toText((performance.now() - began) / 1_000))
  if (sum.violations > 0) console.log(`Replay one with: pnpm test:simulation --seed ${sum.firstSeed}`)
  const isTooFew = sum.interleavings < Number(values['at-least'])
  if (isTooFew) console.log(`Expected at least ${values['at-least']} interleavings`)
  process.exitCode = sum.violations > 0 || isTooFew || codes.some((code) => code !== 0) ? 1 : 0
}

function runMutants(): void {
  let unexpected = 0
  for (const sentence of Object.keys(breaches) as Sentence[]) {
    const caught = findBreach(sentence)
    const why = unnoticed[sentence]
    if (caught === undefined && why === undefined) unexpected++
    console.log(`${caught ?? `not noticed in ${mostWorlds} worlds${why ? `, as expected: ${why}` : ''}`}  ${sentence}`)
  }
  process.exitCode = unexpected > 0 ? 1 : 0
}

function findBreach(sentence: Sentence): string | undefined {
  let histories = 0
  for (let seed = 1; seed <= mostWorlds; seed++) {
    const { violations, sessions } = runWorld({ seed, broken: sentence })
    histories += sessions
    const [first] = violations
    // Not what the unbroken database is blamed for as well.
    if (first && runWorld({ seed }).violations.length === 0) {
      const by = first.inStore ? 'in the store' : 'by a client'
      return `noticed after ${String(histories).padStart(5)} histories, ${first.rule.padEnd(11)} ${by}`
    }
  }
  return undefined
}
