import { expect, test } from 'vitest'
import { openSession, TestClient, toInitializeParams, toJson } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import type { Announcer, AnnouncingLog } from '../src/backplane/announcer.ts'
import { guardBackplane, StoreError } from '../src/backplane/guarded-backplane.ts'
import {
  type Backplane,
  type BusMessage,
  createMemoryBackplane,
  type EventLog,
  type LogEvent,
  type MessageBus,
  type SessionRecord,
  type SessionStore,
} from '../src/index.ts'

const record: SessionRecord = {
  key: 'k',
  principal: null,
  protocolVersion: '2025-11-25',
  initializeParams: {},
  serverCapabilities: {},
  createdAt: 0,
  term: 1,
  owner: 'node',
  initialized: false,
  logLevel: null,
  subscriptions: [],
}

function toEvent(n: number): LogEvent {
  const position = { term: 1, n }
  return { streamTag: 'g', index: n, position, kind: 'message', data: `${n}`, last: false, requestIds: [] }
}

const page = { events: [], head: 0, headPosition: { term: 1, n: 0 }, ended: false, requestIds: [] }

interface Overrides {
  sessions?: object
  events?: object
  bus?: object
}

/** The memory backplane as somebody else's, with some methods of another kind. */
function guard(overrides: Overrides, timeoutMs = 1_000): Backplane {
  const memory = createMemoryBackplane()
  const sessions: SessionStore = {
    create: (...given) => memory.sessions.create(...given),
    get: (...given) => memory.sessions.get(...given),
    update: (...given) => memory.sessions.update(...given),
    takeOver: (...given) => memory.sessions.takeOver(...given),
    delete: (...given) => memory.sessions.delete(...given),
    list: () => memory.sessions.list(),
    renewLease: (...given) => memory.sessions.renewLease(...given),
    hasLease: (node) => memory.sessions.hasLease(node),
    ...overrides.sessions,
  }
  const events: EventLog = {
    append: (...given) => memory.events.append(...given),
    read: (...given) => memory.events.read(...given),
    release: (...given) => memory.events.release(...given),
    delete: (...given) => memory.events.delete(...given),
    stats: () => memory.events.stats(),
    ...overrides.events,
  }
  const bus: MessageBus = {
    publish: (...given) => memory.bus.publish(...given),
    subscribe: (...given) => memory.bus.subscribe(...given),
    ...overrides.bus,
  }
  return guardBackplane({ sessions, events, bus }, { timeoutMs })
}

const calls: Record<string, (backplane: Backplane) => unknown> = {
  'sessions.create': ({ sessions }) => sessions.create(record, 1_000),
  'sessions.get': ({ sessions }) => sessions.get('k'),
  'sessions.update': ({ sessions }) => sessions.update('k', 1, {}, 1_000),
  'sessions.takeOver': ({ sessions }) => sessions.takeOver('k', { expectedTerm: 1, owner: 'node', ttlMs: 1_000 }),
  'sessions.delete': ({ sessions }) => sessions.delete('k'),
  'sessions.renewLease': ({ sessions }) => sessions.renewLease('node', 1_000),
  'sessions.hasLease': ({ sessions }) => sessions.hasLease('node'),
  'sessions.list': ({ sessions }) => listAll(sessions),
  'events.append': ({ events }) => events.append('k', [toEvent(1)]),
  'events.read': ({ events }) => events.read('k', 'g', 0, 10),
  'events.delete': ({ events }) => events.delete('k'),
  'bus.publish': ({ bus }) => bus.publish('c', 'm'),
  'bus.subscribe': ({ bus }) => bus.subscribe('c', () => undefined),
}

async function listAll(sessions: SessionStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of sessions.list()) keys.push(key)
  return keys
}

function overriding(name: string, method: unknown): Overrides {
  const [part = '', methodName = ''] = name.split('.')
  return { [part]: { [methodName]: method } }
}

const never = (): Promise<never> => new Promise(() => undefined)
const isRepeated = new Set([
  ...['sessions.get', 'sessions.update', 'sessions.takeOver', 'sessions.delete'],
  ...['sessions.renewLease', 'sessions.hasLease'],
  ...['events.append', 'events.read', 'events.delete'],
])

