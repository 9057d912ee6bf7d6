import { startRedis } from '../test-support/redis/start-redis.ts'
import { type RunningServer, startEverything } from './referee-child.ts'
import { startFront } from './referee-front.ts'
import type { Shape } from './referee-suite.ts'

/** Starts so many processes of the everything server on one Redis, behind a front that sends each request to the next. */
export async function startNodes(count: number, adapter: string, shape: Shape): Promise<RunningServer> {
  const redis = await startRedis()
  const flags = ['--backplane', `redis://127.0.0.1:${redis.port}`]
  const nodes = await Promise.all(Array.from({ length: count }, () => startEverything(adapter, shape, flags)))
  const front = await startFront(nodes.map(({ url }) => url))
  return {
    url: front.url,
    async stop() {
      const troubles = await Promise.all(nodes.map((node) => node.stop()))
      front.stop()
      await redis.stop()
      const told = troubles.filter((trouble) => trouble !== undefined)
      return told.length > 0 ? told.join('\n') : undefined
    },
  }
}
