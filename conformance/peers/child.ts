import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, connect as openSocket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { RunningPeer } from './listen.ts'

const run = promisify(execFile)

export interface ChildOptions {
  /** Where its packages are. */
  readonly folder: string
  /** Arguments of Node. `$PORT` in them is the port. */
  readonly args: readonly string[]
  /** Arguments of Node for what builds it first. */
  readonly build?: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly host?: string
}

/** Some load hundreds of files, on a machine that is busy. */
const mostStartMs = 60_000

const mostWords = 2_000

/** Starts a server as a process of its own on a free port of 127.0.0.1. It gets nothing of the environment of this one. */
export async function startChild({ folder, args, build, env, host = '127.0.0.1' }: ChildOptions): Promise<RunningPeer> {
  const port = await findFreePort()
  const withPort = (text: string) => text.replaceAll('$PORT', String(port))
  const own = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, withPort(value)]))
  const surroundings = { PATH: process.env.PATH, HOME: folder, DO_NOT_TRACK: '1', PORT: String(port), ...own }
  if (build !== undefined) await run(process.execPath, build, { cwd: folder, env: surroundings, timeout: mostStartMs })
  const child = spawn(process.execPath, args.map(withPort), {
    cwd: folder,
    env: surroundings,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: some start processes themselves, which end with it.
    detached: true,
  })
  const words = listenTo(child)
  const exited = once(child, 'exit')
  const close = async () => {
    endGroup(child)
    await exited
  }
  try {
    await untilOpen(port, child)
  } catch (error) {
    await close()
    throw new Error(`${error instanceof Error ? error.message : error}: ${words()}`)
  }
  return { url: `http://${host}:${port}/mcp`, close }
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nothing of it is left.
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('Expected a port of 127.0.0.1')
  return address.port
}

/** Reads what it prints, so that it never waits for a reader. Gives the end of it. */
function listenTo({ stdout, stderr }: ChildProcess): () => string {
  let said = ''
  for (const stream of [stdout, stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-mostWords)
    })
  }
  return () => said.trim()
}

async function untilOpen(port: number, child: ChildProcess): Promise<void> {
  const until = performance.now() + mostStartMs
  while (performance.now() < until) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode} before it listened`)
    if (await isOpen(port)) return
    await sleep(100)
  }
  throw new Error(`it did not listen within ${mostStartMs / 1_000} s`)
}

async function isOpen(port: number): Promise<boolean> {
  const socket = openSocket(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
