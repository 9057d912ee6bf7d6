import { expect, onTestFinished, test, vi } from 'vitest'
import { openSession } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import type { HandlerContext, Handlers } from '../../../test-support/in-process/test-server.ts'
import { createMemoryBackplane } from '../src/index.ts'

/** Asks 500 times, one after another, and is told each answer. */
const asking =
  (related: boolean) =>
  async ({ ask, notify }: HandlerContext) => {
    for (let i = 0; i < 500; i++) {
      await ask('ping', {}, related)
      // The log looks for room when something is appended.
      if (related) await notify('notifications/message', { i })
    }
    return {}
  }

const bounded = () => ({ backplane: createMemoryBackplane({ maxEventsPerSession: 100 }) })

test.each([
  ['on the stream of its call', true],
  ['on the standalone stream', false],
])('500 questions %s that have their answers do not stay in the log', async (_where, related) => {
  const handlers: Handlers = { many: asking(related), other: () => new Promise(() => undefined) }
  const { endpoint } = createTestEndpoint(handlers, bounded())
  const client = await openSession(endpoint)
  const standalone = await client.read()
  // Two calls that run: then what names no call is asked on the standalone stream.
  void client.call('other', {}, 2)
  const call = await TestReader.open(await client.post({ jsonrpc: '2.0', id: 1, method: 'many' }, sse))
  const carrier = related ? call : standalone
  for (let asked = 0; asked < 500; ) {
    const questions = carrier.messages.filter(({ method }) => method === 'ping')
    for (const { id } of questions.slice(asked)) await client.post({ jsonrpc: '2.0', id, result: {} })
    asked = questions.length
  }
  await call.until(() => call.ended)
  expect(call.messages.at(-1)).toMatchObject({ id: 1, result: {} })
  expect(endpoint.stats()).toMatchObject({ questions: 0 })
  expect(endpoint.stats().log.events).toBeLessThanOrEqual(101)
  await endpoint.close({ drainMs: 0 })
})

const sse = { headers: { accept: 'text/event-stream, application/json;q=0.1' } }

test('questions that were withdrawn make room before what others wait for', async () => {
  const handlers: Handlers = {
    park: ({ ask, signal }) => {
      for (let i = 0; i < 90; i++) void ask('ping')
      return new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    },
    list: async ({ notify }) => {
      for (let i = 0; i < 60; i++) await notify('notifications/message', { i })
      return {}
    },
  }
  const { endpoint } = createTestEndpoint(handlers, bounded())
  const client = await openSession(endpoint)
  const parked = await TestReader.open(await client.post({ jsonrpc: '2.0', id: 1, method: 'park' }, sse))
  const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }
  await client.post(cancelled)
  await parked.until(() => parked.ended)
  // Its 90 notes of withdrawal are left in the log, as its questions were.
  const listing = await TestReader.open(await client.post({ jsonrpc: '2.0', id: 2, method: 'list' }, sse))
  const [first] = listing.blocks
  listing.leave()
  const resumed = await client.read(first?.id)
  await resumed.until(() => resumed.ended)
  expect(resumed.messages).toHaveLength(61)
})

test('a question whose params are no JSON is not asked', async () => {
  const params: Record<string, unknown> = {}
  params.self = params
  const handlers: Handlers = {
    ask: async ({ ask }) => {
      await ask('ping', params).catch(() => undefined)
      return {}
    },
  }
  const { endpoint } = createTestEndpoint(handlers)
  const client = await openSession(endpoint)
  expect((await client.call('ask')).status).toBe(200)
  expect(endpoint.stats()).toMatchObject({ questions: 0, calls: 0 })
})

test('a question that waits for its client to listen keeps no process alive', async () => {
  const apart: Handlers[string] = ({ ask }) => {
    setTimeout(() => void ask('roots/list', {}, false), 5)
    return {}
  }
  const { endpoint } = createTestEndpoint({ apart })
  const client = await openSession(endpoint)
  const timers = vi.spyOn(globalThis, 'setTimeout')
  onTestFinished(() => timers.mockRestore())
  await client.call('apart')
  const waits = () => timers.mock.results.filter((_result, i) => timers.mock.calls[i]?.[1] === 5_000)
  await vi.waitFor(() => expect(waits()).toHaveLength(1))
  expect(waits()[0]?.value.hasRef()).toBe(false)
  await endpoint.close({ drainMs: 0 })
})
