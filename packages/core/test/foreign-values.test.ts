import { expect, test } from 'vitest'
import { openSession } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import { createMemoryBackplane, type MessageBus } from '../src/index.ts'

/** A bus on which a test says what it likes. */
class OpenBus implements MessageBus {
  readonly #listeners = new Set<(message: string) => void>()

  publish(_channel: string, message: string): void {
    for (const listener of this.#listeners) listener(message)
  }

  subscribe(_channel: string, listener: (message: string) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }
}

async function listenOn(bus: OpenBus) {
  const { endpoint, errors } = createTestEndpoint({}, { backplane: { bus } })
  const client = await openSession(endpoint)
  return { endpoint, errors, reader: await client.read() }
}

const notification = { method: 'notifications/tools/list_changed' }

test.each([
  ['an object without members', '{}'],
  ['a version of later', JSON.stringify({ version: 2, type: 'notify', notification })],
  ['a type of later', JSON.stringify({ version: 1, type: 'forward', text: 'data' })],
])('%s on the bus is ignored without a word', async (_what, text) => {
  const bus = new OpenBus()
  const { endpoint, errors, reader } = await listenOn(bus)
  bus.publish('mcp-http', text)
  await endpoint.notify(notification)
  await reader.until(() => reader.messages.length > 0)
  expect(reader.messages).toEqual([{ jsonrpc: '2.0', ...notification }])
  expect(errors).toEqual([])
})

test.each([
  ['no JSON', 'hello'],
  ['no object', '[]'],
  ['a notification without a method', JSON.stringify({ version: 1, type: 'notify', notification: {} })],
  [
    'params that are no object',
    JSON.stringify({ version: 1, type: 'notify', notification: { ...notification, params: 'x' } }),
  ],
  ['a session key that is no text', JSON.stringify({ version: 1, type: 'end', sessionKey: 5 })],
])('%s on the bus is reported, and reaches no client', async (_what, text) => {
  const bus = new OpenBus()
  const { endpoint, errors, reader } = await listenOn(bus)
  bus.publish('mcp-http', text)
  expect(errors).toHaveLength(1)
  await endpoint.notify(notification)
  await reader.until(() => reader.messages.length > 0)
  expect(reader.messages).toEqual([{ jsonrpc: '2.0', ...notification }])
})

test('nothing but the notification’s own members reaches a client', async () => {
  const bus = new OpenBus()
  const { reader } = await listenOn(bus)
  const hostile = { ...notification, id: 7, jsonrpc: '1.0', params: { text: 'a\n\nid: forged\ndata: b' } }
  bus.publish(
    'mcp-http',
    JSON.stringify({ version: 1, type: 'notify', notification: hostile, text: 'data: x\n\n' }, null, 1),
  )
  await reader.until(() => reader.messages.length > 0)
  expect(reader.messages).toEqual([{ jsonrpc: '2.0', ...notification, params: hostile.params }])
})

/** What a query builder is: it can be awaited, and is no `Promise`. */
function lazily<T>(give: () => T): PromiseLike<T> {
  // biome-ignore lint/suspicious/noThenProperty: that is what is tested
  return { then: (onFulfilled, onRejected) => Promise.resolve().then(give).then(onFulfilled, onRejected) }
}

test('stores that answer with thenables of their own are waited for', async () => {
  const memory = createMemoryBackplane()
  const lazy = <Part extends object>(part: Part): Part =>
    new Proxy(part, {
      get: (target, name) => {
        const member = Reflect.get(target, name) as unknown
        if (typeof member !== 'function' || ['list', 'stats', 'release'].includes(String(name))) {
          return typeof member === 'function' ? member.bind(target) : member
        }
        return (...given: unknown[]) => {
          const result: unknown = member.apply(target, given)
          return lazily(() => result)
        }
      },
    })
  const backplane = { sessions: lazy(memory.sessions), events: lazy(memory.events), bus: lazy(memory.bus) }
  const handlers = {
    report: async ({ notify }: { notify: (method: string) => Promise<void> }) => {
      for (let i = 0; i < 3; i++) await notify('notifications/message')
      return { done: true }
    },
  }
  const { endpoint, errors } = createTestEndpoint(handlers, { backplane, response: 'sse' })
  const client = await openSession(endpoint)
  const reader = await TestReader.open(await client.call('report'))
  await reader.until(() => reader.ended)
  expect(reader.events.map(({ id }) => id !== undefined)).toEqual([true, true, true, true])
  const again = await client.read(reader.events[0]?.id)
  await again.until(() => again.ended)
  expect(again.messages).toEqual(reader.messages.slice(1))
  await client.delete()
  expect(memory.events.stats().events).toBe(0)
  expect(errors).toEqual([])
})
