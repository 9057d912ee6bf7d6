// The process of the server under test: `main.ts SETTINGS`. Tells its parent its address, then answers its commands.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { mount } from '../../conformance/mounts/index.ts'
import { createEndpoint, createMemoryBackplane } from '../../packages/core/src/index.ts'
import { type Breakage, Breaker } from './breakage.ts'
import type { FromServer, Look, ServerSettings, ToServer } from './commands.ts'
import { SoakServer } from './soak-server.ts'

const drainMs = 2_000
/** Of each list of what went wrong; more says nothing new. */
const maxNoted = 50

const { mount: adapter, deadlines } = JSON.parse(process.argv[2] ?? '') as ServerSettings
const errors: string[] = []
const stray: string[] = []
const foreignAnswers: string[] = []
const breaker = new Breaker()
const pauses = monitorEventLoopDelay()
pauses.enable()

const note = (list: string[], text: string): void => {
  if (list.length < maxNoted) list.push(text)
}
process.on('unhandledRejection', (reason) => note(stray, `unhandled rejection: ${toText(reason)}`))
process.on('uncaughtException', (error) => note(stray, `uncaught exception: ${toText(error)}`))
process.on('warning', (warning) => note(stray, `warning: ${toText(warning)}`))

const { retainMs, ...endpointDeadlines } = deadlines
const endpoint = createEndpoint({
  server: (context) => new SoakServer(context, { breaker, foreignAnswers }),
  ...endpointDeadlines,
  backplane: createMemoryBackplane({ retainMs }),
  onError: (error, where) => note(errors, `${where}: ${toText(error)}`),
})
const mounted = await mount(adapter, endpoint, { parser: false, compression: false, nested: false, port: 0 })

const handlers: { readonly [Name in ToServer['command']]: (given: unknown) => unknown } = {
  look,
  settle,
  break: (given) => {
    breaker.kind = given as Breakage | undefined
  },
  async close() {
    await endpoint.close({ drainMs })
    return settle()
  },
}

function look(): Look {
  const { heapUsed, external } = process.memoryUsage()
  const sockets = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
  const longestPauseMs = Math.round(pauses.max / 1e6)
  return { stats: endpoint.stats(), sockets, heap: heapUsed + external, longestPauseMs, errors, stray, foreignAnswers }
}

async function settle(): Promise<Look> {
  // What closes sockets takes some turns, and weak references take a second collection.
  for (let round = 0; round < 5; round++) {
    globalThis.gc?.()
    await sleep(30)
  }
  return look()
}

function toText(value: unknown): string {
  return value instanceof Error ? (value.stack ?? value.message) : String(value)
}

function send(message: FromServer): void {
  process.send?.(message)
}

process.on('message', async ({ seq, command, given }: ToServer) => {
  try {
    send({ type: 'reply', seq, value: await handlers[command](given) })
  } catch (error) {
    send({ type: 'reply', seq, error: String(error) })
  }
})
// The parent is gone: nobody will tell this process to stop.
process.on('disconnect', () => process.exit(0))
send({ type: 'listening', url: mounted.url })
