import { Redis } from 'ioredis'
import { createClient, createClientPool } from 'redis'
import { expect, test } from 'vitest'
import { type RedisBackplaneOptions, type RedisClient, redisBackplane } from '../src/index.ts'

/** One that is not connected. */
function createUnused(): Redis {
  return new Redis({ lazyConnect: true, retryStrategy: () => null })
}

test('an object that is no known client is refused with a sentence that says what to pass', () => {
  const others = [undefined, null, 'redis://localhost', {}, new Map(), Redis, createClientPool()]
  for (const other of others) {
    expect(() => redisBackplane(other as unknown as RedisClient)).toThrow(
      /^Expected the client to be one of `new Redis\(\)`.*`createClient\(\)`.*, got /,
    )
  }
})

test('a bad option is refused by its name', () => {
  const bad: readonly [unknown, string][] = [
    [{ prefix: 'x' }, 'Unknown option: prefix'],
    [{ keyPrefix: '' }, 'Expected keyPrefix to be 1 to 100 characters without braces, got "" (string)'],
    [{ keyPrefix: 'a{b}' }, 'Expected keyPrefix to be 1 to 100 characters without braces, got "a{b}" (string)'],
    [{ maxEventsPerSession: 0 }, 'Expected maxEventsPerSession to be a whole number from 1'],
    [{ maxBytesPerSession: '8 MiB' }, 'Expected maxBytesPerSession to be a whole number from 1'],
    [{ retainMs: 1.5 }, 'Expected retainMs to be a whole number from 1'],
    [{ onWarning: 'console' }, 'Expected onWarning to be a function'],
  ]
  for (const [options, message] of bad) {
    expect(() => redisBackplane(createUnused(), options as RedisBackplaneOptions)).toThrow(message)
  }
})

test('a client that was never connected is named as the reason, at once', async () => {
  const { sessions } = redisBackplane(createClient())
  await expect(async () => await sessions.get('key')).rejects.toThrow(
    'The Redis client is closed, or was never connected',
  )
})
