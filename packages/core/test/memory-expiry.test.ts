import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { countAlive } from '../../../test-support/count-alive.ts'
import { createMemoryBackplane, type LogEvent, type SessionRecord } from '../src/index.ts'

afterEach(() => vi.restoreAllMocks())

function toEvent(streamTag: string, index: number, options: Partial<LogEvent> = {}): LogEvent {
  const position = { term: 1, n: index }
  return { streamTag, index, position, kind: 'message', data: 'x', last: false, requestIds: [1], ...options }
}

function toRecord(key: string): SessionRecord {
  return {
    ...{ key, principal: null, protocolVersion: '2025-11-25', initializeParams: {}, serverCapabilities: {} },
    ...{ createdAt: 0, term: 1, owner: 'node', initialized: false, logLevel: null, subscriptions: [] },
  }
}

test('expired records are let go although an older one with a longer life is kept', async () => {
  const { sessions } = createMemoryBackplane()
  await sessions.create(toRecord('long'), 3_600_000)
  const refs: WeakRef<object>[] = []
  for (let i = 1; i <= 2_000; i++) {
    const record = toRecord(`short ${i}`)
    refs.push(new WeakRef(record))
    await sessions.create(record, 1)
    if (i % 200 === 0) await sleep(3)
  }
  expect(await countAlive(refs)).toBeLessThan(500)
  expect(await sessions.get('long')).toBeDefined()
})

test('a step of the wall clock ends no session, and expires no stream', async () => {
  const { sessions, events } = createMemoryBackplane()
  await sessions.create(toRecord('k'), 60_000)
  await events.append('k', [toEvent('p1', 1, { last: true })])
  events.release('k', 'p1')
  const now = Date.now()
  vi.spyOn(Date, 'now').mockImplementation(() => now + 86_400_000)
  await sessions.create(toRecord('other'), 60_000)
  await events.append('k', [toEvent('g', 1)])
  expect(await sessions.get('k')).toBeDefined()
  expect((await events.read('k', 'p1', 0, 10))?.events).toHaveLength(1)
})
