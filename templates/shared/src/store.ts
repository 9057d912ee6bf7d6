import type { Backplane } from '@throughline/mcp-http-core'

export interface Store {
  readonly backplane: Partial<Backplane>
  close(): Promise<void>
}

/** Where sessions and streams are kept: in the memory of this process, or in Redis. */
export async function openStore(redisUrl: string | undefined): Promise<Store> {
  if (!redisUrl) return { backplane: {}, close: async () => undefined }
  const { Redis } = await import('ioredis')
  const { redisBackplane } = await import('@throughline/mcp-http-redis')
  const client = new Redis(redisUrl).on('error', ({ message }) => console.error(`Redis: ${message}`))
  return { backplane: redisBackplane(client), close: async () => client.disconnect() }
}
