import { expect, onTestFinished, test } from 'vitest'
import { TestCluster } from '../../../test-support/in-process/test-cluster.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { sleep, waitFor } from '../../../test-support/waiting.ts'
import { type EndpointOptions, sessionKey } from '../src/index.ts'

// What is rare between nodes, each by itself.

function createCluster(count: number, handlers: Handlers = {}, options: Partial<EndpointOptions> = {}): TestCluster {
  const cluster = new TestCluster(count, handlers, options)
  onTestFinished(() => cluster.close())
  return cluster
}

test('a client whose node takes its session over counts as connected there, until it leaves', async () => {
  const cluster = createCluster(2, {}, { hibernateAfterMs: 300 })
  const client = await cluster.open(0)
  const key = await sessionKey(client.sessionId)
  const reader = await cluster.on(1, client).read()
  cluster.kill(0)
  const { endpoint } = cluster.node(1)
  await waitFor(() => endpoint.stats().sessions === 1)
  await sleep(600)
  expect(reader.ended).toBe(false)
  expect((await endpoint.sessions.get(key))?.activity).toMatchObject({ connections: 1 })
  reader.leave()
  await waitFor(() => endpoint.stats().sessions === 0)
})
