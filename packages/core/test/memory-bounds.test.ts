import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { countAlive } from '../../../test-support/count-alive.ts'
import { createMemoryEventLog } from '../src/backplane/memory/memory-backplane.ts'
import type { MemoryEventLog } from '../src/backplane/memory/memory-event-log.ts'
import type { LogEvent } from '../src/index.ts'
import { Fifo } from '../src/queues/fifo.ts'

function toEvent(streamTag: string, index: number, options: Partial<LogEvent> = {}): LogEvent {
  const position = { term: 1, n: index }
  return { streamTag, index, position, kind: 'message', data: 'x', last: false, requestIds: [1], ...options }
}

function indexes(log: MemoryEventLog, key: string, tag: string): number[] {
  return log.read(key, tag, 0, 100_000)?.events.map(({ index }) => index) ?? []
}

// ---- Who pays ----

test('when all together hold too much, who holds most pays, and not who came first', () => {
  const log = createMemoryEventLog({ maxBytes: 500_000 })
  for (const [i, kind] of kinds.entries()) log.append('first', [toEvent('g', i + 1, { kind })])
  log.append('first', [toEvent('p1', 1, { last: true })])
  log.release('first', 'p1')
  for (let i = 1; i <= 1_000; i++) {
    log.append('flood', [toEvent('g', i, { kind: 'notification', data: 'x'.repeat(2_000) })])
    log.append(`other ${i % 10}`, [toEvent('g', i, { kind: 'progress' })])
  }
  expect(log.stats().bytes).toBeLessThanOrEqual(500_000)
  expect(indexes(log, 'first', 'g')).toEqual([1, 2, 3])
  expect(indexes(log, 'first', 'p1')).toEqual([1])
  for (let i = 0; i < 10; i++) expect(indexes(log, `other ${i}`, 'g')).toHaveLength(100)
})

test('appending to a full log asks few sessions, however many there are that cannot pay', () => {
  const log = createMemoryEventLog({ maxEvents: 800 })
  const { peek } = Fifo.prototype
  let looks = 0
  Fifo.prototype.peek = function counted() {
    looks++
    return peek.call(this)
  }
  try {
    for (let i = 1; i <= 1_000; i++) log.append(`s${i}`, [toEvent('g', 1)])
    for (let i = 1; i <= 500; i++) log.append('sender', [toEvent('g', i, { kind: 'progress' })])
  } finally {
    Fifo.prototype.peek = peek
  }
  expect(log.stats().events).toBe(1_001)
  expect(looks / 1_500).toBeLessThan(20)
})

test('a session that could not pay does so again when it has something', () => {
  const log = createMemoryEventLog({ maxEvents: 100 })
  for (let i = 1; i <= 90; i++) log.append('large', [toEvent('g', i)])
  for (let i = 1; i <= 20; i++) log.append('small', [toEvent('g', i)])
  for (let i = 91; i <= 95; i++) log.append('large', [toEvent('g', i, { kind: 'progress' })])
  for (let i = 21; i <= 30; i++) log.append('small', [toEvent('g', i)])
  expect(indexes(log, 'large', 'g').at(-1)).toBe(90)
  for (let i = 1; i <= 50; i++) log.settle('large', 'g', i)
  log.append('small', [toEvent('g', 31)])
  expect(indexes(log, 'large', 'g')).toHaveLength(69)
  expect(log.stats().events).toBe(100)
})

// ---- Settled events ----

test('500 questions with an answer keep to a bound of 100, and cost the session nothing else', () => {
  const log = createMemoryEventLog({ maxEventsPerSession: 100 })
  log.append('s', [toEvent('p1', 1, { last: true })])
  log.append('s', [toEvent('p2', 1, { kind: 'progress' })])
  for (let i = 1; i <= 500; i++) {
    log.append('s', [toEvent('g', i)])
    log.settle('s', 'g', i)
    log.settle('s', 'g', i)
  }
  expect(log.stats().events).toBe(100)
  expect(indexes(log, 's', 'g')).toEqual(Array.from({ length: 98 }, (_, i) => 403 + i))
  expect([indexes(log, 's', 'p1'), indexes(log, 's', 'p2')]).toEqual([[1], [1]])
})

test('what is settled is kept while there is room, and what is not there cannot be settled', () => {
  const log = createMemoryEventLog({ maxEventsPerSession: 2 })
  log.append('s', [toEvent('g', 1)])
  log.settle('s', 'g', 1)
  for (const [key, tag, index] of [
    ['s', 'g', 2],
    ['s', 'p', 1],
    ['t', 'g', 1],
  ] as const)
    log.settle(key, tag, index)
  expect(indexes(log, 's', 'g')).toEqual([1])
  log.append('s', [toEvent('g', 2)])
  log.append('s', [toEvent('g', 3)])
  expect(indexes(log, 's', 'g')).toEqual([2, 3])
})

