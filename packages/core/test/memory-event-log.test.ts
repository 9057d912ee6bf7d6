import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sleep } from '../../../test-support/waiting.ts'
import { createMemoryEventLog } from '../src/backplane/memory/memory-backplane.ts'
import type { MemoryEventLog } from '../src/backplane/memory/memory-event-log.ts'
import type { EventKind, LogEvent } from '../src/index.ts'

function toEvent(streamTag: string, index: number, options: Partial<LogEvent> = {}): LogEvent {
  return {
    streamTag,
    index,
    position: { term: 1, n: index },
    kind: 'message',
    data: 'x',
    last: false,
    requestIds: [1],
    ...options,
  }
}

function indexes(log: MemoryEventLog, key: string, tag: string, after = 0): number[] | undefined {
  return (log.read(key, tag, after, 1_000) as { events: LogEvent[] } | undefined)?.events.map(({ index }) => index)
}

test('reads what was appended to this stream of this session, after the cursor, up to the limit', () => {
  const log = createMemoryEventLog()
  for (let i = 1; i <= 5; i++)
    for (const [key, tag] of [
      ['a', 'g'],
      ['a', 'p1'],
      ['b', 'g'],
    ] as const)
      log.append(key, [toEvent(tag, i)])
  expect(indexes(log, 'a', 'g', 2)).toEqual([3, 4, 5])
  expect(log.read('a', 'g', 1, 2)).toMatchObject({
    events: [{ index: 2 }, { index: 3 }],
    head: 5,
    ended: false,
    requestIds: [1],
  })
  expect(log.read('a', 'g', 5, 2)).toMatchObject({ events: [], head: 5 })
  expect(log.read('a', 'p2', 0, 2)).toBeUndefined()
  expect(log.read('__proto__', 'g', 0, 2)).toBeUndefined()
  log.delete('a')
  expect(indexes(log, 'a', 'g')).toBeUndefined()
  expect(indexes(log, 'b', 'g')).toHaveLength(5)
})

test('drops progress before other notifications, those before finished streams, delivered ones first, and the newest never', () => {
  const log = createMemoryEventLog({ maxEventsPerSession: 6 })
  log.append('s', [toEvent('p1', 1, { last: true })])
  log.append('s', [toEvent('p2', 1, { last: true })])
  log.append('s', [toEvent('g', 1, { kind: 'notification' })])
  log.append('s', [toEvent('p3', 1, { kind: 'progress' })])
  log.append('s', [toEvent('p3', 2, { kind: 'message' })])
  log.append('s', [toEvent('p3', 3, { kind: 'progress' })])
  log.release('s', 'p2')
  const left: string[][] = []
  for (let i = 4; i <= 8; i++) {
    log.append('s', [toEvent('p3', i, { kind: 'message' })])
    left.push(['p1', 'p2', 'g', 'p3'].map((tag) => `${tag}:${indexes(log, 's', tag)?.join(',') ?? '-'}`))
  }
  expect(left).toEqual([
    ['p1:1', 'p2:1', 'g:1', 'p3:2,3,4'],
    ['p1:1', 'p2:1', 'g:1', 'p3:2,4,5'],
    ['p1:1', 'p2:1', 'g:', 'p3:2,4,5,6'],
    ['p1:1', 'p2:', 'g:', 'p3:2,4,5,6,7'],
    ['p1:', 'p2:', 'g:', 'p3:2,4,5,6,7,8'],
  ])
  // What is gone still says whose answer it was.
  expect(log.read('s', 'p1', 0, 9)).toEqual({
    ...{ events: [], head: 1, headPosition: { term: 1, n: 1 } },
    ...{ ended: true, requestIds: [1] },
  })
})

test('a chatty session pays for itself, and all together keep to the common budget', () => {
  const log = createMemoryEventLog({ maxBytesPerSession: 20_000, maxBytes: 50_000 })
  for (let i = 1; i <= 100; i++)
    log.append('chatty', [toEvent('g', i, { kind: 'notification', data: 'x'.repeat(900) })])
  log.append('quiet', [toEvent('g', 1, { kind: 'notification' })])
  expect(log.stats().bytes).toBeLessThanOrEqual(22_000)
  expect(indexes(log, 'quiet', 'g')).toEqual([1])
  for (let i = 1; i <= 20; i++)
    for (const key of ['a', 'b', 'c', 'd'])
      log.append(key, [toEvent('g', i, { kind: 'notification', data: 'x'.repeat(900) })])
  expect(log.stats().bytes).toBeLessThanOrEqual(50_000)
  expect(indexes(log, 'd', 'g')?.at(-1)).toBe(20)
})

