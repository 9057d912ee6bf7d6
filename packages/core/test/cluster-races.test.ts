import { expect, onTestFinished, test } from 'vitest'
import { TestCluster, testLeaseMs } from '../../../test-support/in-process/test-cluster.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import { TestRequest } from '../../../test-support/in-process/test-request.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { sleep, waitFor } from '../../../test-support/waiting.ts'
import { ForwardedRequest } from '../src/cluster/forwarded-request.ts'
import { Lease } from '../src/cluster/lease.ts'
import {
  type BodySink,
  createMemoryBackplane,
  type EndpointOptions,
  type SessionStore,
  sessionKey,
} from '../src/index.ts'

// What the simulation has found, each by itself.

function createCluster(count: number, handlers: Handlers = {}, options: Partial<EndpointOptions> = {}): TestCluster {
  const cluster = new TestCluster(count, handlers, options)
  onTestFinished(() => cluster.close())
  return cluster
}

test('a lease that ended while it was being renewed is looked after', async () => {
  let lapses = 0
  let delayMs = 0
  const store = { renewLease: () => sleep(delayMs).then(() => true) } as unknown as SessionStore
  const lapsed = async (): Promise<void> => void lapses++
  const lease = new Lease({ node: () => 'a', leaseMs: 60, store, lapsed, onError: () => undefined })
  onTestFinished(() => lease.end())
  await lease.hold()
  delayMs = 100
  await sleep(150)
  delayMs = 0
  await lease.hold()
  expect(lease.runs).toBe(true)
  expect(lapses).toBeGreaterThan(0)
})

test('a lease that the store has lost is looked after, until that succeeds', async () => {
  let isThere = true
  let tries = 0
  const renewLease = (): boolean => {
    const ran = isThere
    isThere = true
    return ran
  }
  const lapsed = async (): Promise<void> => {
    if (++tries === 1) throw new Error('no connection')
  }
  const store = { renewLease } as unknown as SessionStore
  const errors: unknown[] = []
  const lease = new Lease({ node: () => 'a', leaseMs: 3_000, store, lapsed, onError: (error) => errors.push(error) })
  onTestFinished(() => lease.end())
  await lease.hold()
  expect([lease.runs, tries]).toEqual([true, 0])
  isThere = false
  await waitFor(() => errors.length === 1)
  expect(lease.runs).toBe(false)
  await lease.hold()
  expect([lease.runs, tries]).toEqual([true, 2])
})

test('a look that takes longer than a lease comes to its end, and the lease is renewed meanwhile', async () => {
  let ran = true
  let looks = 0
  let renewals = 0
  const renewLease = (): boolean => {
    renewals++
    return ran
  }
  const store = { renewLease } as unknown as SessionStore
  const lapsed = async (): Promise<void> => {
    looks++
    ran = true
    await sleep(400)
  }
  const lease = new Lease({ node: () => 'a', leaseMs: 100, store, lapsed, onError: () => undefined })
  onTestFinished(() => lease.end())
  await lease.hold()
  ran = false
  await waitFor(() => looks === 1)
  const before = renewals
  await lease.hold()
  expect(lease.runs).toBe(true)
  // Once more for each lapse that a busy machine brings, and no more: a look does not cause the next.
  expect(looks).toBeLessThanOrEqual(lease.lapses)
  expect(renewals - before).toBeGreaterThan(3)
})

test.each([
  ['comes through', () => undefined],
  [
    'is heard of as failed',
    () => {
      throw new Error('no connection')
    },
  ],
])(
  'a lease is given back that was asked for and not heard of when its node closed, also where it %s',
  async (_how, settle) => {
    const runs = new Set<string>()
    const renewLease = async (node: string, leaseMs: number): Promise<boolean> => {
      await sleep(20)
      const ran = runs.has(node)
      if (leaseMs === 0) runs.delete(node)
      else {
        runs.add(node)
        settle()
      }
      return ran
    }
    const store = { renewLease } as unknown as SessionStore
    const lease = new Lease({
      node: () => 'a',
      leaseMs: 3_000,
      store,
      lapsed: async () => undefined,
      onError: () => undefined,
    })
    const holding = lease.hold().catch(() => undefined)
    await lease.end()
    await holding
    expect([...runs]).toEqual([])
  },
)

test('who asks for it hears that the client of a forwarded request has left, also afterwards', () => {
  const request = new ForwardedRequest({ method: 'POST', url: '/mcp', headers: {} })
  let left = 0
  request.onGone(() => left++)
  request.leave()
  request.onGone(() => left++)
  expect(left).toBe(2)
})

