import { Redis } from 'ioredis'
import { findFreePort } from '../../../test-support/free-port.ts'
import { type RedisServer, startRedis } from '../../../test-support/redis/start-redis.ts'
import { sleep } from '../../../test-support/waiting.ts'

const slots = 16_384

export interface RedisCluster {
  readonly ports: readonly number[]
  stop(): Promise<void>
}

/** Three masters with a third of the slots each. */
export async function startCluster(): Promise<RedisCluster> {
  const nodes = await Promise.all([0, 1, 2].map(startNode))
  const admins = nodes.map(({ port }) => new Redis(port, '127.0.0.1'))
  for (const [i, admin] of admins.entries()) {
    const first = Math.ceil((i * slots) / 3)
    const own = Array.from({ length: Math.ceil(((i + 1) * slots) / 3) - first }, (_, slot) => first + slot)
    await admin.cluster('ADDSLOTS', own)
    for (const { port, busPort } of nodes) await admin.call('CLUSTER', 'MEET', '127.0.0.1', port, busPort)
  }
  for (const admin of admins) while (!(await isReady(admin))) await sleep(20)
  for (const admin of admins) admin.disconnect()
  return {
    ports: nodes.map(({ port }) => port),
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()))
    },
  }
}

async function startNode(): Promise<RedisServer & { readonly busPort: number }> {
  const busPort = await findFreePort()
  const cluster = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--cluster-port', String(busPort)]
  return { ...(await startRedis(...cluster)), busPort }
}

async function isReady(admin: Redis): Promise<boolean> {
  const info = String(await admin.call('CLUSTER', 'INFO'))
  return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3')
}
