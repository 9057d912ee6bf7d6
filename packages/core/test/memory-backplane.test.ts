import { expect, test } from 'vitest'
import { sleep } from '../../../test-support/waiting.ts'
import { createMemoryBackplane, type LogEvent, type SessionRecord } from '../src/index.ts'

function toRecord(key: string): SessionRecord {
  return {
    key,
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
}

function toEvent(term: number, n: number, index: number): LogEvent {
  return {
    streamTag: 'g',
    index,
    position: { term, n },
    kind: 'message',
    data: `${term}`,
    last: false,
    requestIds: [],
  }
}

test('the key of an expired session is free again, also while one with a longer life is kept', async () => {
  const { sessions } = createMemoryBackplane()
  await sessions.create(toRecord('long'), 60_000)
  await sessions.create(toRecord('short'), 1)
  await sleep(5)
  expect(sessions.get('short')).toBeUndefined()
  expect(sessions.create(toRecord('short'), 60_000)).toBe(true)
})

test('a list ends, and gives each session once, though every session is prolonged meanwhile', async () => {
  const { sessions } = createMemoryBackplane()
  for (const key of ['a', 'b', 'c']) await sessions.create(toRecord(key), 60_000)
  const listed: string[] = []
  for await (const { key } of sessions.list()) {
    listed.push(key)
    await sessions.update(key, 1, {}, 60_000)
    if (listed.length > 3) break
  }
  expect(listed).toEqual(['a', 'b', 'c'])
})

test('a list leaves out what was deleted since it began', async () => {
  const { sessions } = createMemoryBackplane()
  for (const key of ['a', 'b', 'c']) await sessions.create(toRecord(key), 60_000)
  const listed: string[] = []
  for await (const { key } of sessions.list()) {
    listed.push(key)
    await sessions.delete('b')
  }
  expect(listed).toEqual(['a', 'c'])
})

test('the log of a session is closed to an owner whose successor has written', async () => {
  const { events } = createMemoryBackplane()
  expect(events.append('s', [toEvent(1, 1, 1)])).toBe('ok')
  expect(events.append('s', [toEvent(2, 1, 2)])).toBe('ok')
  expect(events.append('s', [toEvent(1, 2, 2)])).toBe('fenced')
  expect(events.append('s', [{ ...toEvent(1, 3, 1), streamTag: 'p1-1' }])).toBe('fenced')
  expect(events.read('s', 'g', 0, 10)).toMatchObject({ events: [{ data: '1' }, { data: '2' }], head: 2 })
  expect(events.read('s', 'p1-1', 0, 10)).toBeUndefined()
  expect(events.stats()).toMatchObject({ sessions: 1, streams: 1, events: 2 })
  expect(events.append('other', [toEvent(1, 1, 1)])).toBe('ok')
})

test('ending one of two subscriptions of the same listener leaves the other', async () => {
  const { bus } = createMemoryBackplane()
  const heard: string[] = []
  const listener = (message: string) => void heard.push(message)
  const stop = await bus.subscribe('c', listener)
  await bus.subscribe('c', listener)
  await bus.publish('c', 'twice')
  await stop()
  await bus.publish('c', 'once')
  expect(heard).toEqual(['twice', 'twice', 'once'])
})

test('ending a subscription twice does not end one that was begun since', async () => {
  const { bus } = createMemoryBackplane()
  const heard: string[] = []
  const stop = await bus.subscribe('c', () => undefined)
  await stop()
  await bus.subscribe('c', (message) => void heard.push(message))
  await stop()
  await bus.publish('c', 'message')
  expect(heard).toEqual(['message'])
})
