import type { RedisPort } from './client/redis-port.ts'

/** `INFO` may be asked where `CONFIG GET` may not. */
export async function warnOfEviction(redis: RedisPort, warn: (warning: string) => void): Promise<void> {
  const info = String(await redis.command(undefined, ['INFO', 'memory']))
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction'
  // Every key of ours expires: the policies for those that do hit sessions as well.
  if (policy === 'noeviction' || policy === 'volatile-ttl') return
  warn(
    `Redis drops MCP sessions that are in use when its memory is full: set maxmemory-policy to noeviction, not ${policy}`,
  )
}
