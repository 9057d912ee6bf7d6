import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findFreePort } from './free-port.ts'

const leftOut =
  'LEFT OUT: the tests with a real NATS, because nats-server is not installed (apt-get install nats-server)'

/** Whether to skip tests that need the server. Where everything is to be tested, they fail instead. */
export function skipsNats(): boolean {
  try {
    execFileSync('nats-server', ['--version'], { stdio: 'pipe' })
    return false
  } catch {
    if (process.env.CI) throw new Error(leftOut)
    console.warn(leftOut)
    return true
  }
}

const running = new Map<ChildProcess, string>()

process.on('exit', () => {
  for (const [child, folder] of running) {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
})

/** A NATS with JetStream on a free port of loopback, that takes messages of 8 MiB. */
export async function startNats(): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'throughline-nats-'))
  const port = await findFreePort()
  const settings = join(folder, 'nats.conf')
  await writeFile(settings, `max_payload: 8388608\njetstream { store_dir: "${join(folder, 'data')}" }\n`)
  const child = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port), '-c', settings], { stdio: 'ignore' })
  running.set(child, folder)
  while (child.exitCode === null) {
    const socket = connect({ port, host: '127.0.0.1' })
    const isConnected = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isConnected) break
    await sleep(20)
  }
  if (child.exitCode !== null) throw new Error(`nats-server ended with ${child.exitCode}`)
  return {
    port,
    async stop() {
      running.delete(child)
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}
