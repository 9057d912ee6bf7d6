// What the checks of packed packages share: packing, commands, and programs that listen.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** The suite: a program and a library, not a server. */
export const suiteFolder = join(root, 'conformance')

/** A program alone: nothing of it is imported. */
export const creatorFolder = join(root, 'packages', 'create')

export interface PublicPackage {
  readonly name: string
  readonly folder: string
  readonly tarball: string
}

export interface Outcome {
  readonly code: number
  readonly output: string
}

/** Runs a command to its end. Never throws for a non-zero exit. */
export function run(command: string, args: readonly string[], cwd: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd, timeout: 300_000, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`.trim()
      if (error && typeof error.code !== 'number') reject(new Error(`${command} ${args.join(' ')}: ${error.message}`))
      else resolve({ code: error ? Number(error.code) : 0, output })
    })
  })
}

export async function mustRun(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, output } = await run(command, args, cwd)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}\n${output}`)
  return output
}

/** The pnpm that started this script, else the one that the README names. */
export function pnpm(args: readonly string[], cwd: string): Promise<string> {
  const starter = process.env.npm_execpath ?? ''
  if (/^pnpm\.c?js$/.test(basename(starter))) return mustRun(process.execPath, [starter, ...args], cwd)
  return mustRun('npx', ['-y', 'pnpm@10', ...args], cwd)
}

export async function findPublicPackages(): Promise<Omit<PublicPackage, 'tarball'>[]> {
  const found: Omit<PublicPackage, 'tarball'>[] = []
  const folders = (await readdir(join(root, 'packages'))).map((entry) => join(root, 'packages', entry))
  for (const folder of [...folders, suiteFolder]) {
    if (!existsSync(join(folder, 'package.json'))) continue
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    if (manifest.private !== true) found.push({ name: manifest.name, folder })
  }
  return found
}

/** Packs every public package into a folder, and gives where each is, by its name. */
export async function packAll(into: string): Promise<ReadonlyMap<string, string>> {
  await buildIfOlder()
  const names = (await findPublicPackages()).map(({ name }) => name)
  const filters = names.flatMap((name) => ['--filter', name])
  await pnpm(['--recursive', ...filters, 'pack', '--pack-destination', into], root)
  const files = await readdir(into)
  return new Map(names.map((name) => [name, join(into, findTarball(name, files))]))
}

function findTarball(name: string, files: readonly string[]): string {
  const beginning = `${name.replace('@', '').replace('/', '-')}-`
  const [file, ...others] = files.filter((file) => file.startsWith(beginning) && file.endsWith('.tgz'))
  if (file === undefined || others.length > 0) throw new Error(`Expected one tarball of ${name}, found ${files}`)
  return file
}

/** Works on two at a time: most of what the checks do is wait for npm. Rejects when what was begun has ended. */
export async function twoAtATime<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items]
  const workers = [1, 2].map(async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await work(next)
  })
  for (const end of await Promise.allSettled(workers)) if (end.status === 'rejected') throw end.reason
}

/** Time, in milliseconds, that a program has to start: Nest took more than 10 s on a machine that was busy. */
const listensWithinMs = 60_000

export async function untilItListens(child: ChildProcess, port: number, output: () => string): Promise<void> {
  const end = performance.now() + listensWithinMs
  while (performance.now() < end) {
    if (child.exitCode !== null) throw new Error(`The program ended with ${child.exitCode}\n${output()}`)
    try {
      await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2_000) })
      return
    } catch {
      // Not listening yet.
      await sleep(100)
    }
  }
  throw new Error(`Nothing listens on port ${port}\n${output()}`)
}

/** Builds all packages, unless nothing they are made of, nor how that is done, was written since the last build. */
async function buildIfOlder(): Promise<void> {
  const { mtimeMs: presetTime } = await stat(join(root, 'tsup.preset.ts'))
  for (const { folder } of await findPublicPackages()) {
    const made = await timesIn(join(folder, 'dist'))
    const sources = [presetTime, ...(await timesIn(folder, ['dist', 'node_modules', 'test']))]
    if (made.length > 0 && Math.max(...sources) <= Math.min(...made)) continue
    await pnpm(['build'], root)
    return
  }
}

/** When each file in it was written. What packing writes anew, though nothing has changed, is no source. */
async function timesIn(folder: string, without: readonly string[] = []): Promise<number[]> {
  if (!existsSync(folder)) return []
  const times: number[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (without.includes(entry.name) || entry.name.includes('.generated.')) continue
    const path = join(folder, entry.name)
    times.push(...(entry.isDirectory() ? await timesIn(path) : [(await stat(path)).mtimeMs]))
  }
  return times
}

/** A program that listens. */
export interface Listening {
  /** Sends SIGTERM and waits. It must end by itself, and without a fault. */
  terminate(): Promise<void>
  /** Ends it whatever it does. For a second time does nothing. */
  kill(): Promise<void>
}

/** Time, in milliseconds, that a program without calls has to end after SIGTERM. */
const endsWithinMs = 10_000

/** Starts a program in a folder and waits until it listens. */
export async function startProgram(
  command: readonly string[],
  folder: string,
  { port, env = {} }: { port: number; env?: Readonly<Record<string, string>> },
): Promise<Listening> {
  const [file = '', ...args] = command
  // A group of its own: what `npx` starts would outlive it.
  const child = spawn(file, args, {
    ...{ cwd: folder, env: { ...process.env, ...env }, detached: true },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      printed += chunk
    })
  }
  const ended = once(child, 'close')
  const kill = async (): Promise<void> => {
    killGroup(child)
    await ended
  }
  const terminate = async (): Promise<void> => {
    child.kill('SIGTERM')
    const timer = setTimeout(() => killGroup(child), endsWithinMs)
    const [code, signal] = await ended
    clearTimeout(timer)
    if (code !== 0) throw new Error(`${command.join(' ')} ended on SIGTERM with ${signal ?? code}\n${printed}`)
  }
  try {
    await untilItListens(child, port, () => printed)
  } catch (error) {
    await kill()
    throw error
  }
  return { terminate, kill }
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // Everything of it has ended already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
