import { expectEqual } from '../../client/expect.ts'
import type { LogWriter } from '../log-writer.ts'
import { expectEvents, expectNothing, expectSame } from '../records.ts'
import { requirementsOf } from '../store-requirement.ts'

/** One owner after another. */
export const eventsFencing = requirementsOf('events', [
  {
    id: 'next-term-goes-on',
    title: 'The next owner goes on in the same streams: indexes go on, positions begin anew in its term.',
    async check(context) {
      const first = await context.beginLog()
      const sent = await first.appendAll('g', 3)
      const next = await context.takeOverLog(first, context)
      const more = await next.appendAll('g', 3)
      const page = await context.events.read(first.sessionKey, 'g', 0, 10)
      expectEvents(page, [...sent, ...more], 'the stream')
      expectSame(page?.headPosition, { term: next.term, n: 3 }, "the head's position")
    },
  },
  {
    id: 'terms-may-be-skipped',
    title: 'An owner that wrote nothing leaves no gap that the one after it minds.',
    async check(context) {
      const first = await context.beginLog()
      const sent = await first.appendAll('g', 2)
      const silent = await context.takeOverLog(first, context)
      const third = await context.takeOverLog(silent, context)
      const more = await third.appendAll('g', 2)
      const page = await context.events.read(first.sessionKey, 'g', 0, 10)
      expectEvents(page, [...sent, ...more], 'the stream')
    },
  },
  {
    id: 'lower-term-is-fenced',
    title: 'When a newer term has written, an append with an older one gives `fenced` and leaves no trace.',
    async check(context) {
      const [one, other] = await context.nodes()
      const first = await context.beginLog(one)
      const sent = await first.appendAll('g', 2)
      const next = await context.takeOverLog(first, other)
      sent.push(...(await next.appendAll('g', 1)))
      expectEqual(await first.append(first.next('g')), 'fenced', 'the outcome of an append with the old term')
      expectEqual(await first.append(first.next('g', { last: true })), 'fenced', 'the outcome of another one')
      sent.push(...(await next.appendAll('g', 1)))
      const page = await other.events.read(first.sessionKey, 'g', 0, 10)
      expectEvents(page, sent, 'the stream')
      expectEqual(page?.ended, false, 'whether the stream has ended')
      expectEqual(page?.head, 4, 'the head')
    },
  },
  {
    id: 'fencing-holds-for-every-stream',
    title: 'An old term is fenced in every stream of the session, also in one that it begins, and in no other session.',
    async check(context) {
      const [one, other] = await context.nodes()
      const [first, bystander] = [await context.beginLog(one), await context.beginLog(one)]
      await first.appendAll('p1-1', 1)
      const next = await context.takeOverLog(first, other)
      await next.appendAll('g', 1)
      expectEqual(await first.append(first.next('p1-1')), 'fenced', 'the outcome in a stream of the old owner')
      expectEqual(await first.append(first.next('p1-2')), 'fenced', 'the outcome in a new stream')
      expectNothing(await one.events.read(first.sessionKey, 'p1-2', 0, 10), 'read of the stream that was fenced')
      expectEqual(await bystander.append(bystander.next('g')), 'ok', 'the outcome in another session')
    },
  },
  {
    id: 'taken-over-is-fenced-where-the-record-counts',
    title:
      'A log that gives `gone` to a session that never had a record fences an owner as soon as another has taken over; another log may take its events until that has written.',
    async check(context) {
      const [one, other] = await context.nodes()
      const looks = await context.logLooksAtRecords()
      const first = await context.beginLog(one)
      const sent = await first.appendAll('g', 2)
      await context.takeOverLog(first, other)
      const late = first.next('g')
      const outcome = await first.append(late)
      if (looks || outcome !== 'ok') expectEqual(outcome, 'fenced', 'the outcome of an append after a takeover')
      const kept = outcome === 'ok' ? [...sent, late] : sent
      expectEvents(await other.events.read(first.sessionKey, 'g', 0, 10), kept, 'the stream after a takeover')
    },
  },
  {
    id: 'fencing-holds-under-way',
    title:
      'Of appends under way while another node writes with a newer term, those that gave `ok` are kept and no others.',
    needs: ['second'],
    async check(context) {
      const second = await context.second()
      const first = await context.beginLog()
      await first.appendAll('p1-1', 1)
      const next = await context.takeOverLog(first, second)
      const early = appendWithoutWaiting(first, 20)
      await next.appendAll('p2-1', 1)
      const late = appendWithoutWaiting(first, 20)
      await next.appendAll('p2-1', 20)
      const outcomes = await Promise.all([...early, ...late].map(({ outcome }) => outcome))
      expectSame([...new Set(outcomes.slice(20))], ['fenced'], 'the outcomes of appends after a newer term has written')
      const stored = early.filter((_, i) => outcomes[i] === 'ok').map(({ event }) => event.index)
      const beginning = Array.from(stored, (_, i) => i + 1)
      expectSame(stored, beginning, 'the indexes that gave `ok`: none after one that was fenced')
      const page = await second.events.read(first.sessionKey, 'p1-2', 0, 100)
      expectSame(page?.events.map(({ index }) => index) ?? [], stored, 'what is kept of the old owner')
    },
  },
  {
    id: 'delete-with-an-older-term-removes-nothing',
    title: 'Delete with an older term than one that has written removes nothing, and the newer owner goes on.',
    async check(context) {
      const [one, other] = await context.nodes()
      const first = await context.beginLog(one)
      const sent = await first.appendAll('g', 2)
      const next = await context.takeOverLog(first, other)
      sent.push(...(await next.appendAll('g', 1)))
      const others = await next.appendAll('p2-1', 1)
      await one.events.delete(first.sessionKey, first.term)
      sent.push(...(await next.appendAll('g', 1)))
      expectEvents(await other.events.read(first.sessionKey, 'g', 0, 10), sent, 'the stream of both owners')
      expectEvents(await other.events.read(first.sessionKey, 'p2-1', 0, 10), others, 'the stream of the newer owner')
    },
  },
  {
    id: 'delete-after-a-takeover-heeds-the-record',
    title:
      'A log that fences an owner as soon as another has taken over removes nothing for it either; another log removes all until that has written.',
    async check(context) {
      const [one, other] = await context.nodes()
      const first = await context.beginLog(one)
      const sent = await first.appendAll('g', 2)
      const next = await context.takeOverLog(first, other)
      const late = first.next('g')
      const looks = (await first.append(late)) === 'fenced'
      await one.events.delete(first.sessionKey, first.term)
      const page = await other.events.read(first.sessionKey, 'g', 0, 10)
      if (!looks) return expectNothing(page, 'read after delete with the term of all that was written')
      expectEvents(page, sent, 'the stream after delete by an owner that was succeeded')
      expectEqual(await next.append(next.next('p2-1')), 'ok', 'the outcome of an append by the next owner')
    },
  },
  {
    id: 'delete-with-the-term-removes-every-stream',
    title: 'Delete with the current term removes what every owner has written, also when this one has written nothing.',
    async check(context) {
      const [writing, silent] = [await context.beginLog(), await context.beginLog()]
      for (const first of [writing, silent]) {
        for (const tag of ['g', 'p1-1']) await first.appendAll(tag, 2)
        const next = await context.takeOverLog(first, context)
        if (first === writing) await next.appendAll('g', 1)
        await context.events.delete(first.sessionKey, next.term)
        for (const tag of ['g', 'p1-1']) {
          expectNothing(await context.events.read(first.sessionKey, tag, 0, 10), `read of stream ${tag} after delete`)
        }
      }
    },
  },
  {
    id: 'fenced-append-of-several-writes-none',
    title: 'An append of several events with an older term is fenced whole: none of them is there.',
    async check(context) {
      const [one, other] = await context.nodes()
      const first = await context.beginLog(one)
      const sent = await first.appendAll('g', 1)
      const next = await context.takeOverLog(first, other)
      sent.push(...(await next.appendAll('g', 1)))
      const several = ['p1-1', 'g', 'g'].map((tag) => first.next(tag))
      expectEqual(
        await first.append(...several),
        'fenced',
        'the outcome of an append of three events with the old term',
      )
      expectNothing(await one.events.read(first.sessionKey, 'p1-1', 0, 10), 'read of the stream that was fenced')
      expectEvents(await other.events.read(first.sessionKey, 'g', 0, 10), sent, 'the stream')
    },
  },
  {
    id: 'fenced-append-writes-nothing',
    title: 'A fenced append leaves nothing in the database.',
    needs: ['oracle'],
    async check(context) {
      const first = await context.beginLog()
      await first.appendAll('g', 2)
      const next = await context.takeOverLog(first, context)
      await next.appendAll('g', 1)
      const before = await context.oracle.countEvents(first.sessionKey)
      await first.append(first.next('g'))
      await first.append(first.next('p1-9'))
      expectEqual(await context.oracle.countEvents(first.sessionKey), before, 'the number of events in the database')
    },
  },
])

/** Appends to one stream. */
function appendWithoutWaiting(writer: LogWriter, count: number) {
  return Array.from({ length: count }, () => {
    const event = writer.next('p1-2')
    return { event, outcome: writer.append(event) }
  })
}
