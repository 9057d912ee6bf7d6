// One node of the deployment: `main.ts SETTINGS`. Tells its parent its port, and what goes through its log.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Backplane, createEndpoint } from '../../../packages/core/src/index.ts'
import { toNodeHandler } from '../../../packages/core/src/node/index.ts'
import { postgresBackplane } from '../../../packages/postgres/src/index.ts'
import { clients as postgresClients } from '../../../packages/postgres/test/clients.ts'
import { redisBackplane } from '../../../packages/redis/src/index.ts'
import { clients } from '../../../packages/redis/test/clients.ts'
import { sqliteBackplane } from '../../../packages/sqlite/src/index.ts'
import { Breaker } from '../../server/breakage.ts'
import { SoakServer } from '../../server/soak-server.ts'
import { createNotingLog } from './noting-log.ts'
import type { FromNode, NodeSettings } from './words.ts'

const { port, store, leaseMs } = JSON.parse(process.argv[2] ?? '') as NodeSettings
const drainMs = 3_000
const lookMs = 1_000

/** Resolves when it is out of this process. */
const say = (message: FromNode): Promise<void> =>
  new Promise((resolve) => {
    // The parent is gone: so will this be, at once.
    if (process.connected) process.send?.(message, () => resolve())
  })
const stray = (what: string, value: unknown): void => void say({ type: 'stray', text: `${what}: ${toText(value)}` })
process.on('unhandledRejection', (reason) => stray('unhandled rejection', reason))
process.on('uncaughtException', (error) => stray('uncaught exception', error))
process.on('warning', (warning) => stray('warning', warning))

const { sessions, events, bus, closeStore } = await openStore()
const foreignAnswers = { push: (...texts: string[]) => texts.map((text) => stray('a foreign answer', text)).length }
const endpoint = createEndpoint({
  server: (context) => new SoakServer(context, { breaker: new Breaker(), foreignAnswers }),
  backplane: { sessions, events: createNotingLog(events, say), bus },
  leaseMs,
  upgradeAfterMs: 30,
  retryMs: 100,
  keepAliveMs: 1_000,
  maxConnectionAgeMs: 15_000,
  initializeTimeoutMs: 20_000,
  onError: (error, where) => void say({ type: 'error', where, text: toText(error) }),
})
const server = createServer(toNodeHandler(endpoint)).listen(port, '127.0.0.1')
await once(server, 'listening')

setInterval(look, lookMs).unref()
process.on('disconnect', () => process.exit(0))
process.on('message', () => void say({ type: 'said' }))
process.once('SIGTERM', async () => {
  await endpoint.close({ drainMs })
  server.close()
  server.closeAllConnections()
  await closeStore()
  process.exit(0)
})
void say({ type: 'listening', port: (server.address() as AddressInfo).port })

async function openStore(): Promise<Backplane & { closeStore(): Promise<void> | void }> {
  if ('file' in store) {
    const backplane = sqliteBackplane(store.file)
    const { sessions, events, bus } = backplane
    return { sessions, events, bus, closeStore: () => backplane.close() }
  }
  if ('url' in store) {
    const { client, close } = postgresClients[store.client](store.url)
    const { sessions, events, bus } = postgresBackplane(client)
    return { sessions, events, bus, closeStore: close }
  }
  const { client, close } = await clients[store.client](store.redisPort)
  return { ...redisBackplane(client), closeStore: close }
}

function look(): void {
  const { sessions, connections, calls } = endpoint.stats()
  void say({ type: 'look', look: { rss: process.memoryUsage.rss(), sessions, connections, calls } })
}

function toText(value: unknown): string {
  return value instanceof Error ? (value.stack ?? value.message) : String(value)
}
