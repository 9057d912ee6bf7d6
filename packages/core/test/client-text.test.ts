import { expect, test } from 'vitest'
import { openSession, TestClient, toInitializeParams, toJson } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { createEventIdCodec, createMemoryBackplane, type SessionStore } from '../src/index.ts'

test('of the params of initialize only known members are kept, and not more than 64 KiB', async () => {
  const { endpoint } = createTestEndpoint()
  const client = new TestClient(endpoint)
  const padded = { ...toInitializeParams(), padding: 'x'.repeat(1_000_000) }
  expect((await client.call('initialize', padded)).status).toBe(200)
  for await (const { initializeParams } of endpoint.sessions.list()) {
    expect(Object.keys(initializeParams)).toEqual(['protocolVersion', 'capabilities', 'clientInfo'])
  }
  const large = { ...toInitializeParams(), clientInfo: { name: 'x'.repeat(100_000), version: '1' } }
  const refused = await client.call('initialize', large)
  expect([refused.status, toJson(refused)]).toMatchObject([400, { id: 1, error: { code: -32602 } }])
  expect(endpoint.stats().sessions).toBe(1)
})

test('the uri of a subscription has a bound, and so have all that are remembered', async () => {
  const { endpoint } = createTestEndpoint()
  const client = await openSession(endpoint)
  const refused = await client.call('resources/subscribe', { uri: `file:///${'x'.repeat(9_000)}` })
  expect([refused.status, toJson(refused)]).toMatchObject([400, { error: { code: -32602 } }])
  for (let i = 0; i < 100; i++) await client.call('resources/subscribe', { uri: `file:///${i}-${'x'.repeat(8_000)}` })
  for await (const { subscriptions } of endpoint.sessions.list()) {
    expect(subscriptions.join('').length).toBeLessThanOrEqual(262_144)
    expect(subscriptions.at(-1)).toMatch('file:///99-')
  }
})

test('a generator that repeats an id takes nothing from the session that has it', async () => {
  const id = 'a'.repeat(32)
  const { endpoint, errors } = createTestEndpoint({}, { generateSessionId: () => id })
  const first = await openSession(endpoint)
  const reader = await first.read()
  await endpoint.notify({ method: 'notifications/tools/list_changed' })
  await reader.until(() => reader.messages.length === 1)
  expect((await new TestClient(endpoint).call('initialize', toInitializeParams())).status).toBe(500)
  expect(String(errors)).toContain('in use')
  expect(toJson(await first.call('ping')).result).toEqual({})
  reader.leave()
  const again = await first.read(reader.blocks[0]?.id)
  expect(again.messages).toMatchObject([{ method: 'notifications/tools/list_changed' }])
})

test('of two sessions that open with one id at the same time, the later one takes nothing from the other', async () => {
  const { sessions: kept } = createMemoryBackplane()
  let letGo: (taken: boolean) => void = () => undefined
  const taken = new Promise<boolean>((resolve) => {
    letGo = resolve
  })
  let created = 0
  const sessions: SessionStore = {
    // Both find the id free.
    get: () => undefined,
    create: (record, ttlMs) => (created++ === 0 ? kept.create(record, ttlMs) : taken),
    update: (...changed) => kept.update(...changed),
    takeOver: (...taking) => kept.takeOver(...taking),
    delete: (...deleted) => kept.delete(...deleted),
    list: () => kept.list(),
    renewLease: (...renewed) => kept.renewLease(...renewed),
    hasLease: (node) => kept.hasLease(node),
  }
  const { endpoint } = createTestEndpoint({}, { generateSessionId: () => 'b'.repeat(32), backplane: { sessions } })
  const client = await openSession(endpoint)
  const second = new TestClient(endpoint).call('initialize', toInitializeParams())
  const reader = await client.read()
  await endpoint.notify({ method: 'notifications/tools/list_changed' })
  await reader.until(() => reader.messages.length === 1)
  letGo(false)
  expect((await second).status).toBe(500)
  reader.leave()
  const again = await client.read(reader.blocks[0]?.id)
  expect(again.messages).toMatchObject([{ method: 'notifications/tools/list_changed' }])
})

const handlers: Handlers = {
  count: async ({ notify }) => {
    for (let i = 1; i <= 3; i++) await notify('notifications/progress', { i })
    return {}
  },
}

test('a codec that throws, and a log whose read throws, cost a connection and no more', async () => {
  let isBroken = false
  const codec = createEventIdCodec()
  const fail = (): never => {
    throw new Error('a fault of the codec')
  }
  const eventIds = { encode: (place: never) => (isBroken ? fail() : codec.encode(place)), decode: codec.decode }
  const { endpoint, errors } = createTestEndpoint(handlers, { response: 'sse', eventIds })
  const client = await openSession(endpoint)
  eventIds.decode = fail
  expect((await client.get('whatever')).status).toBe(400)
  isBroken = true
  const reader = await TestReader.open(await client.call('count'))
  await reader.until(() => reader.ended)
  expect(errors).toHaveLength(1)
  expect(endpoint.stats()).toMatchObject({ calls: 0, connections: 0 })

  const { events } = createMemoryBackplane()
  const broken = createTestEndpoint(handlers, {
    response: 'sse',
    // It is read again as often as the connection is looked after, and not for ever.
    keepAliveMs: 40,
    backplane: {
      events: {
        append: (key, event) => events.append(key, event),
        release: () => undefined,
        delete: (key) => events.delete(key),
        stats: () => events.stats(),
        read: () => {
          throw new Error('a fault of the log')
        },
      },
    },
  })
  const other = await openSession(broken.endpoint)
  const cut = await TestReader.open(await other.call('count'))
  await cut.until(() => cut.ended || cut.destroyed)
  expect(broken.errors.length).toBeGreaterThan(0)
  expect(broken.endpoint.stats()).toMatchObject({ calls: 0, connections: 0 })
})
