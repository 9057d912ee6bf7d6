// No false alarm: runs the suite against the correct reference server, again and again, while every processor is busy;
// then once behind a long way, behind a proxy that adds CORS headers, and at a load of eight.
//   tsx conformance/doubles/steady.ts [--runs 20] [--slow] [--only-conditions | --no-conditions]
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { type RunOptions, runConformance } from '../src/run-conformance.ts'
import { issueTokens } from './auth.ts'
import { startCorsProxy } from './cors-proxy.ts'
import { type RunningProxy, startDelayingProxy } from './delaying-proxy.ts'
import { type ReferenceOptions, startReferenceServer } from './reference-server.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    slow: { type: 'boolean', default: false },
    'only-conditions': { type: 'boolean', default: false },
    'no-conditions': { type: 'boolean', default: false },
  },
})
const runs = values['only-conditions'] ? 0 : Number(values.runs)
/** As in the tests: no one server can show everything. */
const kinds: readonly ReferenceOptions[] = [{ auth: true }, { stateless: true }, { modernOnly: true }, { http2: true }]
const fine: ReadonlySet<string> = new Set(['pass', 'not-testable', 'not-run'])

interface Condition {
  readonly name: string
  /** Threads that do nothing but keep a processor busy. */
  readonly threads?: number
  /** What stands between the suite and the server. */
  readonly through?: (url: string) => Promise<RunningProxy>
}

const conditions: readonly Condition[] = [
  { name: 'behind 200 ms each way', through: (url) => startDelayingProxy(url, 200) },
  { name: 'behind a proxy that adds CORS headers', through: startCorsProxy },
  { name: 'at a load of 8', threads: 8 },
]

async function countAlarms(kind: ReferenceOptions, through?: Condition['through']): Promise<number> {
  const publicPorts = new Set<number>()
  const server = await startReferenceServer({ ...kind, publicPorts })
  const proxy = await through?.(server.url)
  const url = proxy?.url ?? server.url
  publicPorts.add(Number(new URL(url).port))
  const options: RunOptions = {
    url,
    secondUrl: new URL(`${url}?node=2`),
    credentials: kind.auth ? issueTokens() : {},
    abuse: true,
    slow: values.slow,
    timeoutMs: 600_000,
  }
  const { results, incomplete } = await runConformance(options)
  proxy?.close()
  await server.close()
  const alarms = results.filter(({ verdict }) => !fine.has(verdict))
  for (const { id, verdict, message } of alarms) console.log(`✗ ${JSON.stringify(kind)} ${verdict} ${id}: ${message}`)
  if (incomplete !== '') console.log(`✗ ${JSON.stringify(kind)} ${incomplete}`)
  return alarms.length + (incomplete === '' ? 0 : 1)
}

async function countRepeated(): Promise<number> {
  let count = 0
  for (let run = 0; run < runs; run++) {
    const kind = kinds[run % kinds.length] ?? {}
    // The kind that shows most comes in every run; the other beside it, for both wait most of the time.
    const both = kind.auth ? [kind] : [{ auth: true }, kind]
    for (const alarms of await Promise.all(both.map((each) => countAlarms(each)))) count += alarms
  }
  return count
}

/** Counts while so many threads are busy, and says how many and how long it took. */
async function countBeside(threads: number, what: string, count: () => Promise<number>): Promise<number> {
  const startedAt = performance.now()
  const busy = Array.from({ length: threads }, () => new Worker('for (;;);', { eval: true }))
  const alarms = await count()
  await Promise.all(busy.map((worker) => worker.terminate()))
  console.log(`${what}: ${alarms} false alarms (${Math.round((performance.now() - startedAt) / 1_000)} s)`)
  return alarms
}

let alarms = 0
if (runs > 0) {
  const threads = availableParallelism()
  alarms += await countBeside(threads, `${runs} runs with ${threads} busy processors`, countRepeated)
}
for (const { name, threads = 0, through } of values['no-conditions'] ? [] : conditions) {
  alarms += await countBeside(threads, name, () => countAlarms({}, through))
}
process.exit(alarms === 0 ? 0 : 1)