for (const [name, call] of Object.entries(calls)) {
  test(`${name} that is silent is given up, and told from any other error`, async () => {
    let made = 0
    const silent = () => {
      made++
      return never()
    }
    const error = await Promise.resolve(call(guard(overriding(name, silent), 30))).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(StoreError)
    expect(error).toMatchObject({ part: name.split('.')[0], message: expect.stringContaining(`backplane.${name}`) })
    expect(made).toBe(1)
  })

  test(`${name} that throws rejects, after it was repeated where that is allowed`, async () => {
    let made = 0
    const cause = new Error('no connection')
    const broken = () => {
      made++
      throw cause
    }
    await expect(call(guard(overriding(name, broken)))).rejects.toMatchObject({ name: 'StoreError', cause })
    expect(made).toBe(isRepeated.has(name) ? 2 : 1)
  })
}

test.each([
  ['sessions.create', [undefined, null, 1, 'OK', {}]],
  ['sessions.get', [0, '', 'record', [], {}, { ...record, key: 'other' }, { ...record, subscriptions: null }]],
  ['sessions.update', [undefined, null, 1, 'true']],
  ['sessions.takeOver', [false, { ...record, term: '2' }]],
  ['sessions.delete', [undefined, 0, 'OK']],
  ['sessions.list', [undefined, 5, {}, [null], [{ key: 'k' }]]],
  ['events.append', [undefined, null, true, 'OK', {}]],
  [
    'events.read',
    [
      ...[false, [], {}, { ...page, events: {} }, { ...page, head: '0' }, { ...page, requestIds: undefined }],
      ...[
        { ...page, headPosition: null },
        { ...page, events: [{ ...toEvent(1), data: null }] },
      ],
      { ...page, events: [toEvent(2), toEvent(2)] },
    ],
  ],
  ['bus.subscribe', [undefined, null, 7]],
] as const)('what %s must not give is a TypeError that names it', async (name, outcomes) => {
  for (const outcome of outcomes) {
    const error = await Promise.resolve(calls[name]?.(guard(overriding(name, () => outcome)))).catch(
      (reason: unknown) => reason,
    )
    expect(error, JSON.stringify(outcome)).toBeInstanceOf(TypeError)
    expect(String(error)).toMatch(new RegExp(`backplane\\.${name} gave what it must not: Expected .+, got `))
  }
})

test('null is nothing, and whatever can be awaited is awaited', async () => {
  // biome-ignore lint/suspicious/noThenProperty: that is what is tested
  const lazily = (value: unknown) => ({ then: (give: (value: unknown) => void) => give(value) })
  const { sessions, events, bus } = guard({
    sessions: {
      get: () => lazily(null),
      takeOver: () => null,
      create: () => lazily(true),
      list: () => [lazily(record)],
    },
    events: { read: () => null, append: () => lazily('fenced'), delete: () => lazily('ignored') },
    bus: { publish: () => lazily(3), subscribe: () => lazily(() => lazily('ignored')) },
  })
  expect(await sessions.get('k')).toBeUndefined()
  expect(await sessions.takeOver('k', { expectedTerm: 1, owner: 'node', ttlMs: 1 })).toBeUndefined()
  expect(await sessions.create(record, 1)).toBe(true)
  expect(await listAll(sessions)).toEqual(['k'])
  expect(await events.read('k', 'g', 0, 1)).toBeUndefined()
  expect(await events.append('k', [toEvent(1)])).toBe('fenced')
  expect(await events.delete('k')).toBeUndefined()
  expect(await bus.publish('c', 'm')).toBeUndefined()
  expect(await (await bus.subscribe('c', () => undefined))()).toBeUndefined()
})

test('the parts of the memory backplane stay as they are, and what is derived from one does not', () => {
  const memory = createMemoryBackplane()
  expect(guardBackplane(memory, { timeoutMs: 1 })).toEqual(memory)
  const derived = Object.create(memory.events) as EventLog
  expect(guardBackplane({ ...memory, events: derived }, { timeoutMs: 1 }).events).not.toBe(derived)
})

test('a release that throws or rejects harms nobody, and counts that are none are told', async () => {
  for (const release of [() => Promise.reject(new Error('down')), () => expect.unreachable()]) {
    expect(guard({ events: { release } }).events.release('k', 'g')).toBeUndefined()
  }
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(() => guard({ events: { stats: () => ({ events: -1 }) } }).events.stats()).toThrow(
    'backplane.events.stats gave what it must not',
  )
})

