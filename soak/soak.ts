// Random clients, well- and ill-behaved, against a server in a process of its own, and a checker that counts what went wrong.
//   pnpm soak --minutes 10 --seed 1
import { parseArgs } from 'node:util'
import type { AdapterName } from '../conformance/mounts/index.ts'
import type { Fault, Ledger } from './check/ledger.ts'
import { toTable } from './check/table.ts'
import { type BehaviourName, behaviourNames } from './clients/population.ts'
import { type RunOptions, run } from './run.ts'
import { type Breakage, breakages } from './server/breakage.ts'

const mounts = ['node', 'express', 'fastify', 'koa', 'hono'] as const satisfies readonly AdapterName[]

type MountName = (typeof mounts)[number]

const usage = `Usage: pnpm soak [--minutes N] [--seed S] [--mount ${mounts.join('|')}|all]
  --minutes N      how long, for each mount (1)
  --seed S         repeats what the clients decide (from the time)
  --mount NAME     one of them only (all, one after the other)
  --clients N      at the same time, for each mount (16)
  --together       all mounts at the same time, which takes less of yours and says less of each
  --only A,B       some behaviours only: ${behaviourNames.join(', ')}
  --break KIND     makes the server misbehave: ${breakages.join(', ')}`

/** Of so many faults of a mount the transcript is printed. */
const printedTranscripts = 5
const maxLine = 1_000
// A machine that is busy with other things may be slow; nothing here takes as long.
const hungAfterMs = 30_000

type Options = Omit<RunOptions, 'mount' | 'print'> & {
  readonly mounts: readonly MountName[]
  readonly isTogether: boolean
}

function readOptions(): Options {
  const { values } = parseArgs({
    // pnpm hands a separator on.
    args: process.argv.slice(2).filter((argument) => argument !== '--'),
    options: {
      minutes: { type: 'string', default: '1' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
      mount: { type: 'string', default: 'all' },
      together: { type: 'boolean', default: false },
      clients: { type: 'string', default: '16' },
      only: { type: 'string' },
      break: { type: 'string' },
    },
  })
  const runMs = readNumber('--minutes', values.minutes) * 60_000
  return {
    mounts: values.mount === 'all' ? mounts : [readName('--mount', values.mount, mounts)],
    isTogether: values.together,
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

/** Whether nothing was found. */
async function main({ mounts: chosen, isTogether, ...options }: Options): Promise<boolean> {
  console.log(`seed ${options.seed}`)
  const soak = (mount: MountName): Promise<Ledger> => {
    const onFault = createFaultPrinter(mount, options.seed)
    // What clients do on one mount is not what they do on another, and the same with `--mount`.
    const seed = options.seed + 1_000_003 * mounts.indexOf(mount)
    return run({ ...options, mount, seed, print: (line) => console.log(line), onFault })
  }
  const runs: Promise<Ledger>[] = []
  for (const mount of chosen) {
    runs.push(soak(mount))
    if (!isTogether) await runs.at(-1)
  }
  const found = await Promise.all(runs)
  const ledgers = new Map(chosen.map((mount, index) => [mount, found[index] as Ledger]))
  const total = found.reduce((sum, ledger) => sum + ledger.total, 0)
  console.log(`\n${toTable(ledgers)}\n\n${total} faults, seed ${options.seed}`)
  return total === 0
}

process.exit((await main(readOptionsOrExit())) ? 0 : 1)
