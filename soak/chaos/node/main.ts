// One node of the deployment: `main.ts SETTINGS`. Tells its parent its port, and what goes through its log.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createEndpoint } from '../../../packages/core/src/index.ts'
import { toNodeHandler } from '../../../packages/core/src/node/index.ts'
import { redisBackplane } from '../../../packages/redis/src/index.ts'
import { clients } from '../../../packages/redis/test/clients.ts'
import { Breaker } from '../../server/breakage.ts'
import { SoakServer } from '../../server/soak-server.ts'
import { createNotingLog } from './noting-log.ts'
import type { FromNode, NodeSettings } from './words.ts'

const { port, redisPort, client: clientName, leaseMs } = JSON.parse(process.argv[2] ?? '') as NodeSettings
const drainMs = 3_000
const lookMs = 1_000

const say = async (message: FromNode): Promise<void> => {
  // The parent is gone: so will this be, at once.
  if (process.connected) process.send?.(message)
}
const stray = (what: string, value: unknown): void => void say({ type: 'stray', text: `${what}: ${toText(value)}` })
process.on('unhandledRejection', (reason) => stray('unhandled rejection', reason))
process.on('uncaughtException', (error) => stray('uncaught exception', error))
process.on('warning', (warning) => stray('warning', warning))

const { client, close: closeClient } = await clients[clientName](redisPort)
const { sessions, events, bus } = redisBackplane(client)
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
  onError: (error, where) => say({ type: 'error', where, text: toText(error) }),
})
const server = createServer(toNodeHandler(endpoint)).listen(port, '127.0.0.1')
await once(server, 'listening')

setInterval(look, lookMs).unref()
process.on('disconnect', () => process.exit(0))
process.once('SIGTERM', async () => {
  await endpoint.close({ drainMs })
  server.close()
  server.closeAllConnections()
  await closeClient()
  process.exit(0)
})
say({ type: 'listening', port: (server.address() as AddressInfo).port })

function look(): void {
  const { sessions, connections, calls } = endpoint.stats()
  say({ type: 'look', look: { rss: process.memoryUsage.rss(), sessions, connections, calls } })
}

function toText(value: unknown): string {
  return value instanceof Error ? (value.stack ?? value.message) : String(value)
}
