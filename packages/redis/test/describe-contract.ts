import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe } from 'vitest'
import { describeStore, openFaultProxy, type StoreUnderTest } from '../../../conformance/src/vitest.ts'
import { type RedisServer, skipsRedis, startRedis } from '../../../test-support/redis/start-redis.ts'
import { redisBackplane } from '../src/index.ts'
import { Keys } from '../src/keys.ts'
import type { Connect } from './clients.ts'

/** The whole contract, with a client of this kind and a server of its own. */
export function describeContract(name: string, connect: Connect): void {
  describe.skipIf(skipsRedis())(`Redis through ${name}`, () => {
    let server: RedisServer
    let oracle: Redis
    beforeAll(async () => {
      server = await startRedis()
      oracle = new Redis(server.port, '127.0.0.1')
    })
    afterAll(async () => {
      oracle.disconnect()
      await server.stop()
    })

    async function open(maxEventsPerSession = 100_000): Promise<StoreUnderTest> {
      const proxy = await openFaultProxy({ port: server.port })
      const clients = [await connect(proxy.port)]
      const keyPrefix = randomBytes(4).toString('hex')
      const keys = new Keys(keyPrefix)
      const join = async (prefix: string) => {
        const connected = await connect(server.port)
        clients.push(connected)
        return redisBackplane(connected.client, { keyPrefix: prefix, maxEventsPerSession })
      }
      return {
        backplane: redisBackplane(clients[0]?.client as never, { keyPrefix, maxEventsPerSession }),
        second: () => join(keyPrefix),
        neighbour: () => join(`${keyPrefix}*`),
        faults: proxy.faults,
        oracle: {
          hasSession: async (key) => (await oracle.exists(...keys.ofSession(key))) > 0,
          countEvents: (key) => oracle.xlen(keys.ofSession(key)[1]),
        },
        async close() {
          await Promise.all(clients.map((client) => client.close()))
          await proxy.close()
          await oracle.flushall()
        },
      }
    }

    describeStore('keeps the contract', () => open(), {
      openBounded: open,
      parts: ['sessions', 'events', 'bus'],
      strict: true,
      ttlToleranceMs: 30,
    })
  })
}
