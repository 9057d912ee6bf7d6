// Random clients, well- and ill-behaved, against a server in a process of its own, and a checker that counts what went wrong.
//   pnpm soak --minutes 10 --seed 1 --mount node
import { parseArgs } from 'node:util'
import type { AdapterName } from '../conformance/mounts/index.ts'
import type { Fault } from './check/ledger.ts'
import { type BehaviourName, behaviourNames } from './clients/population.ts'
import { type RunOptions, run } from './run.ts'
import { type Breakage, breakages } from './server/breakage.ts'

const mounts = ['node', 'express', 'fastify', 'koa', 'hono'] as const satisfies readonly AdapterName[]

const usage = `Usage: pnpm soak [--minutes N] [--seed S] [--mount ${mounts.join('|')}|all]
  --minutes N      how long, for each mount (1)
  --seed S         repeats what the clients decide (from the time)
  --mount NAME     (node)
  --clients N      at the same time (16)
  --only A,B       some behaviours only: ${behaviourNames.join(', ')}
  --break KIND     makes the server misbehave: ${breakages.join(', ')}`

/** Of so many faults of a mount the transcript is printed. */
const printedTranscripts = 5
const maxLine = 1_000
const hungAfterMs = 20_000

type Options = Omit<RunOptions, 'mount' | 'print'> & { readonly mounts: readonly AdapterName[] }

function readOptions(): Options {
  const { values } = parseArgs({
    // pnpm hands a separator on.
    args: process.argv.slice(2).filter((argument) => argument !== '--'),
    options: {
      minutes: { type: 'string', default: '1' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
      mount: { type: 'string', default: 'node' },
      clients: { type: 'string', default: '16' },
      only: { type: 'string' },
      break: { type: 'string' },
    },
  })
  const runMs = readNumber('--minutes', values.minutes) * 60_000
  return {
    mounts: values.mount === 'all' ? mounts : [readName('--mount', values.mount, mounts)],
    seed: readNumber('--seed', values.seed),
    runMs,
    warmUpMs: Math.min(30_000, Math.max(runMs / 2, 5_000)),
    clients: readNumber('--clients', values.clients),
    only: values.only?.split(',').map((name): BehaviourName => readName('--only', name, behaviourNames)),
    breakage: values.break === undefined ? undefined : readName<Breakage>('--break', values.break, breakages),
    hungAfterMs,
  }
}

function readNumber(flag: string, text: string): number {
  const number = Number(text)
  if (text.trim() !== '' && Number.isFinite(number) && number >= 0) return number
  throw new TypeError(`Expected ${flag} to be a number, got ${JSON.stringify(text)}`)
}

function readName<Name extends string>(flag: string, text: string, names: readonly Name[]): Name {
  const found = names.find((name) => name === text)
  if (found) return found
  throw new TypeError(`Expected ${flag} to be one of ${names.join(', ')}, got ${JSON.stringify(text)}`)
}

function readOptionsOrExit(): Options {
  try {
    return readOptions()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    console.error(usage)
    process.exit(2)
  }
}

/** One line a fault; the first ones with what their client did and saw last. */
function createFaultPrinter(mount: string, seed: number): (fault: Fault) => void {
  let printed = 0
  return ({ kind, text, transcript }) => {
    console.log(`✗ ${mount} seed ${seed} ${kind}: ${text.slice(0, maxLine)}`)
    if (transcript.length === 0 || ++printed > printedTranscripts) return
    for (const line of transcript) console.log(`    ${line.slice(0, maxLine)}`)
  }
}

async function main({ mounts: chosen, ...options }: Options): Promise<number> {
  let total = 0
  console.log(`seed ${options.seed}`)
  for (const mount of chosen) {
    const startedAt = performance.now()
    const onFault = createFaultPrinter(mount, options.seed)
    const ledger = await run({ ...options, mount, print: (line) => console.log(line), onFault })
    total += ledger.total
    console.log(`${mount}: ${ledger.total} faults in ${Math.round((performance.now() - startedAt) / 1_000)} s`)
  }
  return total
}

process.exit((await main(readOptionsOrExit())) === 0 ? 0 : 1)
