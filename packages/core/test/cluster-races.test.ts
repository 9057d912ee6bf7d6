import { expect, onTestFinished, test } from 'vitest'
import { TestCluster, testLeaseMs } from '../../../test-support/in-process/test-cluster.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import { TestRequest } from '../../../test-support/in-process/test-request.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { sleep } from '../../../test-support/waiting.ts'
import { Lease } from '../src/cluster/lease.ts'
import { type EndpointOptions, type SessionStore, sessionKey } from '../src/index.ts'

// What the simulation has found, each by itself.

function createCluster(count: number, handlers: Handlers = {}, options: Partial<EndpointOptions> = {}): TestCluster {
  const cluster = new TestCluster(count, handlers, options)
  onTestFinished(() => cluster.close())
  return cluster
}

test('a lease that ended while it was being renewed is looked after', async () => {
  let lapses = 0
  let delayMs = 0
  const store = { renewLease: () => sleep(delayMs) } as unknown as SessionStore
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
      readBody: async (receive: (chunk: Uint8Array) => void) => {
        await sleep(250)
        return TestRequest.prototype.readBody.call(request, receive)
      },
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
    append: (...[key, event]: Parameters<typeof append>) => {
      n ??= event.last && event.streamTag === 'p1-2' ? event.position.n : undefined
      if (event.position.n !== n) return append.call(events, key, event)
      storeLate = () => append.call(events, key, event)
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
