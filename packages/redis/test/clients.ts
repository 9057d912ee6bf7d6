import { Redis } from 'ioredis'
import Valkey from 'iovalkey'
import { createClient } from 'redis'
import type { RedisClient } from '../src/index.ts'

export interface Connected {
  readonly client: RedisClient
  close(): Promise<void>
}

/** A client as its users make it, connected. */
export type Connect = (port: number) => Promise<Connected>

function ignore(): void {
  return
}

export const clients: Readonly<Record<'ioredis' | 'iovalkey' | 'node-redis', Connect>> = {
  async ioredis(port) {
    const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 50 })
    client.on('error', ignore)
    return { client, close: async () => client.disconnect() }
  },
  async iovalkey(port) {
    const client = new Valkey(port, '127.0.0.1', { retryStrategy: () => 50 })
    client.on('error', ignore)
    return { client, close: async () => client.disconnect() }
  },
  async 'node-redis'(port) {
    const client = createClient({ socket: { host: '127.0.0.1', port } })
    client.on('error', ignore)
    await client.connect()
    return { client, close: async () => client.destroy() }
  },
}
