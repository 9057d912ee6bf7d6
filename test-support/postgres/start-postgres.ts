import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findFreePort } from '../free-port.ts'

// Nothing of vitest: scripts start it as well.

/** Debian keeps the programs of each version in a folder of its own. */
const folderOfPrograms = findPrograms()

export const leftOut =
  'LEFT OUT: the tests with a real Postgres, because it is not installed (apt-get install postgresql)'

/** Whether to skip tests that need the server. Where everything is to be tested, they fail instead. */
export function skipsPostgres(): boolean {
  if (folderOfPrograms === undefined && process.env.CI) throw new Error(leftOut)
  if (folderOfPrograms === undefined) console.warn(leftOut)
  return folderOfPrograms === undefined
}

export interface PostgresServer {
  readonly port: number
  /** Holds its `data`. */
  readonly folder: string
  /** For `new Pool()` and `postgres()`. */
  readonly url: string
  /** Whether it has not ended, as it does by itself where it cannot go on. */
  readonly isRunning: boolean
  /** To all of its processes. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  /** All of its processes at once, by SIGKILL. */
  kill(): Promise<void>
  /** Once more, with the same data and port. */
  start(): Promise<void>
  /** Ends it, by its process id, and removes what it wrote. */
  stop(): Promise<void>
}

/** Postgres refuses to be root. Then it is nobody. */
const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

/** Servers that run, each with the folder it writes to. */
const running = new Map<ChildProcess, string>()

process.on('exit', () => {
  for (const [child, folder] of running) {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
})

/** A Postgres on a free port of loopback, with an empty database. `settings` as in its configuration: `name=value`. */
export async function startPostgres(...settings: readonly string[]): Promise<PostgresServer> {
  const folder = await createFolder()
  initialize(folder)
  return await serve(folder, ['fsync=off', ...settings])
}

/** Makes an empty database in a folder of {@link createFolder}. */
export function initialize(folder: string): void {
  const data = join(folder, 'data')
  const quick = ['--auth=trust', '--username=postgres', '--no-sync', '--encoding=UTF8', '--no-locale']
  execFileSync(program('initdb'), ['-D', data, ...quick], { ...nobody, cwd: folder, stdio: 'pipe' })
}

/** Serves what is in a folder that was made before. */
export async function serve(folder: string, settings: readonly string[]): Promise<PostgresServer> {
  const port = await findFreePort()
  let child = await start({ folder, port, settings })
  const end = async (): Promise<void> => {
    running.delete(child)
    await kill(child)
  }
  return {
    port,
    folder,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    get isRunning() {
      return hasNotEnded(child)
    },
    signal: (name) => signalAll(child, name),
    kill: end,
    async start() {
      child = await start({ folder, port, settings })
    },
    async stop() {
      await end()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Where Postgres may write. */
export async function createFolder(parent = tmpdir()): Promise<string> {
  const folder = await mkdtemp(join(parent, 'throughline-postgres-'))
  if (nobody.uid !== undefined) chownSync(folder, nobody.uid, nobody.gid)
  return folder
}

/** As `initdb` and `pg_basebackup`. */
export function program(name: string): string {
  return join(folderOfPrograms ?? '', name)
}

/** Who runs the programs. */
export function owner(): { readonly uid?: number; readonly gid?: number } {
  return nobody
}

interface Place {
  readonly folder: string
  readonly port: number
  readonly settings: readonly string[]
}

/** What was killed may hold on to its memory for a moment. */
async function start(place: Place): Promise<ChildProcess> {
  for (let tries = 1; ; tries++) {
    try {
      return await startOnce(place)
    } catch (error) {
      if (tries === 20 || !/shared memory|lock file/.test(String(error))) throw error
      await sleep(100)
    }
  }
}

async function startOnce({ folder, port, settings }: Place): Promise<ChildProcess> {
  const own = ['listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`, `port=${port}`, 'max_connections=200']
  const flags = [...own, ...settings].flatMap((setting) => ['-c', setting])
  const args = ['-D', join(folder, 'data'), ...flags]
  const child = spawn(program('postgres'), args, { ...nobody, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  running.set(child, folder)
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-10_000)
    })
  }
  while (hasNotEnded(child)) {
    if (/database system is ready to accept/.test(said)) return child
    await sleep(20)
  }
  running.delete(child)
  throw new Error(`postgres ended with ${child.exitCode}: ${said}`)
}

async function kill(child: ChildProcess): Promise<void> {
  if (!hasNotEnded(child)) return
  const exited = once(child, 'exit')
  // So that it begins no other.
  child.kill('SIGSTOP')
  signalAll(child, 'SIGKILL')
  await exited
}

function hasNotEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null
}

/** Each of its processes is a group by itself. */
function signalAll({ pid }: ChildProcess, name: NodeJS.Signals): void {
  const others = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  for (const each of [...others, pid as number]) {
    try {
      process.kill(each, name)
    } catch {
      // It has ended by itself.
    }
  }
}

function findPrograms(): string | undefined {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [...versions.map((version) => join(debian, version, 'bin')), ...(process.env.PATH ?? '').split(':')]
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')))
}
