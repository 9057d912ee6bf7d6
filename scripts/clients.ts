/**
 * Installs published clients, each generation in a folder of its own, and drives them against servers on the core as it
 * would be published: one process that serves both eras, and one whose factory can serve the older only. Needs the npm
 * registry. Exits 0 only when every client was served what it has, by its own era.
 */
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { skipsBrowser } from '../test-support/chromium.ts'
import { run } from './clients/children.ts'
import { columns, judge, type Tried, type Verdict, wantedOf } from './clients/judge.ts'
import { fallbackColumns, fallbackFeatures, judgeFallback } from './clients/judge-fallback.ts'
import { bothEras, type Client, ofBothEras, ofOneEra, oneEra, type Program } from './clients/roster.ts'
import { type RunningServer, startServer } from './clients/servers.ts'
import { toTable } from './clients/table.ts'
import { describe, type Log } from './clients/wire.ts'
import { Workspace } from './clients/workspace.ts'

const usage = `Usage: pnpm test:clients [--folder DIR] [--only CLIENT]
  --folder  installs there and leaves it, so that the next run need not
  --only    clients whose names have this in them`

/** Clients that are driven at the same time. */
const together = 2

/** Each feature has 20 s of its own, and the connection 60 s. */
const clientTimeoutMs = 240_000

/** One client to be driven. */
interface Visit {
  readonly client: Client
  readonly features: readonly string[]
  readonly judge: (tried: Tried, log: Log) => Verdict
}

/** One server process, and who visits it. */
interface Meeting {
  readonly program: Program
  readonly columns: readonly string[]
  readonly visits: readonly Visit[]
}

const meetings: readonly Meeting[] = [
  {
    program: bothEras,
    columns,
    visits: ofBothEras.map((client) => ({
      client,
      features: wantedOf(client),
      judge: (tried, log) => judge(client, tried, log),
    })),
  },
  ...oneEra.map((program) => ({
    program,
    columns: fallbackColumns,
    visits: ofOneEra.map((fallback) => ({
      client: fallback.client,
      features: fallbackFeatures,
      judge: (tried: Tried, log: Log) => judgeFallback(fallback, tried, log),
    })),
  })),
]

async function drive(folder: string, url: string, { client, features }: Visit): Promise<Tried> {
  const { driver, setting = '-' } = client
  const args = ['drivers/drive.mjs', driver, url, setting, ...features]
  const { end, stdout, stderr } = await run(process.execPath, args, { cwd: folder, timeoutMs: clientTimeoutMs })
  const tried = new Map<string, string | undefined>()
  for (const line of stdout.split('\n').filter((line) => line.startsWith('{"feature":'))) {
    const { feature, failure } = JSON.parse(line) as { feature: string; failure?: string }
    tried.set(feature, failure)
  }
  if (end !== 0) tried.set('close', `The driver ended with ${end}\n${stderr.slice(-2_000)}`)
  return tried
}

async function visit(server: RunningServer, it: Visit, workspace: Workspace): Promise<Verdict> {
  const { name, packages } = it.client
  const tried = await drive(await workspace.ofClient(packages), server.urlOf(name), it)
  const log = await server.logOf(name)
  const verdict = it.judge(tried, log)
  if (verdict.failures.length === 0) return verdict
  const evidence = log.map((exchange) => `    ${describe(exchange)}`)
  return { ...verdict, failures: [...verdict.failures, `What was exchanged:\n${evidence.join('\n')}`] }
}

/** Takes each client in turn, a few at a time. */
async function visitAll(server: RunningServer, visits: readonly Visit[], workspace: Workspace): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  const waiting = visits.map((it, index) => ({ it, index }))
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      verdicts[next.index] = await visit(server, next.it, workspace)
    }
  }
  await Promise.all(Array.from({ length: together }, work))
  return verdicts
}

/** Runs one server and all its clients, and prints what came of it. */
async function meet({ program, columns, visits }: Meeting, workspace: Workspace): Promise<boolean> {
  // One after the other: two of npm at once gain nothing.
  for (const { client } of visits) await workspace.ofClient(client.packages)
  const server = await startServer(await workspace.ofServer(program.packages), program.file)
  const verdicts = await visitAll(server, visits, workspace)
  const trouble = await server.stop()
  const rows = verdicts.map(({ cells }) => cells)
  console.log(`\n${program.name}\n${toTable(columns, rows)}`)
  for (const { cells, failures } of verdicts) for (const text of failures) console.log(`  ${cells.client}  ${text}`)
  for (const text of trouble) console.log(`  server  ${text}`)
  return trouble.length === 0 && verdicts.every(({ failures }) => failures.length === 0)
}

interface Options {
  readonly folder: string | undefined
  /** Those with somebody to meet. */
  readonly meetings: readonly Meeting[]
}

function readOptions(): Options {
  const string = { type: 'string' } as const
  const { values } = parseArgs({ options: { folder: string, only: string } })
  const { folder, only = '' } = values
  const named = meetings.map((meeting) => ({ ...meeting, visits: meeting.visits.filter(isNamed) }))
  const leavesOut = named.some(({ visits }) => visits.some(isInBrowser)) && skipsBrowser()
  const chosen = named
    .map((meeting) => ({
      ...meeting,
      visits: leavesOut ? meeting.visits.filter((it) => !isInBrowser(it)) : meeting.visits,
    }))
    .filter(({ visits }) => visits.length > 0)
  if (chosen.length === 0) throw new TypeError(`Expected --only to be in the name of a client, got "${only}"`)
  return { folder, meetings: chosen }

  function isNamed({ client }: Visit): boolean {
    return client.name.includes(only)
  }
}

function isInBrowser({ client }: Visit): boolean {
  return client.inBrowser === true
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

async function main({ folder, meetings }: Options): Promise<boolean> {
  const root = folder === undefined ? await makeTemporary() : resolve(folder)
  const workspace = new Workspace(root)
  let isClean = true
  for (const meeting of meetings) isClean = (await meet(meeting, workspace)) && isClean
  console.log(
    '\n–: the client has it not, or does not show it. no: it has it, but not as the protocol does: see findings.',
  )
  return isClean
}

/** A folder that goes when this process does. */
async function makeTemporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'throughline-clients-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

main(readOptionsOrExit()).then(
  (isClean) => process.exit(isClean ? 0 : 1),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
