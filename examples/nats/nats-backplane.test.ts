import { randomBytes } from 'node:crypto'
import { jetstreamManager } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe } from 'vitest'
import { describeStore, openFaultProxy } from '../../conformance/src/vitest.ts'
import { skipsNats, startNats } from '../../test-support/start-nats.ts'
import { toToken } from './names.ts'
import { natsBackplane } from './nats-backplane.ts'
import { toKey } from './nats-sessions.ts'

describe.skipIf(skipsNats())('NATS JetStream', () => {
  let server: Awaited<ReturnType<typeof startNats>>
  beforeAll(async () => {
    server = await startNats()
  })
  afterAll(() => server.stop())

  describeStore(
    'keeps the contract',
    async () => {
      const proxy = await openFaultProxy({ port: server.port })
      const connections: NatsConnection[] = []
      const join = async (port: number, name: string) => {
        const settings = { port, timeout: 2_000, maxReconnectAttempts: -1, reconnectTimeWait: 50, reconnectJitter: 0 }
        const connection = await connect(settings)
        connections.push(connection)
        return await natsBackplane(connection, name)
      }
      const name = `test-${randomBytes(4).toString('hex')}`
      const backplane = await join(proxy.port, name)
      const admin = await connect({ port: server.port })
      const [manager, bucket] = [await jetstreamManager(admin), await new Kvm(admin).open(name)]
      return {
        backplane,
        second: () => join(server.port, name),
        neighbour: () => join(server.port, `${name}-2`),
        faults: proxy.faults,
        oracle: {
          hasSession: async (key) => (await bucket.get(toKey(key)))?.operation === 'PUT',
          async countEvents(key) {
            const stream = `${name}-events`
            const subject = `${stream}.${toToken(key)}`
            const { state } = await manager.streams.info(stream, { subjects_filter: subject })
            return state.subjects?.[subject] ?? 0
          },
        },
        async close() {
          await Promise.all([...connections, admin].map((connection) => connection.close()))
          await proxy.close()
        },
      }
    },
    { parts: ['sessions', 'events', 'bus'], ttlToleranceMs: 200 },
  )
})
