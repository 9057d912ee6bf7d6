import { redisBackplane } from '@throughline/mcp-http-redis'
import { Redis } from 'ioredis'
import { skipsRedis, startRedis } from '../../test-support/redis/start-redis.ts'
import { type AdapterName, findAdapter, type OpenBackplane, startNodes } from '../mounts/index.ts'
import { describeServer } from '../src/describe-server.ts'
import { elsewhere } from './mounts/describe-mounts.ts'

/** What a session loses when it moves is nothing, so a client must not see that there are several nodes. */
if (!skipsRedis()) {
  const names: readonly AdapterName[] = process.env.MOUNTS === 'more' ? ['express', 'fastify', 'koa', 'hono'] : ['node']
  for (const adapter of names) {
    describeServer(`three nodes on Redis, ${adapter}`, {
      'with each request going to the next': {
        start: async () => {
          const redis = await startRedis()
          const nodes = await startNodes({ nodes: 3, adapter, open: () => openRedis(redis.port) })
          return {
            ...nodes,
            close: async () => {
              await nodes.close()
              await redis.stop()
            },
          }
        },
        exclude: [...elsewhere, ...findAdapter(adapter).exceptions],
        strict: true,
        levels: 'all',
        abuse: true,
      },
    })
  }
}

function openRedis(port: number): OpenBackplane {
  const client = new Redis({ port, host: '127.0.0.1' })
  return { backplane: redisBackplane(client), close: () => client.disconnect() }
}