test('sessions that the store has lost with the lease end where they live, and their streams with them', async () => {
  const cluster = createCluster(1, {}, { leaseMs: 1_000 })
  const client = await cluster.open(0)
  const reader = await client.read()
  await cluster.flush()
  await reader.until(() => reader.ended)
  await waitFor(() => cluster.node(0).endpoint.stats().sessions === 0)
  expect((await client.call('ping')).status).toBe(404)
})

test('the beginning of a stream is an id to come back with, also when its first events are an earlier owner’s', async () => {
  const push: Handlers = { push: ({ push }) => push('notifications/message', { data: 'one' }) }
  const cluster = createCluster(2, push)
  const client = await cluster.open(0)
  await client.call('push')
  cluster.kill(0)
  await sleep(testLeaseMs + 100)
  const reader = await cluster.on(1, client).read()
  const isPushed = (message: { method?: string }): boolean => message.method === 'notifications/message'
  await reader.until(() => reader.messages.some(isPushed))
  const beginning = reader.blocks.find(({ id }) => id !== undefined)?.id
  expect(beginning).toMatch(/^g\.0\.2-/)
  const again = await cluster.on(1, client).read(beginning)
  await again.until(() => again.messages.some(isPushed))
})

test('a session that hibernates while a body comes in takes the request all the same', async () => {
  const cluster = createCluster(2, {}, { hibernateAfterMs: 50 })
  const client = await cluster.open(0)
  for (const node of [0, 1]) {
    const request = client.request('POST', { body: { jsonrpc: '2.0', id: 1, method: 'ping' } })
    const slow = Object.assign(request, {
      readBody: (sink: BodySink) => void setTimeout(() => TestRequest.prototype.readBody.call(request, sink), 250),
    })
    expect((await cluster.node(node).endpoint.handle(slow)).status).toBe(200)
  }
})

test('a tool cuts no connection whose client could not come back', async () => {
  const cluster = createCluster(
    1,
    {
      poll: ({ extra }) => {
        extra.closeSSEStream?.()
        return new Promise((resolve) => setTimeout(() => resolve({ done: true }), 100))
      },
    },
    { response: 'sse' },
  )
  const client = await cluster.open(0)
  const reader = await TestReader.open(await client.call('poll', {}, 7))
  await reader.until(() => reader.ended)
  expect(reader.lastEventId).not.toBe('')
  const resumed = await client.read(reader.lastEventId)
  await resumed.until(() => resumed.ended)
  expect(resumed.messages).toMatchObject([{ id: 7, result: { done: true } }])
})

test('requests that look for a session at once bring it to life once', async () => {
  const cluster = createCluster(2)
  const client = await cluster.open(0)
  cluster.kill(0)
  await sleep(testLeaseMs + 100)
  const { link, endpoint, servers } = cluster.node(1)
  // One of them hears late whether the owner lives.
  const { sessions } = link.backplane
  const { hasLease } = sessions
  let asked = 0
  Object.assign(sessions, {
    hasLease: async (node: string) => {
      const runs = await hasLease(node)
      if (asked++ === 0) await sleep(200)
      return runs
    },
  })
  const replies = await Promise.all([1, 2].map((id) => cluster.on(1, client).call('ping', {}, id)))
  expect(replies.map(({ status }) => status)).toEqual([200, 200])
  expect(servers).toHaveLength(1)
  expect(endpoint.stats().sessions).toBe(1)
})

test('an answer that the log was given up over, and stores all the same, is not followed by another', async () => {
  const cluster = createCluster(1, { echo: () => ({ done: true }) }, { response: 'sse' })
  const { events } = cluster.database
  const { append } = events
  let storeLate: () => unknown = () => undefined
  let n: number | undefined
  Object.assign(events, {
    append: (...[key, appended]: Parameters<typeof append>) => {
      n ??= appended.find(({ last, streamTag }) => last && streamTag === 'p1-2')?.position.n
      if (n === undefined || appended.every(({ position }) => position.n !== n)) {
        return append.call(events, key, appended)
      }
      storeLate = () => append.call(events, key, appended)
      throw new Error('No reply in time')
    },
  })
  // The answer to initialize is the first stream.
  const client = await cluster.open(0)
  const reader = await TestReader.open(await client.call('echo', {}, 7))
  await reader.until(() => reader.ended)
  expect(reader.messages).toHaveLength(1)
  const again = await client.read(reader.blocks[0]?.id)
  await again.until(() => again.ended)
  expect(again.messages).toMatchObject([{ id: 7, error: { code: -32000 } }])
  await storeLate()
  const page = await events.read(await sessionKey(client.sessionId), 'p1-2', 0, 10)
  expect(page?.events.map(({ index }) => index)).toEqual([1, 2])
})

