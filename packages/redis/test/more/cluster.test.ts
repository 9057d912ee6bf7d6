import { randomBytes } from 'node:crypto'
import type { SessionRecord } from '@throughline/mcp-http-core'
import { Cluster, Redis } from 'ioredis'
import Valkey from 'iovalkey'
import { createCluster } from 'redis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { describeStore, type StoreUnderTest } from '../../../../conformance/src/vitest.ts'
import { skipsRedis } from '../../../../test-support/redis/start-redis.ts'
import { waitFor } from '../../../../test-support/waiting.ts'
import { redisBackplane } from '../../src/index.ts'
import { Keys } from '../../src/keys.ts'
import type { Connected } from '../clients.ts'
import { type RedisCluster, startCluster } from '../start-cluster.ts'

function toRecord(key: string): SessionRecord {
  const rest = { principal: null, initialized: true, logLevel: null, subscriptions: [], createdAt: 0, owner: 'me' }
  return { key, protocolVersion: '2025-11-25', initializeParams: {}, serverCapabilities: {}, term: 1, ...rest }
}

describe.skipIf(skipsRedis())('a Cluster of three nodes', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startCluster()
  })
  afterAll(() => cluster.stop())

  const clients: Readonly<Record<string, () => Promise<Connected>>> = {
    async ioredis() {
      const client = new Cluster(cluster.ports.map((port) => ({ host: '127.0.0.1', port })))
      return { client, close: async () => client.disconnect() }
    },
    async 'node-redis'() {
      const client = createCluster({
        rootNodes: cluster.ports.map((port) => ({ socket: { host: '127.0.0.1', port } })),
      })
      client.on('error', () => undefined)
      await client.connect()
      return { client, close: async () => client.destroy() }
    },
  }

  for (const [name, connect] of Object.entries(clients)) {
    async function open(maxEventsPerSession = 100_000): Promise<StoreUnderTest> {
      const keyPrefix = randomBytes(4).toString('hex')
      const connected: Connected[] = []
      const join = async (prefix: string) => {
        const each = await connect()
        connected.push(each)
        return redisBackplane(each.client, { keyPrefix: prefix, maxEventsPerSession })
      }
      return {
        backplane: await join(keyPrefix),
        second: () => join(keyPrefix),
        neighbour: () => join(`${keyPrefix}2`),
        close: () => Promise.all(connected.map((each) => each.close())),
      }
    }

    describeStore(`through ${name} keeps what of the contract needs no proxy`, () => open(), {
      openBounded: open,
      parts: ['sessions', 'events', 'bus'],
      ttlToleranceMs: 30,
    })
  }

  test('tells of messages that are missed, also where it was subscribed to before the client of ioredis was connected', async () => {
    const client = new Cluster(cluster.ports.map((port) => ({ host: '127.0.0.1', port })))
    onTestFinished(() => client.disconnect())
    const { bus } = redisBackplane(client, { keyPrefix: randomBytes(4).toString('hex') })
    let missed = 0
    onTestFinished(
      await bus.subscribe(
        'channel',
        () => undefined,
        () => missed++,
      ),
    )
    await Promise.all(client.nodes('master').map((node) => node.call('CLIENT', 'KILL', 'TYPE', 'pubsub')))
    await waitFor(() => missed > 0)
  })

  // iovalkey, and ioredis before 6, gather by the first argument.
  test.each([
    ['ioredis', Cluster],
    ['iovalkey', Valkey.Cluster],
  ] as const)('takes many sessions at once from %s with enableAutoPipelining', async (_, Kind) => {
    const startupNodes = cluster.ports.map((port) => ({ host: '127.0.0.1', port }))
    const client = new Kind(startupNodes, { enableAutoPipelining: true })
    onTestFinished(() => client.disconnect())
    const { sessions } = redisBackplane(client, { keyPrefix: randomBytes(4).toString('hex') })
    const names = Array.from({ length: 30 }, (_, i) => `session ${i}`)
    const created = await Promise.all(names.map(async (name) => await sessions.create(toRecord(name), 60_000)))
    expect(created).toEqual(names.map(() => true))
    const found = await Promise.all(names.map(async (name) => await sessions.get(name)))
    expect(found).toEqual(names.map(toRecord))
  })

  test('has the keys of one session on one node, and those of many on all', async () => {
    const [port] = cluster.ports
    const node = new Redis(port as number, '127.0.0.1')
    const slotOf = async (key: string) => Number(await node.cluster('KEYSLOT', key))
    const keys = new Keys('mcp')
    const nodes = new Set<number>()
    for (let i = 0; i < 50; i++) {
      const slots = new Set(await Promise.all(keys.ofSession(`session ${i}`).map(slotOf)))
      expect(slots.size).toBe(1)
      for (const slot of slots) nodes.add(Math.floor((slot * 3) / 16_384))
    }
    node.disconnect()
    expect(nodes.size).toBe(3)
  })
})
