import type { RedisPort } from './client/redis-port.ts'

/**
 * At once, or, where the server is not there yet, with the first command that reaches it. A client that nobody has
 * connected is left alone: its owner is about to, and one of ioredis refuses that when it is connecting already.
 */
export function watchEviction(redis: RedisPort, warn: (warning: string) => void): void {
  // It may not be asked.
  const warnAtFirst = (): void => redis.atFirst(() => void warnOfEviction(redis, warn).catch(() => undefined))
  if (redis.isConnecting) warnOfEviction(redis, warn).catch(warnAtFirst)
  else warnAtFirst()
}

/** `INFO` may be asked where `CONFIG GET` may not. */
async function warnOfEviction(redis: RedisPort, warn: (warning: string) => void): Promise<void> {
  const info = String(await redis.command(undefined, ['INFO', 'memory']))
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction'
  // Every key of ours expires: the policies for those that do hit sessions as well.
  if (policy === 'noeviction' || policy === 'volatile-ttl') return
  warn(
    `Redis drops MCP sessions that are in use when its memory is full: set maxmemory-policy to noeviction, not ${policy}`,
  )
}
