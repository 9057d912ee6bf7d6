import type { RedisPort } from './client/redis-port.ts'

/** What is wrong with the server, in sentences. `INFO` may be asked where `CONFIG GET` may not. */
export async function findFaults(redis: RedisPort): Promise<string[]> {
  const info = String(await redis.command(undefined, ['INFO']))
  const read = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
  const policy = read('maxmemory_policy')
  const faults: string[] = []
  if (isBefore(read('redis_version'), 6, 2)) {
    faults.push(`Redis ${read('redis_version')} is too old to keep sessions of MCP: it must be 6.2 or later`)
  }
  // Every key of ours expires, so that the policies for those that do hit sessions as well.
  if (policy !== '' && policy !== 'noeviction' && policy !== 'volatile-ttl') {
    faults.push(
      `Redis drops sessions of MCP that are in use when its memory is full: its maxmemory-policy is ${policy}. Set it to noeviction`,
    )
  }
  return faults
}

function isBefore(version: string, major: number, minor: number): boolean {
  const [itsMajor = major, itsMinor = minor] = version.split('.').map(Number)
  return version !== '' && (itsMajor < major || (itsMajor === major && itsMinor < minor))
}
