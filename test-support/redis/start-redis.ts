import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findFreePort } from '../free-port.ts'

// Nothing of vitest: scripts start it as well.

/** Another server of the same kind, such as `valkey-server`. */
const program = process.env.REDIS_SERVER ?? 'redis-server'

export const redisInstalled = whetherInstalled()

export const leftOut = `LEFT OUT: the tests with a real Redis, because ${program} is not installed (apt-get install redis-server)`

/** Whether to skip tests that need the server. Where everything is to be tested, they fail instead. */
export function skipsRedis(): boolean {
  if (!redisInstalled && process.env.CI) throw new Error(leftOut)
  if (!redisInstalled) console.warn(leftOut)
  return !redisInstalled
}

export interface RedisServer {
  readonly port: number
  /** Its process: signals stop it for a while. */
  readonly pid: number
  /** Ends it, by its process id, and removes what it wrote. */
  stop(): Promise<void>
}

/** Servers that run, each with the folder it writes to. */
const running = new Map<ChildProcess, string>()

process.on('exit', () => {
  for (const [child, folder] of running) {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
})

/** A Redis on a free port of loopback, that keeps nothing on disk. `settings` are as on its command line. */
export async function startRedis(...settings: readonly string[]): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'throughline-redis-'))
  const port = await findFreePort()
  const quiet = ['--save', '', '--appendonly', 'no', '--loglevel', 'warning']
  const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder]
  const child = spawn(program, [...place, ...quiet, ...settings], { stdio: ['ignore', 'pipe', 'inherit'] })
  running.set(child, folder)
  await untilListening(port, child)
  return { port, pid: child.pid as number, stop: () => end(child, folder) }
}

function whetherInstalled(): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  let said = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  while (child.exitCode === null) {
    const socket = connect({ port, host: '127.0.0.1' })
    const isConnected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    socket.destroy()
    if (isConnected) return
    await sleep(20)
  }
  throw new Error(`${program} ended with ${child.exitCode}: ${said}`)
}

async function end(child: ChildProcess, folder: string): Promise<void> {
  running.delete(child)
  if (child.exitCode === null) {
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  await rm(folder, { recursive: true, force: true })
}
