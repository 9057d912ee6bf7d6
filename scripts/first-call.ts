// Follows the quick start of every README in an empty folder, from the packed packages: installs, runs the server, makes
// the first call, ends the server with SIGTERM. Then the same in TypeScript. Says how long each took to the first call,
// which is to stay under 20 seconds. Two at a time, which takes longer for each. `--only express` takes one; `--limit 20`
// follows one after the other, and ends with 1 where one took longer.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { findFreePort } from '../test-support/free-port.ts'
import { findPublicPackages, mustRun, packAll, root, startProgram, twoAtATime } from './packing.ts'
import { readBlocks } from './read-blocks.ts'

const { values } = parseArgs({ options: { only: { type: 'string' }, limit: { type: 'string' } } })

interface QuickStart {
  readonly readme: string
  /** What `npm install` gets, as it is written. */
  readonly dependencies: readonly string[]
  readonly tools: readonly string[]
  readonly server: string
  readonly call: string
}

/** Pages whose first program is run by itself; the others need a database. */
async function readQuickStart(folder: string): Promise<QuickStart | undefined> {
  const readme = join(folder, 'README.md')
  const page = await readFile(readme, 'utf8')
  if (!page.includes('Save it as `server.mjs` and run it: `node server.mjs`.')) return undefined
  const [server, call] = readBlocks(page)
  const dependencies = /^npm install (.+)$/m.exec(page)?.[1]
  const tools = /`npm install -D ([^`]+)`, then `npx tsx\s+server\.mts`/.exec(page)?.[1]
  if (!server || !call?.code.includes('first-call') || !dependencies || !tools)
    throw new Error(`Expected an install line, a server, a call and the way in TypeScript in ${relative(root, readme)}`)
  return {
    readme,
    dependencies: dependencies.split(' '),
    tools: tools.split(' '),
    server: server.code,
    call: call.code,
  }
}

interface Place {
  readonly folder: string
  readonly port: number
}

/** Gives when the call was answered. */
async function callOnce(command: string, kind: string, { folder, port }: Place): Promise<number> {
  const program = await startProgram([...command.split(' '), `server.${kind}`], folder, { port })
  try {
    const [file = '', ...args] = command.split(' ')
    const said = await mustRun(file, [...args, `call.${kind}`], folder)
    if (!said.includes('Lisbon: sunny')) throw new Error(`Expected the forecast of Lisbon, got ${said}`)
    const calledAt = performance.now()
    await program.terminate()
    return calledAt
  } finally {
    await program.kill()
  }
}

async function follow(start: QuickStart, folder: string, tarballs: ReadonlyMap<string, string>): Promise<number> {
  const port = await findFreePort()
  const place = { folder, port }
  const names = start.dependencies.map((name) => tarballs.get(name) ?? name)
  const before = performance.now()
  await mustRun('npm', ['install', ...names, '--no-audit', '--no-fund'], folder)
  for (const kind of ['mjs', 'mts']) {
    await writeFile(join(folder, `server.${kind}`), start.server.replace('3000', String(port)))
    await writeFile(join(folder, `call.${kind}`), start.call.replace('3000', String(port)))
  }
  const calledAt = await callOnce('node', 'mjs', place)
  const seconds = (calledAt - before) / 1000
  await mustRun('npm', ['install', '-D', ...start.tools, '--no-audit', '--no-fund'], folder)
  await callOnce('node --import tsx', 'mts', place)
  return seconds
}

const temporary = await mkdtemp(join(tmpdir(), 'throughline-first-call-'))
try {
  const tarballs = await packAll(temporary)
  const sources = [root, ...(await findPublicPackages()).map(({ folder }) => folder)]
  const begin = async (source: string): Promise<void> => {
    const start = await readQuickStart(source)
    const name = relative(root, source) || 'README.md'
    if (!start || (values.only && !name.endsWith(values.only))) return
    const folder = join(temporary, name.replaceAll(/\W/g, '-'))
    await mkdir(folder)
    const seconds = await follow(start, folder, tarballs)
    const isLate = values.limit !== undefined && seconds > Number(values.limit)
    if (isLate) process.exitCode = 1
    console.log(
      `${isLate ? '✗' : '✓'} ${name}: first call after ${seconds.toFixed(1)} s, ended by SIGTERM, also in TypeScript`,
    )
  }
  if (values.limit === undefined) await twoAtATime(sources, begin)
  else for (const source of sources) await begin(source)
} finally {
  await rm(temporary, { recursive: true, force: true })
}
