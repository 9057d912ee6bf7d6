// Several nodes on a real Redis or Postgres, or a SQLite file, clients that come to any of them, and faults of all kinds: a checker counts what goes wrong.
//   pnpm chaos --minutes 2 --seed 1 [--store postgres|sqlite]
import { parseArgs } from 'node:util'
import { leftOut, redisInstalled } from '../../test-support/redis/start-redis.ts'
import { Random } from '../random.ts'
import type { StoreName } from './deployment.ts'
import { type NemesisName, nemesesOfFile, nemesesOfPostgres, nemesesOfRedis, planFaults } from './plan.ts'
import { toReport } from './report.ts'
import { runChaos } from './run.ts'

const maxFault = 3_000

const { values } = parseArgs({
  // pnpm hands a separator on.
  args: process.argv.slice(2).filter((argument) => argument !== '--'),
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    nodes: { type: 'string', default: '3' },
    clients: { type: 'string', default: '8' },
    official: { type: 'string', default: '2' },
    store: { type: 'string', default: 'redis' },
    /** Some kinds of faults only. */
    only: { type: 'string' },
  },
})
const stores: Readonly<Record<StoreName, readonly NemesisName[]>> = {
  redis: nemesesOfRedis,
  postgres: nemesesOfPostgres,
  sqlite: nemesesOfFile,
}
const store = toStore(values.store)
if (store === 'redis' && !redisInstalled) {
  console.error(leftOut)
  process.exit(1)
}
const [seed, nodes, runMs] = [Number(values.seed), Number(values.nodes), Number(values.minutes) * 60_000]
const possible = stores[store]
const kinds = values.only === undefined ? possible : values.only.split(',').map(toNemesis)
console.log(`seed ${seed}`)
const result = await runChaos({
  ...{ seed, nodes, runMs, store, clients: Number(values.clients), officialClients: Number(values.official) },
  plan: planFaults(new Random(seed), { ms: runMs, nodes, kinds }),
  print: (line) => console.log(line),
  onFault: (kind, text) => console.log(`✗ seed ${seed} ${kind}: ${text.slice(0, maxFault)}`),
})
console.log(toReport(result))
console.log(`${result.tally.total} faults, seed ${seed}`)
process.exit(result.tally.total === 0 ? 0 : 1)

function toStore(text: string): StoreName {
  if (text === 'redis' || text === 'postgres' || text === 'sqlite') return text
  throw new TypeError(`Expected --store to be redis, postgres or sqlite, got ${text}`)
}

function toNemesis(text: string): NemesisName {
  const found = possible.find((name) => name === text)
  if (found) return found
  throw new TypeError(`Expected --only to be some of ${possible.join(', ')}, got ${text}`)
}
