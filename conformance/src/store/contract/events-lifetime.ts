import { expectEqual, expectThat, fail } from '../../client/expect.ts'
import { delay } from '../../client/waiting.ts'
import { LogWriter } from '../log-writer.ts'
import { createKey, expectEvents, expectNothing, expectSame, toRecord } from '../records.ts'
import type { StoreContext } from '../store-context.ts'
import { longMs } from '../store-context.ts'
import { requirementsOf } from '../store-requirement.ts'
import { mustLive, shortTtl, timed, waitForEnd, withTtl } from '../time.ts'

/** What the record of a session means to its log. */
export const eventsLifetime = requirementsOf('events', [
  {
    id: 'append-without-a-record-is-gone-or-goes-on',
    title:
      'A log that gives `gone` to a session that never had a record does so as soon as a record is deleted; another goes on without.',
    async check(context) {
      const { sessions, events } = context
      const looks = await context.logLooksAtRecords()
      const writer = await context.beginLog()
      const { sessionKey } = writer
      const sent = await writer.appendAll('g', 2)
      await sessions.delete(sessionKey)
      const late = writer.next('g')
      const outcome = await writer.append(late)
      const page = await events.read(sessionKey, 'g', 0, 10)
      if (!looks && outcome === 'ok') return expectEvents(page, [...sent, late], 'the log that goes on')
      expectEqual(outcome, 'gone', 'the outcome of an append after delete of the record')
      // It may have been deleted along with the record.
      if (page) expectEvents(page, sent, 'the log after an append that was `gone`')
      if (!looks) return
      await events.delete(sessionKey)
      expectEqual(await writer.append(writer.next('g')), 'gone', 'the outcome of an append after delete of both')
      expectNothing(await events.read(sessionKey, 'g', 0, 10), 'read after delete of both')
    },
  },
  {
    id: 'append-after-expiry-is-gone-or-goes-on',
    title:
      'A log that gives `gone` to a session that never had a record does so when a record has expired; another goes on without.',
    async check(context) {
      const looks = await context.logLooksAtRecords()
      const writer = createWriter(context)
      const ttlMs = shortTtl(context)
      const { span } = await timed(() => context.sessions.create(toRecord({ key: writer.sessionKey }), ttlMs))
      await writer.append(writer.next('g'))
      await waitForEnd(context, span, ttlMs)
      const late = writer.next('g')
      const outcome = await writer.append(late)
      const page = await context.events.read(writer.sessionKey, 'g', 1, 10)
      if (!looks && outcome === 'ok') return expectEvents(page, [late], 'the log that goes on, after its first event,')
      expectEqual(outcome, 'gone', 'the outcome of an append after the record has expired')
      expectSame(page?.events ?? [], [], 'what read gives of the append that was `gone`')
    },
  },
  {
    id: 'gone-append-writes-nothing',
    title: 'An append that is `gone` leaves nothing in the database.',
    needs: ['oracle'],
    async check(context) {
      const { sessions, oracle } = context
      const stray = createWriter(context)
      const straying = await stray.append(stray.next('g'))
      const countOfStray = await oracle.countEvents(stray.sessionKey)
      expectEqual(countOfStray, straying === 'gone' ? 0 : 1, `the number of events after one that was ${straying}`)
      const writer = await context.beginLog()
      await writer.appendAll('g', 2)
      await sessions.delete(writer.sessionKey)
      const before = await oracle.countEvents(writer.sessionKey)
      const outcome = await writer.append(writer.next('g'))
      const most = outcome === 'gone' ? before : before + 1
      const count = await oracle.countEvents(writer.sessionKey)
      expectThat(count <= most, `Expected at most ${most} events after one that was ${outcome}, got ${count}`)
    },
  },
  {
    id: 'log-lives-as-long-as-the-record',
    title: 'Where the record is prolonged, by update or by takeOver, its log lives on with it.',
    async check(context) {
      const { sessions } = context
      await withTtl(context, async (ttlMs) => {
        const [updated, taken] = [createWriter(context), createWriter(context)]
        const { span } = await timed(async () => {
          for (const { sessionKey } of [updated, taken]) await sessions.create(toRecord({ key: sessionKey }), ttlMs)
        })
        const sent = [updated.next('g'), taken.next('g')] as const
        await Promise.all([updated.append(sent[0]), taken.append(sent[1])])
        await sessions.update(updated.sessionKey, 1, {}, longMs)
        const next = await context.takeOverLog(taken, context)
        if (!mustLive(context, span, ttlMs)) return false
        await waitForEnd(context, span, ttlMs)
        for (const [writer, event, how] of [
          [updated, sent[0], 'update'],
          [next, sent[1], 'takeOver'],
        ] as const) {
          const late = writer.next('g')
          expectEqual(await writer.append(late), 'ok', `the outcome of an append to a session prolonged by ${how}`)
          const page = await context.events.read(writer.sessionKey, 'g', 0, 10)
          expectEvents(page, [event, late], `the log of a session prolonged by ${how}`)
        }
        return true
      })
    },
  },
  {
    id: 'log-ends-with-the-record',
    title:
      'When the record has expired its log is gone, from the database too; also where it was deleted before, at the latest by then.',
    needs: ['oracle'],
    async check(context) {
      const { sessions, events } = context
      await withTtl(context, async (ttlMs) => {
        const [expired, deleted] = [createWriter(context), createWriter(context)]
        const { span } = await timed(async () => {
          for (const { sessionKey } of [expired, deleted]) await sessions.create(toRecord({ key: sessionKey }), ttlMs)
        })
        const writers = [expired, deleted]
        const outcomes = writers.flatMap((writer) => ['g', 'p1-1'].map((tag) => writer.append(writer.next(tag))))
        const appended = await Promise.all(outcomes)
        await sessions.delete(deleted.sessionKey)
        if (!mustLive(context, span, ttlMs)) return false
        expectSame([...new Set(appended)], ['ok'], 'the outcomes of appends before that')
        await waitForEnd(context, span, ttlMs)
        for (const { sessionKey } of writers) {
          expectNothing(await events.read(sessionKey, 'g', 0, 10), 'read after the record has expired')
          await expectNoneLeft(context, sessionKey)
        }
        return true
      })
    },
  },
])

/** Of a session that has no record yet. */
function createWriter({ events }: StoreContext): LogWriter {
  return new LogWriter({ log: events, sessionKey: createKey(), term: 1 })
}

async function expectNoneLeft(context: StoreContext, sessionKey: string): Promise<void> {
  const deadline = performance.now() + context.settleWithinMs
  for (;;) {
    const count = await context.oracle.countEvents(sessionKey)
    if (count === 0) return
    if (performance.now() >= deadline) fail(`Expected no events in the database after the record's end, got ${count}`)
    // Some tidy up only while they are used.
    await (await context.beginLog()).appendAll('g', 1)
    await delay(20)
  }
}
