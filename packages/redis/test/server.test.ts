import { readFile } from 'node:fs/promises'
import type { LogEvent, SessionRecord } from '@throughline/mcp-http-core'
import { Redis } from 'ioredis'
import Valkey from 'iovalkey'
import { createClient } from 'redis'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type RedisServer, skipsRedis, startRedis } from '../../../test-support/redis/start-redis.ts'
import { sleep, waitFor } from '../../../test-support/waiting.ts'
import { redisBackplane } from '../src/index.ts'
import { Keys } from '../src/keys.ts'

const ttlMs = 60_000

function toRecord(key: string): SessionRecord {
  const rest = { principal: null, initialized: true, logLevel: null, subscriptions: [], createdAt: 0, owner: 'me' }
  return { key, protocolVersion: '2025-11-25', initializeParams: {}, serverCapabilities: {}, term: 1, ...rest }
}

function toEvent(n: number, parts: Partial<LogEvent> = {}): LogEvent {
  const position = { term: 1, n }
  return { streamTag: 'g', index: n, position, kind: 'message', data: '{}', last: false, requestIds: [1], ...parts }
}

describe.skipIf(skipsRedis())('on a real Redis', () => {
  let server: RedisServer
  let client: Redis
  beforeAll(async () => {
    server = await startRedis()
    client = new Redis(server.port, '127.0.0.1')
  })
  beforeEach(async () => {
    await client.flushall()
  })
  afterAll(async () => {
    client.disconnect()
    await server.stop()
  })

  test.each(['ioredis', 'iovalkey'])(
    'nothing is written where the user may not select the database (%s)',
    async (name) => {
      await client.call('ACL', 'SETUSER', 'bound', 'on', '>secret', '~*', '&*', '+@all', '-select')
      const options = { port: server.port, host: '127.0.0.1', username: 'bound', password: 'secret', db: 1 }
      const user = name === 'ioredis' ? new Redis(options) : new Valkey(options)
      user.on('error', () => undefined)
      try {
        const { sessions } = redisBackplane(user)
        await expect(sessions.create(toRecord('a'), ttlMs)).rejects.toThrow(/NOPERM/)
        await expect(sessions.get('a')).rejects.toThrow(/NOPERM/)
        expect(await client.dbsize()).toBe(0)
        await client.call('ACL', 'SETUSER', 'bound', '+select')
        await client.call('CLIENT', 'KILL', 'USER', 'bound')
        await vi.waitFor(async () => sessions.create(toRecord('a'), ttlMs), 5_000)
        expect(await sessions.get('a')).toMatchObject({ key: 'a' })
        expect(await client.dbsize()).toBe(0)
      } finally {
        user.disconnect()
        await client.call('ACL', 'DELUSER', 'bound')
        await client.call('ACL', 'LOG', 'RESET')
      }
    },
  )

  test('the user of the README may do all that is done', async () => {
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
    const [, ...rules] = (/ACL SETUSER (.+)/.exec(readme)?.[1] ?? '').split(' ')
    await client.call('ACL', 'SETUSER', 'mcp', ...rules)
    const user = new Redis({ port: server.port, host: '127.0.0.1', username: 'mcp', password: 'secret' })
    try {
      const { sessions, events, bus } = redisBackplane(user, { maxEventsPerSession: 2, retainMs: 1 })
      await sessions.renewLease('me', ttlMs)
      expect(await sessions.hasLease('me')).toBe(true)
      expect(await sessions.create(toRecord('a'), ttlMs)).toBe(true)
      expect(await sessions.update('a', 1, { logLevel: 'info' }, ttlMs)).toBe(true)
      for (const n of [1, 2, 3, 4, 5]) {
        const part = n < 4 ? { streamTag: 'p', index: n, kind: 'progress' as const, last: n === 3 } : { index: n - 3 }
        expect(await events.append('a', [toEvent(n, part)])).toBe('ok')
      }
      events.release('a', 'p')
      events.settle?.('a', 'g', 1)
      await sleep(5)
      expect(await events.append('a', [toEvent(6, { index: 3, last: true })])).toBe('ok')
      expect(await events.read('a', 'g', 0, 10)).toMatchObject({ head: 3, ended: true })
      expect(await sessions.takeOver('a', { expectedTerm: 1, owner: 'other', ttlMs })).toMatchObject({ owner: 'me' })
      await sessions.renewLease('me', 0)
      expect(await sessions.takeOver('a', { expectedTerm: 1, owner: 'other', ttlMs })).toMatchObject({ term: 2 })
      for await (const { key } of sessions.list()) expect(key).toBe('a')
      const heard: string[] = []
      const stop = await bus.subscribe('c', (message) => void heard.push(message))
      await bus.publish('c', 'one')
      await waitFor(() => heard.length === 1)
      await stop()
      await events.delete('a', 2)
      expect(await sessions.delete('a', 2)).toBe(true)
      expect(await client.call('ACL', 'LOG')).toEqual([])
    } finally {
      user.disconnect()
      await client.call('ACL', 'DELUSER', 'mcp')
    }
  })

  test('an idle session takes at most 1 KiB', async () => {
    const { sessions } = redisBackplane(client)
    const initializeParams = {
      protocolVersion: '2025-11-25',
      capabilities: { roots: { listChanged: true }, sampling: {}, elicitation: {} },
      clientInfo: { name: 'client', version: '1.0.0' },
    }
    const usedMemory = async () => Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1])
    const create = (i: number) =>
      sessions.create({ ...toRecord(`${i}`.padStart(43, '0')), initializeParams, owner: 'x'.repeat(22) }, ttlMs)
    await create(0)
    const before = await usedMemory()
    for (let i = 1; i <= 1_000; i++) await create(i)
    expect(((await usedMemory()) - before) / 1_000).toBeLessThan(1_024)
  })

  test('a database without room refuses what is new and loses nothing; sessions go on, and events when there is room', async () => {
    const { sessions, events, bus } = redisBackplane(client, { retainMs: 1 })
    await sessions.create(toRecord('old'), ttlMs)
    await sessions.renewLease('me', ttlMs)
    await events.append('old', [toEvent(1, { streamTag: 'p1-1', index: 1 })])
    await events.append('old', [toEvent(2, { streamTag: 'p1-1', index: 2, last: true })])
    await client.config('SET', 'maxmemory', '1')
    try {
      await expect(async () => await sessions.create(toRecord('new'), ttlMs)).rejects.toThrow('OOM')
      await expect(async () => await events.append('old', [toEvent(3, { index: 1 })])).rejects.toThrow('OOM')
      expect(await events.read('old', 'g', 0, 10)).toBeUndefined()
      expect(await sessions.update('old', 1, { logLevel: 'debug' }, ttlMs)).toBe(true)
      await sessions.renewLease('me', ttlMs)
      await sessions.renewLease('other', ttlMs)
      expect(await sessions.hasLease('other')).toBe(true)
      expect(await sessions.takeOver('old', { expectedTerm: 1, owner: 'me', ttlMs })).toMatchObject({ term: 2 })
      await bus.publish('channel', 'message')
      // What was delivered is dropped in spite of it.
      for (let i = 0; i < 2; i++) {
        events.release('old', 'p1-1')
        await sleep(5)
      }
      expect((await events.read('old', 'p1-1', 0, 10))?.events).toEqual([])
    } finally {
      await client.config('SET', 'maxmemory', '0')
    }
    expect(await events.append('old', [toEvent(1, { position: { term: 2, n: 1 }, index: 1 })])).toBe('ok')
    expect(await sessions.create(toRecord('new'), ttlMs)).toBe(true)
  })

  test('a database that was emptied says that the session is gone, and one that lost a log that this is', async () => {
    const { sessions, events } = redisBackplane(client)
    const keys = new Keys('mcp')
    for (const key of ['flushed', 'evicted']) {
      await sessions.create(toRecord(key), ttlMs)
      expect(await events.append(key, [toEvent(1)])).toBe('ok')
    }
    await client.del(keys.ofSession('evicted')[1])
    expect(await events.append('evicted', [toEvent(2)])).toBe('gone')
    await sessions.takeOver('evicted', { expectedTerm: 1, owner: 'me', ttlMs })
    expect(await events.append('evicted', [toEvent(1, { index: 2, position: { term: 2, n: 1 } })])).toBe('ok')
    await client.flushall()
    expect(await events.append('flushed', [toEvent(2)])).toBe('gone')
    expect(await sessions.update('flushed', 1, {}, ttlMs)).toBe(false)
    expect(await client.dbsize()).toBe(0)
  })

  test('a log ends with its record, however it ends', async () => {
    const { sessions, events } = redisBackplane(client)
    for (const key of ['deleted', 'expired', 'prolonged']) {
      await sessions.create(toRecord(key), key === 'expired' ? 50 : ttlMs)
      await events.append(key, [toEvent(1, { last: true })])
      events.release(key, 'g')
    }
    await sessions.delete('deleted')
    await sessions.update('prolonged', 1, {}, 2 * ttlMs)
    await sleep(60)
    const left = await client.keys('*')
    expect(left.toSorted()).toEqual(new Keys('mcp').ofSession('prolonged').toSorted())
    for (const key of left) expect(await client.pttl(key)).toBeGreaterThan(ttlMs)
  })

  test('a stream that was delivered is kept for a while, then dropped, and then forgotten', async () => {
    const { sessions, events } = redisBackplane(client, { retainMs: 40 })
    await sessions.create(toRecord('key'), ttlMs)
    const deliver = async (n: number) => {
      await events.append('key', [toEvent(n, { streamTag: `p1-${n}`, index: 1, last: true })])
      events.release('key', `p1-${n}`)
      await events.read('key', `p1-${n}`, 0, 1)
    }
    const read = async () => await events.read('key', 'p1-1', 0, 10)
    await deliver(1)
    await deliver(2)
    expect((await read())?.events).toHaveLength(1)
    await sleep(50)
    await deliver(3)
    expect(await read()).toMatchObject({ events: [], head: 1, ended: true, requestIds: [1] })
    await sleep(50)
    await deliver(4)
    expect(await read()).toBeUndefined()
  })

  test('a budget of bytes is kept as well, in UTF-8', async () => {
    const { sessions, events } = redisBackplane(client, { maxBytesPerSession: 100_000 })
    await sessions.create(toRecord('key'), ttlMs)
    for (let n = 1; n <= 100; n++) {
      await events.append('key', [toEvent(n, { kind: 'notification', data: 'é'.repeat(1_000) })])
    }
    const kept = (await events.read('key', 'g', 0, 100))?.events ?? []
    expect(kept.at(-1)?.index).toBe(100)
    expect(kept.length).toBeGreaterThan(40)
    expect(kept.length).toBeLessThan(50)
  })

  test('scripts that the server has forgotten are told again, and none overtakes another', async () => {
    const { sessions, events } = redisBackplane(client)
    await sessions.create(toRecord('key'), ttlMs)
    await events.append('key', [toEvent(1)])
    await client.script('FLUSH')
    const outcomes = await Promise.all([2, 3, 4, 5, 6].map((n) => events.append('key', [toEvent(n)])))
    expect(outcomes).toEqual(['ok', 'ok', 'ok', 'ok', 'ok'])
  })

  test('sessions are listed for a client with a prefix of its own, and one whose replies are buffers', async () => {
    const prefixed = new Redis(server.port, '127.0.0.1', { keyPrefix: 'app[1]:' })
    const buffers = createClient({
      socket: { host: '127.0.0.1', port: server.port },
      commandOptions: { typeMapping: { 36: Buffer } },
    })
    await buffers.connect()
    for (const [i, each] of [prefixed, buffers].entries()) {
      const { sessions } = redisBackplane(each, { keyPrefix: `p${i}*` })
      await sessions.create(toRecord('any key: {*}'), ttlMs)
      const listed: SessionRecord[] = []
      for await (const record of sessions.list()) listed.push(record)
      expect(listed).toEqual([toRecord('any key: {*}')])
    }
    prefixed.disconnect()
    buffers.destroy()
  })

  test('an eviction policy that drops sessions is warned of, once', async () => {
    const onWarning = vi.fn()
    const policies = ['noeviction', 'volatile-ttl', 'allkeys-lru', 'volatile-lru']
    for (const policy of policies) {
      await client.config('SET', 'maxmemory-policy', policy)
      const { sessions } = redisBackplane(client, { onWarning })
      for (let i = 0; i < 5; i++) await sessions.get('key')
    }
    await client.config('SET', 'maxmemory-policy', 'noeviction')
    expect(onWarning.mock.calls).toEqual([
      [expect.stringMatching(/set maxmemory-policy to noeviction, not allkeys-lru$/)],
      [expect.stringMatching(/not volatile-lru$/)],
    ])
  })

  test.each([
    ['ioredis', () => new Redis(server.port, '127.0.0.1', { lazyConnect: true })],
    ['node-redis', () => createClient({ socket: { host: '127.0.0.1', port: server.port } })],
  ] as const)(
    'a client of %s is left to its owner to connect, and what is wrong is warned of then',
    async (_, make) => {
      await client.config('SET', 'maxmemory-policy', 'allkeys-lru')
      onTestFinished(() => void client.config('SET', 'maxmemory-policy', 'noeviction'))
      const late = make()
      const onWarning = vi.fn()
      const { sessions } = redisBackplane(late, { onWarning })
      await late.connect()
      onTestFinished(() => void late.disconnect())
      for (let i = 0; i < 5; i++) await sessions.get('key')
      await waitFor(() => onWarning.mock.calls.length > 0)
      expect(onWarning).toHaveBeenCalledTimes(1)
    },
  )

  test('a client of ioredis that nobody connects is connected when it is used', async () => {
    const lazy = new Redis(server.port, '127.0.0.1', { lazyConnect: true })
    onTestFinished(() => lazy.disconnect())
    const { sessions } = redisBackplane(lazy)
    expect(lazy.status).toBe('wait')
    expect(await sessions.get('key')).toBeUndefined()
  })

  test('a server that is silent is waited for so long, and no longer', async () => {
    const { sessions } = redisBackplane(client)
    await sessions.get('key')
    await client.call('CLIENT', 'PAUSE', '3500')
    const started = performance.now()
    await expect(async () => await sessions.get('key')).rejects.toThrow('Expected a reply to HMGET from Redis within')
    expect(performance.now() - started).toBeLessThan(3_400)
    await waitFor(() => performance.now() - started > 3_500)
  })
})