/** A log that keeps what it is told to, and whose replies may be lost. It takes a repetition for one only at the end. */
function createLossyLog(lost: (n: number, attempt: number) => boolean) {
  const kept: number[] = []
  const attempts = new Map<number, number>()
  const append = async (_key: string, events: readonly LogEvent[]) => {
    const positions = events.map(({ position }) => position.n)
    const n = positions[0] as number
    await new Promise((resolve) => setTimeout(resolve, n % 3))
    const attempt = (attempts.get(n) ?? 0) + 1
    attempts.set(n, attempt)
    for (const position of positions) if (!kept.includes(position)) kept.push(position)
    if (lost(n, attempt)) throw new Error('the reply was lost')
    return 'ok'
  }
  return { kept, attempts, append }
}

test('appends whose replies are lost are there once and in order, though each is made before the one before settles', async () => {
  const log = createLossyLog((_n, attempt) => attempt === 1)
  const { events } = guard({ events: { append: log.append } })
  const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => events.append('k', [toEvent(i + 1)])))
  expect(new Set(outcomes)).toEqual(new Set(['ok']))
  expect(log.kept).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
})

test('an append that fails twice rejects with what went with it, and those after it are made in order', async () => {
  const log = createLossyLog((n) => n === 2)
  const { events } = guard({ events: { append: log.append } })
  const outcomes = await Promise.allSettled([1, 2, 3, 4].map((n) => events.append('k', [toEvent(n)])))
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected'])
  expect(await events.append('k', [toEvent(5)])).toBe('ok')
  expect([...log.attempts]).toEqual([
    [1, 1],
    [2, 2],
    [5, 1],
  ])
  expect(log.kept).toEqual([1, 2, 3, 4, 5])
})

test('what comes while an append is under way goes with the next: at most 256 events, or 1 MiB', async () => {
  const batches: number[][] = []
  const append = async (_key: string, appended: readonly LogEvent[]) => {
    await new Promise((resolve) => setTimeout(resolve, 2))
    batches.push(appended.map(({ index }) => index))
    return 'ok'
  }
  const { events } = guard({ events: { append } })
  const appendAll = (from: number, to: number, data = '1') =>
    Promise.all(Array.from({ length: to - from + 1 }, (_, i) => events.append('k', [{ ...toEvent(from + i), data }])))
  await appendAll(1, 600)
  expect(batches.map(({ length }) => length)).toEqual([1, 256, 256, 87])
  expect(batches.flat()).toEqual(Array.from({ length: 600 }, (_, i) => i + 1))
  batches.length = 0
  await appendAll(1, 7, 'x'.repeat(400_000))
  expect(batches).toEqual([[1], [2, 3], [4, 5], [6, 7]])
  batches.length = 0
  await appendAll(1, 3, 'x'.repeat(2_000_000))
  expect(batches).toEqual([[1], [2], [3]])
})

test('events of two terms never go together, so that those of the older are fenced', async () => {
  const batches: number[][] = []
  const append = async (_key: string, appended: readonly LogEvent[]) => {
    await new Promise((resolve) => setTimeout(resolve, 2))
    batches.push(appended.map(({ position }) => position.term))
    return 'ok'
  }
  const { events } = guard({ events: { append } })
  const appendOf = (term: number, n: number) => events.append('k', [{ ...toEvent(n), position: { term, n } }])
  await Promise.all([appendOf(1, 1), appendOf(1, 2), appendOf(2, 1), appendOf(1, 3), appendOf(2, 2), appendOf(2, 3)])
  expect(batches).toEqual([[1], [1], [2], [1], [2, 2]])
})

