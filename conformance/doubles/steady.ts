// No false alarm: runs the suite against the correct reference server, again and again, while every processor is busy.
//   tsx conformance/doubles/steady.ts [--runs 20] [--slow]
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { type RunOptions, runConformance } from '../src/run-conformance.ts'
import { issueTokens } from './auth.ts'
import { type ReferenceOptions, startReferenceServer } from './reference-server.ts'

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '20' }, slow: { type: 'boolean', default: false } },
})
const runs = Number(values.runs)
/** As in the tests: no one server can show everything. */
const kinds: readonly ReferenceOptions[] = [{ auth: true }, { stateless: true }, { modernOnly: true }, { http2: true }]
const fine: ReadonlySet<string> = new Set(['pass', 'not-testable', 'not-run'])

async function countAlarms(kind: ReferenceOptions): Promise<number> {
  const server = await startReferenceServer(kind)
  const options: RunOptions = {
    url: server.url,
    secondUrl: new URL(`${server.url}?node=2`),
    credentials: kind.auth ? issueTokens() : {},
    abuse: true,
    slow: values.slow,
    timeoutMs: 600_000,
  }
  const { results, incomplete } = await runConformance(options)
  await server.close()
  const alarms = results.filter(({ verdict }) => !fine.has(verdict))
  for (const { id, verdict, message } of alarms) console.log(`✗ ${JSON.stringify(kind)} ${verdict} ${id}: ${message}`)
  if (incomplete !== '') console.log(`✗ ${JSON.stringify(kind)} ${incomplete}`)
  return alarms.length + (incomplete === '' ? 0 : 1)
}

const startedAt = performance.now()
const busy = Array.from({ length: availableParallelism() }, () => new Worker('for (;;);', { eval: true }))
let alarms = 0
for (let run = 0; run < runs; run++) {
  const kind = kinds[run % kinds.length] ?? {}
  // The kind that shows most comes in every run.
  alarms += await countAlarms({ auth: true })
  if (!kind.auth) alarms += await countAlarms(kind)
}
await Promise.all(busy.map((worker) => worker.terminate()))
const seconds = Math.round((performance.now() - startedAt) / 1_000)
console.log(`${runs} runs with ${busy.length} busy processors: ${alarms} false alarms (${seconds} s)`)
process.exit(alarms === 0 ? 0 : 1)
