import { expect, test } from 'vitest'
import { openSession } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { sleep } from '../../../test-support/waiting.ts'
import type { AuthInfo } from '../src/index.ts'

const handlers: Handlers = {
  park: ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve({}), { once: true })),
  short: async () => {
    await sleep(700)
    return { done: true }
  },
}

function expiresIn(ms: number): AuthInfo {
  return { token: 't', clientId: 'c', scopes: [], expiresAt: (Date.now() + ms) / 1_000, extra: { sub: 'user' } }
}

test('a cancelled call leaves no stream that its client would ask for again and again', async () => {
  const { endpoint } = createTestEndpoint(handlers, { response: 'sse' })
  const client = await openSession(endpoint)
  const reader = await TestReader.open(await client.call('park', {}, 7))
  await client.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } })
  await reader.until(() => reader.ended)
  expect(reader.messages).toEqual([])
  expect(await client.get(reader.lastEventId)).toMatchObject({ status: 204, body: undefined })
})

test('only clients that come back have old connections broken: standalone streams, and calls once they have resumed', async () => {
  const { endpoint } = createTestEndpoint(handlers, { response: 'sse', maxConnectionAgeMs: 100 })
  const older = await openSession(endpoint, { version: '2025-06-18' })
  const spared = await older.read()
  const client = await openSession(endpoint)
  const call = await TestReader.open(await client.call('park', {}, 1))
  const standalone = await client.read()
  await standalone.until(() => standalone.destroyed)
  expect([spared.ended, spared.destroyed, call.ended, call.destroyed]).toEqual([false, false, false, false])
  call.leave()
  const resumed = await client.read(call.lastEventId)
  await resumed.until(() => resumed.destroyed)
  await endpoint.close({ drainMs: 0 })
})

test.each([
  ['without sessions', false, '2025-11-25'],
  ['in a session of 2025-06-18', true, '2025-06-18'],
])('a call %s outlives its token: its client could not come back for the answer', async (_where, sessions, version) => {
  const { endpoint } = createTestEndpoint(handlers, { response: 'sse', sessions, keepAliveMs: 40 })
  const auth = expiresIn(200)
  const client = await openSession(endpoint, { version, auth })
  const reader = await TestReader.open(await client.call('short'))
  await reader.until(() => reader.ended)
  expect(reader.messages.at(-1)).toMatchObject({ id: 1, result: { done: true } })
})

test('a step of the wall clock ends no session', async () => {
  const { endpoint } = createTestEndpoint(handlers, { sessionIdleMs: 60_000, stallMs: 1_000 })
  await openSession(endpoint)
  const realNow = Date.now
  try {
    Date.now = () => realNow() + 86_400_000
    await sleep(700)
  } finally {
    Date.now = realNow
  }
  expect(endpoint.stats().sessions).toBe(1)
  await endpoint.close({ drainMs: 0 })
})