test('what goes to the log in one append is announced by it in one message, the same when it is repeated', async () => {
  const made: unknown[] = []
  const append = async (_key: string, appended: readonly LogEvent[]) => {
    made.push([appended.length])
    return 'ok'
  }
  const appendAndPublish = async (_key: string, appended: readonly LogEvent[], messages: readonly BusMessage[]) => {
    made.push([appended.length, ...messages.map(({ message }) => message)])
    if (made.length === 2) throw new Error('the reply was lost')
    return 'ok'
  }
  let asked = 0
  const announce = (name: string): Announcer => ({
    announce: (events) => ({ channel: 'c', message: `${name} ${events.map(({ index }) => index)} ${++asked}` }),
  })
  const [one, two, none] = [announce('one'), announce('two'), { announce: () => undefined }]
  const log = guard({ events: { append, appendAndPublish } }).events as AnnouncingLog
  const outcomes = [one, one, two, one, none].map((announcer, i) => log.append('k', [toEvent(i + 1)], announcer))
  expect(await Promise.all(outcomes)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok'])
  await log.append('k', [toEvent(6)], none)
  expect(made).toEqual([[1, 'one 1 1'], [4, 'one 2,4 2', 'two 3 3'], [4, 'one 2,4 2', 'two 3 3'], [1]])
  // A log that cannot do both has nobody asked.
  const plain = guard({ events: { append } }).events as AnnouncingLog
  await plain.append('k', [toEvent(7)], one)
  expect(asked).toBe(3)
})

test('a flood over a log that takes 20 ms for each append is stored before its deadline', async () => {
  const append = () => new Promise((resolve) => setTimeout(resolve, 20, 'ok'))
  const { events } = guard({ events: { append } }, 1_000)
  const outcomes = await Promise.allSettled(
    Array.from({ length: 2_000 }, (_, i) => events.append('k', [toEvent(i + 1)])),
  )
  expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([])
})

test('behind an append that is stuck all of its session end with it, and another session waits for nothing', async () => {
  const made: string[] = []
  const append = (key: string, [event]: readonly LogEvent[]) => {
    made.push(`${key}${event?.index}`)
    return key === 'stuck' ? never() : 'ok'
  }
  const { events } = guard({ events: { append } }, 500)
  const started = performance.now()
  const stuck = Promise.allSettled(Array.from({ length: 1_000 }, (_, i) => events.append('stuck', [toEvent(i + 1)])))
  expect(await events.append('other', [toEvent(1)])).toBe('ok')
  expect((await stuck).every(({ status }) => status === 'rejected')).toBe(true)
  expect(performance.now() - started).toBeLessThan(2_000)
  // On a busy machine the last of them were asked for some time after the first, and have as much left.
  expect(made.slice(0, 2)).toEqual(['stuck1', 'other1'])
  expect(made.length).toBeLessThan(6)
})

test('a delete does not overtake the appends before it', async () => {
  const made: string[] = []
  const { events } = guard({
    events: {
      append: async () => {
        await new Promise((resolve) => setTimeout(resolve, 5))
        made.push('append')
        return 'ok'
      },
      delete: () => void made.push('delete'),
    },
  })
  const before = [events.append('k', [toEvent(1)]), events.append('k', [toEvent(2)])]
  await Promise.all([...before, events.delete('k'), events.append('k', [toEvent(3)])])
  expect(made).toEqual(['append', 'append', 'delete', 'append'])
})

test('an event is settled after its append, and a log that takes no word of that is not asked', async () => {
  const made: string[] = []
  const append = async () => {
    await new Promise((resolve) => setTimeout(resolve, 5))
    made.push('append')
    return 'ok'
  }
  const settle = (_key: string, _tag: string, index: number) => {
    made.push(`settle ${index}`)
    throw new Error('a hint that is lost harms nobody')
  }
  const { events } = guard({ events: { append, settle } })
  const appending = events.append('k', [toEvent(1)])
  events.settle?.('k', 'g', 1)
  await appending
  await events.append('k', [toEvent(2)])
  expect(made).toEqual(['append', 'settle 1', 'append'])
  expect(guard({}).events.settle?.('k', 'g', 1)).toBeUndefined()
})

test('a subscription that comes after its deadline is ended', async () => {
  let isEnded: () => void = () => undefined
  const ended = new Promise<void>((resolve) => {
    isEnded = resolve
  })
  const subscribe = () => new Promise((resolve) => setTimeout(resolve, 60, isEnded))
  await expect(guard({ bus: { subscribe } }, 20).bus.subscribe('c', () => undefined)).rejects.toThrow(StoreError)
  await ended
})

test('a list that is left early is ended, and one that stops answering is not waited for twice', async () => {
  const ended: string[] = []
  async function* list(name: string, wait: () => Promise<void>) {
    try {
      yield record
      await wait()
      yield record
    } finally {
      ended.push(name)
    }
  }
  const left = guard({ sessions: { list: () => list('left', async () => undefined) } }).sessions
  for await (const _ of left.list()) break
  expect(ended).toEqual(['left'])
  const stuck = guard({ sessions: { list: () => list('stuck', never) } }, 50).sessions
  const started = performance.now()
  await expect(listAll(stuck)).rejects.toThrow(StoreError)
  expect(performance.now() - started).toBeLessThan(500)
})

test.each([
  ['rejects', () => Promise.reject(new Error('connect ECONNREFUSED'))],
  ['throws', () => expect.unreachable()],
])('a request that needs a session store which %s is answered 503 and told when to come back', async (_how, get) => {
  const { sessions } = createMemoryBackplane()
  const broken = Object.assign(Object.create(sessions) as SessionStore, { get, create: get })
  const { endpoint, errors } = createTestEndpoint({}, { backplane: { sessions: broken } })
  const client = new TestClient(endpoint)
  const opening = await client.call('initialize', toInitializeParams())
  client.sessionId = 'x'.repeat(32)
  for (const reply of [opening, await client.call('ping')]) {
    expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': expect.stringMatching(/^[1-5]$/) } })
    expect(toJson(reply)).toMatchObject({ error: { message: 'The session store cannot be reached: try again' } })
  }
  expect(errors.filter((error) => error instanceof StoreError)).toHaveLength(2)
})

test('an event whose reply was lost is read once, by who was there and by who resumes', async () => {
  const { events } = createMemoryBackplane()
  const kept = new Set<string>()
  let appended = 0
  const append = async (key: string, appending: readonly LogEvent[]) => {
    // They are there, and the reply is lost. Repeated, they are known.
    const name = appending.map(({ streamTag, index }) => `${streamTag} ${index}`).join()
    if (!kept.has(name)) await events.append(key, appending)
    if (!kept.has(name) && ++appended % 2 === 0) {
      kept.add(name)
      throw new Error('the reply was lost')
    }
    return 'ok' as const
  }
  const lossy = Object.assign(Object.create(events) as EventLog, {
    append,
    read: events.read.bind(events),
    release: events.release.bind(events),
    delete: events.delete.bind(events),
    stats: events.stats.bind(events),
  })
  const handlers = {
    report: async ({ notify }: { notify: (method: string, params: object) => Promise<void> }) => {
      for (let i = 1; i <= 6; i++) await notify('notifications/progress', { progressToken: 1, progress: i })
      return { done: true }
    },
  }
  const { endpoint, errors } = createTestEndpoint(handlers as never, { backplane: { events: lossy }, response: 'sse' })
  const client = await openSession(endpoint)
  const live = await TestReader.open(await client.call('report'))
  await live.until(() => live.ended)
  expect(live.events.every(({ id }) => id !== undefined)).toBe(true)
  const again = await client.read(live.events[0]?.id)
  await again.until(() => again.ended)
  expect(again.messages).toEqual(live.messages.slice(1))
  expect(errors).toEqual([])
})

test('a handler that awaits its sends is held back by a slow log, however small its events are', async () => {
  const memory = createMemoryBackplane()
  let settled = 0
  let most = 0
  const append: EventLog['append'] = async (key, appended) => {
    await new Promise((resolve) => setTimeout(resolve, 50))
    const outcome = memory.events.append(key, appended)
    settled += appended.length
    return outcome
  }
  const events = Object.assign(Object.create(memory.events) as EventLog, { append })
  const handlers: Handlers = {
    flood: async ({ notify }) => {
      for (let i = 1; i <= 5_000; i++) {
        await notify('notifications/progress', { progressToken: 1, progress: i })
        most = Math.max(most, i - settled)
      }
      return {}
    },
  }
  const { endpoint, errors } = createTestEndpoint(handlers, { response: 'sse', backplane: { events } })
  const client = await openSession(endpoint)
  const reader = await TestReader.open(await client.call('flood'))
  await reader.until(() => reader.ended, 30_000)
  expect(reader.messages).toHaveLength(5_001)
  expect(most).toBeLessThan(1_100)
  expect(errors).toEqual([])
})

test('a log that is slower than a handler holds it back, on every stream', async () => {
  const memory = createMemoryBackplane()
  let waiting = 0
  let most = 0
  const events: EventLog = {
    append: async (key, appended) => {
      await new Promise((resolve) => setTimeout(resolve, 1))
      for (const { data } of appended) waiting -= data.length
      return memory.events.append(key, appended)
    },
    read: (...asked) => memory.events.read(...asked),
    release: (...released) => memory.events.release(...released),
    delete: (key) => memory.events.delete(key),
    stats: () => memory.events.stats(),
  }
  const sent = async (send: (method: string, params: Record<string, unknown>) => Promise<void>) => {
    for (let i = 0; i < 200; i++) {
      waiting += 65_536
      most = Math.max(most, waiting)
      await send('notifications/message', { data: 'x'.repeat(65_536) })
    }
    return {}
  }
  const handlers: Handlers = { flood: ({ notify }) => sent(notify), push: ({ push }) => sent(push) }
  const { endpoint } = createTestEndpoint(handlers, { response: 'sse', backplane: { events } })
  const client = await openSession(endpoint)
  for (const method of ['flood', 'push']) {
    const reader = await TestReader.open(await client.call(method))
    await reader.until(() => reader.ended, 20_000)
  }
  expect(most).toBeLessThan(2_500_000)
})
