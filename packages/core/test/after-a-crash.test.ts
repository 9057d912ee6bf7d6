import { expect, test } from 'vitest'
import { openSession, TestClient, toJson } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { deferred, waitFor } from '../../../test-support/waiting.ts'
import {
  createMemoryBackplane,
  type EndpointOptions,
  type EventLog,
  type SessionStore,
  sessionKey,
} from '../src/index.ts'

/** Stores that outlive the endpoints that use them, as a database does. */
function createDatabase(): { sessions: SessionStore; events: EventLog } {
  const { sessions, events } = createMemoryBackplane()
  return { sessions, events: toOwn(events) }
}

/** Answers later, as everything does that is not in this process. */
function toOwn(events: EventLog): EventLog {
  return {
    append: async (...appended) => events.append(...appended),
    read: async (...asked) => events.read(...asked),
    release: (...released) => events.release(...released),
    delete: async (key) => events.delete(key),
    stats: () => events.stats(),
  }
}

const handlers: Handlers = {
  park: ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true })),
  step: async ({ notify, signal }) => {
    await notify('notifications/progress', { progress: 1 })
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  },
}

/** A second endpoint on the same stores, as a client finds it: the first has gone without a word. */
async function afterCrash(client: TestClient, backplane: EndpointOptions['backplane'] & object): Promise<TestClient> {
  const { endpoint } = createTestEndpoint(handlers, { response: 'sse', backplane })
  return Object.assign(new TestClient(endpoint), { sessionId: client.sessionId })
}

test.each([
  ['that had sent something', 'step', 1],
  ['that had sent nothing yet', 'park', 0],
])('a call %s when its node died is answered with an error, and only once', async (_what, method, sent) => {
  const backplane = createDatabase()
  const client = await openSession(createTestEndpoint(handlers, { response: 'sse', backplane }).endpoint)
  const reader = await TestReader.open(await client.call(method, {}, 7))
  await reader.until(() => reader.blocks.length === 1 + sent)

  const after = await afterCrash(client, backplane)
  const resumed = await after.read(reader.lastEventId)
  await resumed.until(() => resumed.ended)
  expect(resumed.messages).toEqual([
    { jsonrpc: '2.0', id: 7, error: { code: -32000, message: expect.stringContaining('ended before') } },
  ])
  // Nothing is left for a client that comes back all the same, and an older cursor gets the same answer.
  expect((await after.get(resumed.lastEventId)).status).toBe(204)
  const [first] = reader.blocks
  const again = await after.read(first?.id)
  await again.until(() => again.ended)
  expect(again.messages).toHaveLength(sent + 1)
  expect(again.messages.at(-1)).toEqual(resumed.messages[0])
})

test('two that come back for the same call at once get one answer each, and it is the same', async () => {
  const backplane = createDatabase()
  const client = await openSession(createTestEndpoint(handlers, { response: 'sse', backplane }).endpoint)
  const reader = await TestReader.open(await client.call('step', {}, 7))
  await reader.until(() => reader.blocks.length === 2)
  const after = await afterCrash(client, backplane)
  await after.call('ping')
  const resumed = await Promise.all([after.read(reader.lastEventId), after.read(reader.lastEventId)])
  for (const each of resumed) await each.until(() => each.ended)
  const answers = resumed.flatMap(({ events }) => events)
  expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
})

test('of a batch only the calls without an answer get an error', async () => {
  const backplane = createDatabase()
  const { endpoint } = createTestEndpoint(handlers, { response: 'sse', backplane })
  const client = await openSession(endpoint, { version: '2025-03-26' })
  const batch = ['ping', 'step'].map((method, id) => ({ jsonrpc: '2.0', id, method }))
  const reader = await TestReader.open(await client.post(batch))
  await reader.until(() => reader.messages.length === 2)
  const after = await afterCrash(client, backplane)
  const resumed = await after.read(reader.lastEventId)
  await resumed.until(() => resumed.ended)
  expect(resumed.messages).toMatchObject([{ id: 1, error: { code: -32000 } }])
})

test('a node whose session was taken over adds nothing to its calls', async () => {
  const backplane = createDatabase()
  const before = createTestEndpoint(handlers, { response: 'sse', backplane })
  const client = await openSession(before.endpoint)
  const reader = await TestReader.open(await client.call('step', {}, 7))
  await reader.until(() => reader.blocks.length === 2)
  const after = await afterCrash(client, backplane)
  const resumed = await after.read(reader.lastEventId)
  await resumed.until(() => resumed.ended)
  await before.endpoint.close({ drainMs: 0 })
  const again = await after.read(reader.lastEventId)
  await again.until(() => again.ended)
  expect(again.messages).toEqual(resumed.messages)
})

