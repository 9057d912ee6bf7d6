import { expect, onTestFinished, test } from 'vitest'
import { openSession, type TestClient } from '../../../test-support/in-process/test-client.ts'
import { TestCluster } from '../../../test-support/in-process/test-cluster.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { type Endpoint, sessionKey } from '../src/index.ts'

const handlers: Handlers = {
  park: () => new Promise(() => undefined),
  tell: async ({ notify }) => {
    await notify('notifications/message', { data: 'on the way' })
    return { done: true }
  },
}

async function lookAt(endpoint: Endpoint, { sessionId }: TestClient) {
  const key = await sessionKey(sessionId)
  return { key, streams: await endpoint.sessions.streams(key) }
}

test('a session’s streams are told by every node, with what their readers have and the log keeps', async () => {
  const cluster = new TestCluster(2, handlers)
  onTestFinished(() => cluster.close())
  const client = await cluster.open(0)
  const standalone = await client.read()
  const running = await TestReader.open(await client.call('park', {}, 'parked'))
  await running.until(() => running.blocks.length === 1)
  const told = await TestReader.open(await client.call('tell', {}, 7))
  await told.until(() => told.ended)
  for (const { endpoint } of cluster.nodes) {
    const { key, streams } = await lookAt(endpoint, client)
    expect(streams).toEqual([
      { streamTag: 'g', kind: 'standalone', requestIds: [], head: 0, cursor: 0, isRead: true, ended: false },
      { streamTag: 'p1-1', kind: 'call', requestIds: ['parked'], head: 1, cursor: 1, isRead: true, ended: false },
      { streamTag: 'p1-2', kind: 'call', requestIds: [7], head: 3, cursor: undefined, isRead: false, ended: true },
    ])
    const page = await endpoint.sessions.events(key, 'p1-2', { after: 1 })
    expect(page?.events.map(({ index, kind, last }) => [index, kind, last])).toEqual([
      [2, 'notification', false],
      [3, 'message', true],
    ])
    expect(page?.events[0]?.data).toContain('on the way')
    expect((await endpoint.sessions.events(key, 'p1-2', { limit: 1 }))?.events).toHaveLength(1)
    expect(await endpoint.sessions.events(key, 'p1-9')).toBeUndefined()
  }
  standalone.leave()
  expect((await lookAt(cluster.node(1).endpoint, client)).streams?.[0]).toMatchObject({ isRead: false })
})

test('of a session that is unknown, or whose node is gone, no streams are told', async () => {
  const cluster = new TestCluster(2, handlers)
  onTestFinished(() => cluster.close())
  const client = await cluster.open(0)
  const { endpoint } = cluster.node(1)
  expect(await endpoint.sessions.streams('unknown')).toBeUndefined()
  expect((await lookAt(endpoint, client)).streams).toHaveLength(1)
  await cluster.node(0).endpoint.close({ drainMs: 0 })
  expect((await lookAt(endpoint, client)).streams).toBeUndefined()
})

test('without sessions there are no streams of any', async () => {
  const { endpoint } = createTestEndpoint({}, { sessions: false })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  expect(await endpoint.sessions.streams('unknown')).toBeUndefined()
})

test('only the newest streams that have ended are looked for', async () => {
  const { endpoint } = createTestEndpoint(handlers, { response: 'sse' })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  const client = await openSession(endpoint)
  for (let id = 0; id < 40; id++) {
    const reader = await TestReader.open(await client.call('tell', {}, id))
    await reader.until(() => reader.ended)
  }
  const { streams = [] } = await lookAt(endpoint, client)
  expect(streams).toHaveLength(33)
  expect(streams[1]?.requestIds).toEqual([39])
})
