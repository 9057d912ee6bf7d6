// Runs the command against servers with one mistake each, with default flags, and counts those that its exit code tells:
//   tsx conformance/mutants/run-mutants.ts [NAME ...]
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Report } from '../src/report.ts'
import { type Mutant, mutants } from './mutants.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const suite = join(here, '../src/cli/bin.ts')
const atOnce = 2
/** So many may stay unseen. */
const mostMissed = 1

/** A copy of the reference server with the change in it. Inside of the project, so that it finds its packages. */
async function plant(mutant: Mutant | undefined): Promise<string> {
  const folder = await mkdtemp(join(here, '.planted-'))
  await cp(join(here, '../doubles'), folder, { recursive: true })
  if (mutant === undefined) return folder
  const file = join(folder, mutant.file)
  const source = await readFile(file, 'utf8')
  const count = source.split(mutant.from).length - 1
  if (count !== 1)
    throw new Error(`Expected the text of ${mutant.name} once in ${mutant.file}, found it ${count} times`)
  await writeFile(
    file,
    source.replace(mutant.from, () => mutant.to),
  )
  return folder
}

function run(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
}

async function readUrl(server: ChildProcess): Promise<string> {
  if (server.stdout === null) throw new Error('Expected the output of the server to be read')
  for await (const line of createInterface(server.stdout)) if (line.startsWith('http')) return line
  throw new Error('Expected the server to print its URL, it ended before')
}

interface Outcome {
  readonly exitCode: number
  readonly report: Report | undefined
}

async function check(url: string): Promise<Outcome> {
  const command = run([suite, url, '--reporter', 'json'])
  let output = ''
  command.stdout?.on('data', (chunk) => {
    output += chunk
  })
  command.stderr?.resume()
  const [exitCode] = await once(command, 'close')
  return { exitCode, report: output.startsWith('{') ? JSON.parse(output) : undefined }
}

async function judge(mutant: Mutant | undefined): Promise<Outcome> {
  const folder = await plant(mutant)
  const server = run([join(here, 'serve.ts'), folder])
  try {
    return await check(await readUrl(server))
  } finally {
    server.kill()
    await rm(folder, { recursive: true })
  }
}

function describeOutcome({ exitCode, report }: Outcome): string {
  const failed = report?.results.filter(({ verdict }) => verdict === 'fail').map(({ id }) => id) ?? []
  const told = failed.length === 0 ? '' : ` ${failed.length} failed: ${failed.slice(0, 3).join(', ')}`
  const rest = report?.incomplete ? ` (${report.incomplete})` : ''
  return `exit code ${exitCode}${told}${rest}`
}

const wanted = process.argv.slice(2)
const chosen = mutants.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
const sound = await judge(undefined)
console.log(`the correct server: ${describeOutcome(sound)}`)
const missed: string[] = []
const queue = chosen.values()
const work = async (): Promise<void> => {
  for (const mutant of queue) {
    const outcome = await judge(mutant)
    if (outcome.exitCode === 0) missed.push(mutant.name)
    console.log(`${outcome.exitCode === 0 ? '✗' : '✓'} ${mutant.name}: ${describeOutcome(outcome)}`)
  }
}
await Promise.all(Array.from({ length: atOnce }, work))
console.log(`${chosen.length - missed.length} of ${chosen.length} mistakes are told by the exit code`)
process.exitCode = sound.exitCode === 0 && missed.length <= mostMissed ? 0 : 1