test('a session with 6,000 calls that is fenced ends with all of them', async () => {
  const { sessions, events } = createMemoryBackplane()
  const backplane = { sessions, events }
  const { endpoint, errors } = createTestEndpoint(handlers, { response: 'sse', backplane, maxCallsPerSession: 6_000 })
  const client = await openSession(endpoint)
  for (let id = 1; id < 6_000; id++) void client.call('park', {}, id)
  await waitFor(() => endpoint.stats().calls === 5_999)
  const key = await sessionKey(client.sessionId)
  const position = { term: 2, n: 1 }
  await events.append(key, [
    { streamTag: 'g', index: 1, position, kind: 'message', data: '{}', last: false, requestIds: [] },
  ])
  await client.call('step', {}, 6_000)
  await waitFor(() => endpoint.stats().sessions === 0)
  expect(endpoint.stats()).toMatchObject({ calls: 0 })
  expect(errors.map(String)).toEqual([expect.stringContaining('Another node has taken over')])
})

test('a session that comes back to life takes a place among maxSessions', async () => {
  const backplane = createDatabase()
  const before = createTestEndpoint(handlers, { backplane })
  const clients = await Promise.all([1, 2, 3].map(() => openSession(before.endpoint)))
  const { endpoint } = createTestEndpoint(handlers, { backplane, maxSessions: 2 })
  for (const { sessionId } of clients) {
    const after = Object.assign(new TestClient(endpoint), { sessionId })
    expect(toJson(await after.call('ping'))).toMatchObject({ result: {} })
    await waitFor(() => endpoint.stats().sessions <= 2)
  }
  expect(endpoint.stats().sessions).toBe(2)
})

/** A log that fails from the moment that `fails` is set. */
function createFailingDatabase() {
  const database = createDatabase()
  const { append } = database.events
  const failing = {
    fails: false,
    database,
    backplane: {
      ...database,
      events: {
        ...database.events,
        append: async (...appended: Parameters<EventLog['append']>) => {
          if (failing.fails) throw new Error('away')
          return append(...appended)
        },
      },
    },
  }
  return failing
}

test('a client that has no id yet, since the log is away, is not sent away because its connection is old', async () => {
  const log = createFailingDatabase()
  const { backplane } = log
  const finished = deferred()
  const late: Handlers = { late: () => finished.promise.then(() => ({})) }
  const { endpoint } = createTestEndpoint(late, {
    response: 'sse',
    ...{ backplane, keepAliveMs: 40, maxConnectionAgeMs: 100 },
  })
  const client = await openSession(endpoint)
  const listener = await client.read()
  await listener.until(() => listener.destroyed)
  // It comes back: others are spared.
  await client.read(listener.lastEventId)
  log.fails = true
  const reader = await TestReader.open(await client.call('late', {}, 7))
  await reader.until(() => reader.destroyed || reader.text.split(':\n\n').length > 8)
  finished.resolve(undefined)
  await reader.until(() => reader.ended || reader.destroyed)
  expect(reader.events).toMatchObject([{ id: undefined, data: expect.stringContaining('"result"') }])
})

test('a client that was told that its answer is gone hears so once, whoever has the session then', async () => {
  const log = createFailingDatabase()
  const finished = deferred()
  const late: Handlers = { late: () => finished.promise.then(() => ({})) }
  const { endpoint } = createTestEndpoint(late, { response: 'sse', backplane: log.backplane })
  const client = await openSession(endpoint)
  const reader = await TestReader.open(await client.call('late', {}, 7))
  await reader.until(() => reader.blocks.length === 1)
  reader.leave()
  log.fails = true
  finished.resolve(undefined)
  await waitFor(() => endpoint.stats().calls === 0)
  const told = await client.read(reader.lastEventId)
  await told.until(() => told.ended)
  expect(told.messages).toMatchObject([{ id: 7, error: { message: expect.stringContaining('no longer kept') } }])
  expect((await client.get(told.lastEventId)).status).toBe(204)
  const after = await afterCrash(client, log.database)
  expect((await after.get(told.lastEventId)).status).toBe(204)
  // Of a session that nobody has had in that term.
  expect((await after.get(told.lastEventId.replace('.1-', '.z-'))).status).toBe(400)
})