test('delivered streams are forgotten after a while', async () => {
  const log = createMemoryEventLog({ retainMs: 20 })
  log.append('s', [toEvent('p1', 1, { last: true })])
  log.release('s', 'p1')
  log.append('s', [toEvent('p2', 1)])
  expect(indexes(log, 's', 'p1')).toEqual([1])
  await sleep(30)
  log.append('s', [toEvent('p3', 1)])
  expect(indexes(log, 's', 'p1')).toEqual([])
  expect(log.stats().events).toBe(2)
})

test('a stream that runs is not dropped for a release, and keeps its newest event', () => {
  const log = createMemoryEventLog({ maxBytesPerSession: 2_000 })
  log.append('s', [toEvent('p1', 1)])
  log.release('s', 'p1')
  log.append('s', [toEvent('g', 1, { kind: 'notification' })])
  log.append('s', [toEvent('p1', 2, { kind: 'progress', data: 'x'.repeat(65) })])
  expect(indexes(log, 's', 'p1')).toEqual([1, 2])
})

test('100,000 calls and 1,000,000 progress events stay within the budget, and cost the same at the end', () => {
  const log = createMemoryEventLog({ maxEventsPerSession: 1_000 })
  for (let call = 1; call <= 100_000; call++) {
    for (let i = 1; i <= 10; i++) log.append('s', [toEvent(`p${call}`, i, { kind: 'progress' })])
    log.append('s', [toEvent(`p${call}`, 11, { last: true })])
    if (call % 2 === 0) log.release('s', `p${call}`)
  }
  expect(log.stats().events).toBeLessThanOrEqual(1_000)
  expect(log.stats().streams).toBeLessThanOrEqual(1_200)
  expect(indexes(log, 's', 'p100000')?.at(-1)).toBe(11)
  log.delete('s')
  expect(log.stats()).toEqual({ sessions: 0, streams: 0, events: 0, bytes: 0 })
}, 30_000)

test('whatever is appended, dropped and deleted: order is kept, bounds hold, counts agree', { retry: 0 }, () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    tag: fc.constantFrom('g', 'p1', 'p2', 'p3'),
    kind: fc.constantFrom<EventKind>('progress', 'notification', 'message'),
    size: fc.nat(400),
    what: fc.constantFrom('append', 'append', 'append', 'append', 'last', 'release', 'delete'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const log = createMemoryEventLog({
        maxEventsPerSession: 8,
        maxBytesPerSession: 2_000,
        maxBytes: 4_000,
        maxEvents: 20,
      })
      const heads = new Map<string, number>()
      const closed = new Set<string>()
      for (const { key, tag, kind, size, what } of steps) {
        const name = `${key} ${tag}`
        if (what === 'delete') {
          log.delete(key)
          for (const other of heads.keys()) if (other.startsWith(`${key} `)) heads.delete(other)
          for (const other of [...closed]) if (other.startsWith(`${key} `)) closed.delete(other)
        } else if (what === 'release') log.release(key, tag)
        else if (!closed.has(name)) {
          const index = (heads.get(name) ?? 0) + 1
          heads.set(name, index)
          if (what === 'last') closed.add(name)
          log.append(key, [toEvent(tag, index, { kind, data: 'x'.repeat(size), last: what === 'last' })])
          expect(indexes(log, key, tag)?.at(-1)).toBe(index)
        }
      }
      let events = 0
      for (const [name, head] of heads) {
        const [key, tag] = name.split(' ') as [string, string]
        const page = log.read(key, tag, 0, 1_000) as { events: LogEvent[]; head: number } | undefined
        if (page) expect(page.head).toBe(head)
        const kept = page?.events.map(({ index }) => index) ?? []
        expect(kept).toEqual(kept.toSorted((a, b) => a - b))
        events += kept.length
      }
      expect(log.stats().events).toBe(events)
    }),
    { numRuns: 300 },
  )
})

test.each([{ maxBytes: 0 }, { maxEvents: 1.5 }, { maxBytesPerSession: '1' as unknown as number }])(
  '%j is refused',
  (bounds) => {
    expect(() => createMemoryEventLog(bounds)).toThrow(/Expected \w+ to be a whole number from 1/)
  },
)
