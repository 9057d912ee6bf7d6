import './virtual-time.ts'
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runBatch, type Summary, total } from './batch.ts'
import { breaches, type Sentence } from './database.ts'
import { unnoticed } from './mutants.ts'
import { runWorld } from './world.ts'

/*
 * tsx packages/core/test/simulation/simulate.ts            runs for --seconds, or --worlds, on --workers processes
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
    workers: { type: 'string', default: String(Math.min(2, availableParallelism())) },
    share: { type: 'string' },
  },
})

const self = fileURLToPath(import.meta.url)
/** Worlds of one batch. */
const batchSize = 50
/** Worlds in which a broken sentence must be noticed. */
const mostWorlds = 4_000

// What promises have queued is run by hand: that must not begin within a promise.
setImmediate(() => {
  if (values.seed !== undefined) replay(Number(values.seed))
  else if (values.share !== undefined) work(Number(values.share))
  else if (values.mutants) runMutants()
  else void runWorkers()
})

function replay(seed: number): void {
  const { violations, ...counts } = runWorld({ seed, broken: values.broken as Sentence, trace: console.log })
  console.log(counts)
  for (const { rule, what } of violations) console.log(`${rule}: ${what}`)
  process.exitCode = violations.length > 0 ? 1 : 0
}

/** Every so many-th batch is this process's. */
function work(share: number): void {
  const workers = Number(values.workers)
  const endsAt = performance.now() + Number(values.seconds) * 1_000
  const batches = Number(values.worlds) / batchSize
  for (let batch = share; batch < batches && performance.now() < endsAt; batch += workers) {
    const from = Number(values.from) + batch * batchSize
    process.send?.(runBatch({ from, worlds: batchSize }))
  }
  process.disconnect()
}

async function runWorkers(): Promise<void> {
  const workers = Number(values.workers)
  const began = performance.now()
  const sum = total()
  const ends = Array.from({ length: workers }, (_, share) => {
    const worker = fork(self, [...process.argv.slice(2), '--share', String(share)], { execArgv: process.execArgv })
    worker.on('message', (summary: Summary) => {
      sum.add(summary)
      for (const { seed, rule, what } of summary.violations) console.log(`seed ${seed}: ${rule}: ${what}`)
    })
    return new Promise<number | null>((resolve) => worker.once('exit', resolve))
  })
  const codes = await Promise.all(ends)
  const seconds = (performance.now() - began) / 1_000
  console.log(sum.toText(seconds))
  if (sum.violations > 0) console.log(`Replay one with: pnpm test:simulation --seed ${sum.firstSeed}`)
  process.exitCode = sum.violations > 0 || codes.some((code) => code !== 0) ? 1 : 0
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