/** As a replica has it that was promoted before the newest events came to it. */
async function loseTail(cluster: TestCluster, sessionId: string, streamTag: string, kept: number): Promise<void> {
  const key = await sessionKey(sessionId)
  const { events } = cluster.database
  const page = await events.read(key, streamTag, 0, 100)
  const replica = createMemoryBackplane().events
  const appended = page?.events.slice(0, kept) ?? []
  if (appended.length > 0) await replica.append(key, appended)
  const { append, read } = replica
  Object.assign(events, { append: append.bind(replica), read: read.bind(replica) })
}

const pushAll: Handlers = {
  push: async ({ params, push }) => {
    for (const data of params.data as string[]) await push('notifications/message', { data })
    return {}
  },
}

function pushedTo(reader: TestReader): unknown[] {
  return reader.messages.flatMap(({ method, params }) => (method === 'notifications/message' ? [params?.data] : []))
}

test('a client whose last event the store lost in a fail-over hears of a gap, and misses nothing that comes after', async () => {
  const cluster = createCluster(2, pushAll)
  const client = await cluster.open(0)
  const before = await client.read()
  await client.call('push', { data: ['a', 'b', 'c', 'd', 'e'] })
  await before.until(() => pushedTo(before).length === 5)
  const last = before.events.at(-1)?.id
  cluster.kill(0)
  await loseTail(cluster, client.sessionId, 'g', 3)
  await sleep(testLeaseMs + 100)
  const there = cluster.on(1, client)
  const after = await there.read(last)
  expect(after.reply).toMatchObject({ status: 200, headers: { 'mcp-resume': 'gap' } })
  await there.call('push', { data: ['f', 'g', 'h'] })
  await after.until(() => pushedTo(after).length === 3)
  expect(pushedTo(after)).toEqual(['f', 'g', 'h'])
  // By now others have the indexes of what was lost.
  const again = await there.read(last)
  expect(again.reply).toMatchObject({ status: 200, headers: { 'mcp-resume': 'gap' } })
  await again.until(() => pushedTo(again).length === 3)
  expect(pushedTo(again)).toEqual(['f', 'g', 'h'])
  const forged = last?.replace(/\.5\./, '.3.') ?? ''
  expect((await there.get(forged)).status).toBe(400)
})

test('an owner that lost its session sends clients to the next one, and answers only who cannot go there', async () => {
  const release: (() => void)[] = []
  const cluster = createCluster(
    2,
    { park: () => new Promise((resolve) => release.push(() => resolve({ done: true }))) },
    { response: 'sse' },
  )
  const client = await cluster.open(0)
  const old = await cluster.open(0, { version: '2025-06-18' })
  const [reader, oldReader] = [
    await TestReader.open(await client.call('park', {}, 7)),
    await TestReader.open(await old.call('park', {}, 7)),
  ]
  await reader.until(() => reader.blocks.length > 0)
  // The store alone knows: the node has not noticed yet.
  for (const { sessionId } of [client, old]) {
    const key = await sessionKey(sessionId)
    const record = await cluster.database.sessions.get(key)
    await cluster.database.sessions.renewLease(record?.owner ?? '', 0)
    const taking = { expectedTerm: 1, owner: 'another', ttlMs: 60_000 }
    expect(await cluster.database.sessions.takeOver(key, taking)).toMatchObject({ term: 2 })
  }
  for (const answer of release) answer()
  await reader.until(() => reader.ended || reader.destroyed)
  expect(reader.messages).toEqual([])
  await oldReader.until(() => oldReader.ended || oldReader.destroyed)
  expect(oldReader.messages).toMatchObject([{ id: 7, result: { done: true } }])
})

test('a DELETE whose node has lost the session ends it where it lives now', async () => {
  const cluster = createCluster(2)
  const client = await cluster.open(0)
  const { sessions } = cluster.database
  const key = await sessionKey(client.sessionId)
  const record = await sessions.get(key)
  // The store alone knows: the node has not noticed yet. Nobody holds the session.
  await sessions.renewLease(record?.owner ?? '', 0)
  expect(await sessions.takeOver(key, { expectedTerm: 1, owner: '', ttlMs: 60_000 })).toMatchObject({ term: 2 })
  expect((await client.delete()).status).toBe(204)
  expect(await sessions.get(key)).toBeUndefined()
  for (const i of [0, 1]) expect((await cluster.on(i, client).call('ping')).status).toBe(404)
})
