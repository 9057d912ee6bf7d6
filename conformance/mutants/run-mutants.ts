// Runs the command, with default flags where a MUST is broken, against servers with one mistake each, and counts those that its exit code tells:
//   tsx conformance/mutants/run-mutants.ts [NAME ...] [--suite FILE]
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Report } from '../src/report.ts'
import { type Mutant, mutants } from './mutants.ts'

const conformance = fileURLToPath(new URL('..', import.meta.url))
const { values, positionals } = parseArgs({
  // Another revision of the command may be measured with the same mistakes.
  options: { suite: { type: 'string', default: join(conformance, 'src/cli/bin.ts') } },
  allowPositionals: true,
})
const atOnce = 3
const mostMissed = 1

/** A copy of the reference server with the mistake in it, where it finds the packages of the project. */
async function plant(mutant: Mutant | undefined): Promise<string> {
  const ignored = join(conformance, 'node_modules/.mutants')
  await mkdir(ignored, { recursive: true })
  const folder = await mkdtemp(join(ignored, `${mutant?.name ?? 'none'}-`))
  await cp(join(conformance, 'doubles'), join(folder, 'doubles'), { recursive: true })
  await symlink(join(conformance, 'src'), join(folder, 'src'))
  if (mutant !== undefined) await change(join(folder, 'doubles', mutant.file), mutant)
  return folder
}

async function change(file: string, { name, from, to }: Mutant): Promise<void> {
  const source = await readFile(file, 'utf8')
  const count = source.split(from).length - 1
  if (count !== 1) throw new Error(`Expected the text that ${name} changes once in ${file}, found it ${count} times`)
  await writeFile(
    file,
    source.replace(from, () => to),
  )
}

function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', ...args], {
    cwd: conformance,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

async function readUrl({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('Expected the output of the server to be read')
  for await (const line of createInterface(stdout)) if (line.startsWith('http')) return line
  throw new Error('Expected the server to print its URL, it ended before')
}

interface Outcome {
  readonly exitCode: number
  /** The first failure, for whoever reads the log. */
  readonly why: string
}

async function check(url: string, isStrict: boolean): Promise<Outcome> {
  const command = start([values.suite, url, '--reporter', 'json', ...(isStrict ? ['--strict'] : [])])
  const chunks: Buffer[] = []
  command.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  const [exitCode] = await once(command, 'close')
  if (typeof exitCode !== 'number' || exitCode === 2) throw new Error(`The command ended with ${exitCode}`)
  return { exitCode, why: toReason(Buffer.concat(chunks).toString('utf8')) }
}

function toReason(output: string): string {
  if (output === '') return 'no server found'
  const { results, incomplete }: Report = JSON.parse(output)
  const failed = results.filter(({ verdict }) => verdict === 'fail')
  const more = failed.length > 1 ? ` and ${failed.length - 1} more` : ''
  return [failed[0] && `${failed[0].id}${more}`, incomplete].filter(Boolean).join('; ')
}

/** Checks the server with the mistake; `undefined`: without any. */
async function judge(mutant?: Mutant): Promise<Outcome> {
  const folder = await plant(mutant)
  const server = start([join(conformance, 'mutants/serve.ts'), join(folder, 'doubles')])
  try {
    const outcome = await check(await readUrl(server), mutant?.isDiscouraged === true)
    // What is to be seen is the mistake, not a server that has crashed.
    if (server.exitCode !== null) throw new Error(`The server with ${mutant?.name} ended by itself`)
    return outcome
  } finally {
    server.kill()
    await rm(folder, { recursive: true })
  }
}

/** Judges each, so many at once. The sound server is among them, first and last, under the same load. */
async function judgeAll(chosen: readonly Mutant[]): Promise<{ caught: number; isSoundGreen: boolean }> {
  const queue = [undefined, ...chosen, undefined].values()
  let [caught, red] = [0, 0]
  const work = async (): Promise<void> => {
    for (const mutant of queue) {
      const { exitCode, why } = await judge(mutant)
      if (exitCode !== 0) mutant === undefined ? red++ : caught++
      console.log(
        `${(exitCode === 0) === (mutant === undefined) ? '✓' : '✗'} ${mutant?.name ?? 'none'}: ${exitCode} ${why}`,
      )
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return { caught, isSoundGreen: red === 0 }
}

const chosen = mutants.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const { caught, isSoundGreen } = await judgeAll(chosen)
console.log(
  `${caught} of ${chosen.length} caught; without a mistake ${isSoundGreen ? 'nothing fails' : 'something fails'}`,
)
process.exitCode = isSoundGreen && chosen.length - caught <= mostMissed ? 0 : 1
