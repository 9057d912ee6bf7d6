import { expectEqual, expectThat } from '../../client/expect.ts'
import { createKey, expectEvents, expectNothing, expectSame } from '../records.ts'
import { requirementsOf } from '../store-requirement.ts'

/** What a page tells, and what is left after delete. */
export const eventsPages = requirementsOf('events', [
  {
    id: 'unknown-stream-is-undefined',
    title: 'Read of a stream that nothing was appended to gives undefined.',
    async check(context) {
      const writer = await context.beginLog()
      expectNothing(await context.events.read(createKey(), 'g', 0, 10), 'read in an unknown session')
      expectNothing(await context.events.read(writer.sessionKey, 'g', 0, 10), 'read before the first append')
      await writer.append(writer.next('g'))
      expectNothing(await context.events.read(writer.sessionKey, 'p1-1', 0, 10), 'read of another stream')
    },
  },
  {
    id: 'read-begins-after-the-cursor',
    title: 'Read gives the events with an index above `after`, and none when there is none.',
    async check(context) {
      const writer = await context.beginLog()
      const sent = await writer.appendAll('g', 10)
      for (const after of [0, 1, 5, 9, 10, 11, 1_000]) {
        const page = await context.events.read(writer.sessionKey, 'g', after, 100)
        expectEvents(page, sent.slice(after), `the page after ${after}`)
      }
    },
  },
  {
    id: 'read-keeps-to-the-limit',
    title: 'Read gives the first `limit` events after the cursor.',
    async check(context) {
      const writer = await context.beginLog()
      const sent = await writer.appendAll('g', 10)
      for (const limit of [0, 1, 4, 10, 11]) {
        const page = await context.events.read(writer.sessionKey, 'g', 2, limit)
        expectEvents(page, sent.slice(2, 2 + limit), `the page of ${limit} after 2`)
      }
    },
  },
  {
    id: 'limit-counts-events-of-the-stream',
    title: 'Events of other streams between those of this one do not make a page shorter.',
    async check(context) {
      const writer = await context.beginLog()
      for (let i = 0; i < 200; i++) await writer.append(writer.next(i % 100 === 99 ? 'g' : 'p1-1'))
      const page = await context.events.read(writer.sessionKey, 'g', 0, 2)
      expectSame(
        page?.events.map(({ index }) => index),
        [1, 2],
        'the indexes of a page of 2',
      )
    },
  },
  {
    id: 'page-tells-the-head',
    title: 'A page tells index and position of the newest event of the stream, whatever part of the stream it gives.',
    async check(context) {
      const writer = await context.beginLog()
      await writer.appendAll('g', 5)
      await writer.appendAll('p1-1', 3)
      for (const [after, limit] of [
        [0, 100],
        [0, 2],
        [0, 0],
        [5, 10],
        [9, 10],
      ] as const) {
        const page = await context.events.read(writer.sessionKey, 'g', after, limit)
        const what = `of the page of ${limit} after ${after}`
        expectEqual(page?.head, 5, `the head ${what}`)
        expectSame(page?.headPosition, { term: 1, n: 5 }, `the head's position ${what}`)
      }
    },
  },
  {
    id: 'page-tells-the-end',
    title: 'A page says that the stream has ended once its last event was appended, whatever part it gives.',
    async check(context) {
      const writer = await context.beginLog()
      const read = (after: number, limit: number) => context.events.read(writer.sessionKey, 'p1-1', after, limit)
      await writer.appendAll('p1-1', 3)
      expectEqual((await read(0, 100))?.ended, false, '`ended` before the last event')
      await writer.append(writer.next('p1-1', { last: true }))
      expectEqual((await read(0, 100))?.ended, true, '`ended` after the last event')
      expectEqual((await read(0, 2))?.ended, true, '`ended` of a page without the last event')
      expectEqual((await read(4, 2))?.ended, true, '`ended` of a page after the last event')
    },
  },
  {
    id: 'page-tells-the-request-ids',
    title: 'Pages and events tell the ids of the requests, numbers as numbers and text as text.',
    async check(context) {
      const writer = await context.beginLog()
      for (const requestIds of [[], [1], ['1'], [0, -1, '', '0', 'ü"\n', 9007199254740991]]) {
        const tag = `p1-${JSON.stringify(requestIds).length}`
        await writer.appendAll(tag, 2, { requestIds })
        const page = await context.events.read(writer.sessionKey, tag, 1, 0)
        expectSame(page?.requestIds, requestIds, 'the requestIds of a page')
        const events = (await context.events.read(writer.sessionKey, tag, 1, 1))?.events
        expectSame(
          events?.map((event) => event.requestIds),
          [requestIds],
          'the requestIds of its events',
        )
      }
    },
  },
  {
    id: 'first-event-may-be-empty',
    title:
      'An event with empty text that only announces the stream is an event: the stream is known, and has not ended.',
    async check(context) {
      const writer = await context.beginLog()
      const first = writer.next('p1-1', { data: '', requestIds: [7, 'a'] })
      expectEqual(await writer.append(first), 'ok', 'the outcome of append')
      const page = await context.events.read(writer.sessionKey, 'p1-1', 0, 10)
      expectEvents(page, [first], 'the stream')
      expectEqual(page?.ended, false, '`ended`')
      expectSame(page?.requestIds, [7, 'a'], 'the requestIds')
    },
  },
  {
    id: 'last-event-may-be-empty',
    title: 'An event with empty text that only ends the stream is an event: it is read back and counts as the head.',
    async check(context) {
      const writer = await context.beginLog()
      const [first] = await writer.appendAll('p1-1', 1)
      const last = writer.next('p1-1', { data: '', last: true })
      expectEqual(await writer.append(last), 'ok', 'the outcome of append')
      const page = await context.events.read(writer.sessionKey, 'p1-1', 0, 10)
      expectEvents(page, first ? [first, last] : [], 'the stream')
      expectEqual(page?.head, 2, 'the head')
    },
  },
  {
    id: 'delete-removes-every-stream',
    title: 'After delete every stream of the session is unknown, and other sessions are as they were.',
    async check(context) {
      const [writer, other] = [await context.beginLog(), await context.beginLog()]
      for (const tag of ['g', 'p1-1']) await writer.appendAll(tag, 3)
      const kept = await other.appendAll('g', 3)
      await context.events.delete(writer.sessionKey)
      for (const tag of ['g', 'p1-1']) {
        expectNothing(await context.events.read(writer.sessionKey, tag, 0, 10), `read of stream ${tag} after delete`)
      }
      expectEvents(await context.events.read(other.sessionKey, 'g', 0, 10), kept, 'the stream of another session')
    },
  },
  {
    id: 'append-after-delete-is-gone-or-anew',
    title: 'An append after delete gives `gone` and leaves nothing, or begins anew: what was deleted stays away.',
    async check(context) {
      const writer = await context.beginLog()
      await writer.appendAll('g', 3)
      await context.events.delete(writer.sessionKey)
      const late = writer.next('g')
      const outcome = await writer.append(late)
      expectThat(outcome === 'gone' || outcome === 'ok', `Expected \`gone\`, or \`ok\` for a log anew, got ${outcome}`)
      const page = await context.events.read(writer.sessionKey, 'g', 0, 10)
      if (outcome === 'gone') expectNothing(page, 'read after an append that was `gone`')
      else expectEvents(page, [late], 'the log that began anew')
    },
  },
  {
    id: 'delete-needs-no-ownership',
    title: 'A node that never wrote to the log can delete it, also while another owns the session.',
    needs: ['second'],
    async check(context) {
      const second = await context.second()
      const first = await context.beginLog()
      await first.appendAll('g', 2)
      await second.events.delete(first.sessionKey)
      expectNothing(await context.events.read(first.sessionKey, 'g', 0, 10), 'read after delete on the other node')
    },
  },
  {
    id: 'delete-of-nothing-is-harmless',
    title: 'Delete of a session without events, or once more, settles.',
    async check(context) {
      const writer = await context.beginLog()
      await context.events.delete(createKey())
      await writer.appendAll('g', 1)
      await context.events.delete(writer.sessionKey)
      await context.events.delete(writer.sessionKey)
    },
  },
  {
    id: 'release-takes-nothing-away',
    title: 'Right after release a stream is still read, since what was written may not have arrived.',
    async check(context) {
      const writer = await context.beginLog()
      const sent = await writer.appendAll('p1-1', 2)
      const last = writer.next('p1-1', { last: true })
      await writer.append(last)
      for (const tag of ['p1-1', 'p1-1', 'unknown']) context.events.release(writer.sessionKey, tag)
      context.events.release(createKey(), 'p1-1')
      await writer.appendAll('g', 1)
      const page = await context.events.read(writer.sessionKey, 'p1-1', 0, 10)
      expectEvents(page, [...sent, last], 'the stream after release')
    },
  },
  {
    id: 'stats-are-counts',
    title: 'Stats are whole numbers from 0, and when every session is deleted they are what they were.',
    async check(context) {
      const before = context.events.stats()
      const writers = [await context.beginLog(), await context.beginLog()]
      for (const writer of writers) await writer.appendAll('g', 5)
      const during = context.events.stats()
      for (const [name, count] of Object.entries(during)) {
        expectThat(Number.isSafeInteger(count) && count >= 0, `Expected ${name} to be a whole number, got ${count}`)
      }
      for (const { sessionKey } of writers) await context.events.delete(sessionKey)
      expectSame(context.events.stats(), before, 'the stats after every session was deleted')
    },
  },
  {
    id: 'neighbour-is-apart',
    title: 'Another deployment in the same database has its own events under the same keys.',
    needs: ['neighbour'],
    async check(context) {
      const neighbour = await context.neighbour()
      const writer = await context.beginLog()
      const sent = await writer.appendAll('g', 3)
      expectNothing(await neighbour.events.read(writer.sessionKey, 'g', 0, 10), 'read in another deployment')
      const theirs = await context.beginLog(neighbour, writer.sessionKey)
      expectEqual(await theirs.append(theirs.next('g')), 'ok', 'the outcome of append there')
      await neighbour.events.delete(writer.sessionKey)
      expectEvents(await context.events.read(writer.sessionKey, 'g', 0, 10), sent, 'the stream of the first deployment')
    },
  },
  {
    id: 'is-in-the-database',
    title: 'When an append has settled, the event is in the database; when delete has, none is left.',
    needs: ['oracle'],
    async check(context) {
      const { oracle } = context
      const writer = await context.beginLog()
      await writer.appendAll('g', 3)
      await writer.appendAll('p1-1', 2)
      expectEqual(await oracle.countEvents(writer.sessionKey), 5, 'the number of events in the database')
      await context.events.delete(writer.sessionKey)
      expectEqual(await oracle.countEvents(writer.sessionKey), 0, 'the number of events in the database after delete')
    },
  },
])
