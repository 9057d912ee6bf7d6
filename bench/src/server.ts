// The process of one server: `server.ts TARGET`. Tells its parent its address, then answers its commands.
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import {
  type CommandName,
  type Commands,
  changesPerBurst,
  type FromServer,
  type ToServer,
  type Usage,
} from './commands.ts'
import { startProfile, stopProfile } from './inspector.ts'
import { findTarget } from './targets/index.ts'
import { countParked, release } from './targets/parking.ts'

const running = await findTarget(process.argv[2] ?? '').start()

const handlers: { readonly [Name in CommandName]: () => Commands[Name] | Promise<Commands[Name]> } = {
  usage: readUsage,
  settle,
  async notify() {
    if (!running.notify) throw new Error('This target cannot notify')
    const before = readUsage().cpuUs
    await running.notify()
    return { cpuUs: readUsage().cpuUs - before }
  },
  async burst() {
    await Promise.all(Array.from({ length: changesPerBurst }, change))
    return {}
  },
  async pacedBurst() {
    for (let i = 0; i < changesPerBurst; i++) {
      await change()
      await nextTurn()
    }
    return {}
  },
  async call() {
    if (!running.call) throw new Error('This target is called from outside')
    return { count: await running.call() }
  },
  parked: () => ({ count: countParked() }),
  release: () => ({ count: release() }),
  startProfile,
  stopProfile,
}

async function change(): Promise<void> {
  if (!running.change) throw new Error('This target has no subscriptions')
  await running.change()
}

function readUsage(): Usage {
  const { user, system } = process.cpuUsage()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { cpuUs: user + system, heapUsed: heapUsed + external, rss }
}

async function settle(): Promise<Usage> {
  // What closes sockets and ends streams takes some turns; weak references take a second collection.
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.()
    await sleep(50)
  }
  return readUsage()
}

function send(message: FromServer): void {
  process.send?.(message)
}

process.on('message', async ({ seq, command }: ToServer) => {
  try {
    send({ type: 'reply', seq, value: await handlers[command]() })
  } catch (error) {
    send({ type: 'reply', seq, error: String(error) })
  }
})
// The parent is gone: nobody will tell this process to stop.
process.on('disconnect', () => process.exit(0))
send({ type: 'listening', url: running.url })