// ---- Bounds ----

test('messages of a stream that never ends are kept up to twice the bound, of one session and of all', () => {
  const log = createMemoryEventLog({ maxEventsPerSession: 100, maxEvents: 1_000 })
  for (let i = 1; i <= 1_000; i++) log.append('s', [toEvent('g', i)])
  expect(indexes(log, 's', 'g')).toEqual(Array.from({ length: 200 }, (_, i) => 801 + i))
  for (let key = 1; key <= 100; key++) for (let i = 1; i <= 100; i++) log.append(`s${key}`, [toEvent('g', i)])
  expect(log.stats().events).toBeLessThanOrEqual(2_000)
  expect(indexes(log, 's100', 'g').at(-1)).toBe(100)
})

/** Appends an event that nobody but the log holds. */
function appendUnheld(
  log: MemoryEventLog,
  streamTag: string,
  index: number,
  options: Partial<LogEvent>,
): WeakRef<object> {
  const event = toEvent(streamTag, index, options)
  log.append('s', [event])
  return new WeakRef(event)
}

const kinds = ['progress', 'notification', 'message'] as const

test('what a dropped stream carried is let go at once', async () => {
  const log = createMemoryEventLog({ maxEventsPerSession: 40 })
  const refs = Array.from({ length: 27 }, (_, i) => {
    return appendUnheld(log, `p${i}`, 1, { kind: kinds[i % 3] ?? 'message', last: i % 9 === 0 })
  })
  for (let i = 0; i < 27; i++) if (i % 9 !== 0) log.append('s', [toEvent(`p${i}`, 2, { last: true })])
  for (let i = 1; i <= 40; i++) log.append('s', [toEvent('g', i)])
  expect(log.stats().events).toBe(40)
  expect(await countAlive(refs)).toBe(0)
  expect(log.stats().sessions).toBe(1)
})

test('the progress of streams that were delivered and have expired is let go', async () => {
  const log = createMemoryEventLog({ retainMs: 1 })
  const refs = Array.from({ length: 10 }, (_, i) => appendUnheld(log, `p${i}`, 1, { kind: 'progress' }))
  for (let i = 0; i < 10; i++) {
    log.append('s', [toEvent(`p${i}`, 2, { last: true })])
    log.release('s', `p${i}`)
  }
  await sleep(10)
  log.append('s', [toEvent('g', 1)])
  expect(log.stats().events).toBe(1)
  expect(await countAlive(refs)).toBe(0)
  expect(log.stats().sessions).toBe(1)
})

test('the request ids of dropped streams count, and are forgotten when there are too many', () => {
  const log = createMemoryEventLog({ maxBytesPerSession: 1_000_000 })
  for (let call = 1; call <= 300; call++) {
    const requestIds = Array.from({ length: 1_000 }, (_, i) => `${i}`.padStart(200, 'x'))
    log.append('s', [toEvent(`p${call}`, 1, { last: true, requestIds })])
  }
  let remembered = 0
  for (let call = 1; call <= 300; call++) {
    for (const requestId of log.read('s', `p${call}`, 0, 0)?.requestIds ?? []) remembered += String(requestId).length
  }
  expect(remembered).toBeLessThanOrEqual(1_000_000)
  expect(log.read('s', 'p300', 0, 0)?.requestIds).toHaveLength(1_000)
  expect(log.stats().bytes).toBeLessThanOrEqual(1_000_000)
  log.delete('s')
  expect(log.stats()).toEqual({ sessions: 0, streams: 0, events: 0, bytes: 0 })
})

test('delivered streams of sessions that are over are not held until they would have expired', async () => {
  const log = createMemoryEventLog()
  const refs: WeakRef<object>[] = []
  for (let i = 1; i <= 2_000; i++) {
    const requestIds = [i]
    refs.push(new WeakRef(requestIds))
    log.append(`s${i}`, [toEvent('p1', 1, { last: true, requestIds })])
    log.release(`s${i}`, 'p1')
    log.delete(`s${i}`)
  }
  expect(await countAlive(refs)).toBeLessThan(200)
  expect(log.stats().sessions).toBe(0)
})

test('sessions count, and so do the names of sessions and streams', () => {
  const log = createMemoryEventLog()
  log.append('k'.repeat(8_192), [toEvent('t'.repeat(4_096), 1)])
  expect(log.stats().bytes).toBeGreaterThan(8_192 + 4_096 + 1_000)
})
