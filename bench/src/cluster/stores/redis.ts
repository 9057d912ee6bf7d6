import { Redis } from 'ioredis'
import { startRedis } from '../../../../test-support/redis/start-redis.ts'
import type { ClusterStore } from './cluster-store.ts'

export async function startRedisStore(): Promise<ClusterStore> {
  const server = await startRedis()
  const control = new Redis({ port: server.port, host: '127.0.0.1' })
  const listener = control.duplicate()
  return {
    title: 'Redis',
    ofNodes: { redisPort: server.port },
    bareMessage: 'a bare PUBLISH to its subscriber',
    say: (text) => control.publish('bare', text),
    async hear(heard) {
      listener.on('message', (_channel, text) => heard(text))
      await listener.subscribe('bare')
    },
    empty: () => control.flushall(),
    async sessionBytes() {
      const keys = (await control.keys('*')).filter((key) => key.includes('{'))
      const sizes = await Promise.all(keys.map((key) => control.memory('USAGE', key)))
      return sizes.reduce((sum: number, size) => sum + Number(size ?? 0), 0)
    },
    sessionLimit: 1_024,
    async stop() {
      listener.disconnect()
      control.disconnect()
      await server.stop()
    },
  }
}
