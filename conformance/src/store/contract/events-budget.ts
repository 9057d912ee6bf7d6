import { expectEqual, expectThat, notTestable } from '../../client/expect.ts'
import type { LogEvent } from '../contract-types.ts'
import type { LogWriter } from '../log-writer.ts'
import { expectSame } from '../records.ts'
import type { StoreContext } from '../store-context.ts'
import { requirementsOf } from '../store-requirement.ts'

/** What the log of these checks is opened with. It may keep up to twice as many. */
export const budget = 100

/** What is dropped when there is too much. */
export const eventsBudget = requirementsOf('events', [
  {
    id: 'budget-is-kept',
    title: 'However many notifications come, no more are kept than twice the budget.',
    needs: ['budget'],
    async check(context) {
      const { writer, kept } = await begin(context)
      for (let i = 0; i < 20; i++) await writer.appendAll('g', budget / 2, { kind: 'notification' })
      const count = (await kept('g')).length
      expectThat(count <= 2 * budget, `Expected at most ${2 * budget} events to be kept, got ${count}`)
    },
  },
  {
    id: 'newest-is-never-dropped',
    title: 'The newest event is always there, whatever its kind.',
    needs: ['budget'],
    async check(context) {
      const { writer, kept } = await begin(context)
      await writer.appendAll('p1-1', budget)
      for (let i = 0; i < 3 * budget; i++) {
        const event = writer.next('g', { kind: i % 2 === 0 ? 'progress' : 'notification' })
        await writer.append(event)
        expectEqual((await kept('g')).at(-1)?.index, event.index, 'the index of the newest event that is kept')
      }
    },
  },
  {
    id: 'settled-is-dropped-first',
    title: 'Where a log takes word of what need not be kept, such events go before any other, however young they are.',
    needs: ['budget'],
    async check(context) {
      const { events } = context
      if (!events.settle) return notTestable('the log has no `settle`')
      const { writer, kept } = await begin(context)
      events.settle(writer.sessionKey, 'unknown', 1)
      await writer.appendAll('p1-1', 10, { kind: 'progress' })
      for (let i = 1; i <= 5 * budget; i++) {
        const isOpen = i % 25 === 0
        const event = writer.next('g', { data: isOpen ? '"open"' : '"settled"' })
        await writer.append(event)
        if (!isOpen) events.settle(writer.sessionKey, 'g', event.index)
      }
      expectEqual((await kept('p1-1')).length, 10, 'the number of progress events kept')
      const left = (await kept('g')).filter(({ data }) => data === '"open"')
      expectEqual(left.length, budget / 5, 'the number of messages kept that were not settled')
    },
  },
  {
    id: 'progress-is-dropped-first',
    title: 'Progress events go before any notification or message, however old those are.',
    needs: ['budget'],
    async check(context) {
      const { writer, kept } = await begin(context)
      await writer.appendAll('p1-1', 10)
      await writer.appendAll('g', 10, { kind: 'notification' })
      for (let i = 0; i < 10; i++) await writer.appendAll('p1-2', budget / 2, { kind: 'progress' })
      expectEqual((await kept('p1-1')).length, 10, 'the number of messages kept')
      expectEqual((await kept('g')).length, 10, 'the number of notifications kept')
    },
  },
  {
    id: 'notifications-are-dropped-next',
    title: 'Notifications go before any message, however old that is.',
    needs: ['budget'],
    async check(context) {
      const { writer, kept } = await begin(context)
      await writer.appendAll('p1-1', 10)
      for (let i = 0; i < 10; i++) await writer.appendAll('g', budget / 2, { kind: 'notification' })
      expectEqual((await kept('p1-1')).length, 10, 'the number of messages kept')
    },
  },
  {
    id: 'oldest-are-dropped-first',
    title: 'Of one kind the oldest go first: what is kept of a stream of notifications is its end.',
    needs: ['budget'],
    async check(context) {
      const { writer, kept } = await begin(context)
      for (let i = 0; i < 10; i++) await writer.appendAll('g', budget / 2, { kind: 'notification' })
      const indexes = (await kept('g')).map(({ index }) => index)
      const end = Array.from(indexes, (_, i) => 5 * budget - indexes.length + 1 + i)
      expectThat(indexes.length < 5 * budget, 'Expected some notifications to be dropped, all are there')
      expectSame(indexes, end, 'the indexes that are kept')
    },
  },
  {
    id: 'dropped-is-missing-not-renumbered',
    title: 'Events between which others were dropped keep index, position and text, and the page still tells the head.',
    needs: ['budget'],
    async check(context) {
      const { writer, kept } = await begin(context)
      const sent: LogEvent[] = []
      for (let i = 0; i < 5 * budget; i++) {
        const event = writer.next('p1-1', { kind: i % 10 === 0 ? 'message' : 'progress' })
        sent.push(event)
        await writer.append(event)
      }
      const events = await kept('p1-1')
      expectThat(events.length < sent.length, 'Expected some events to be dropped, all are there')
      expectSame(
        events,
        events.map(({ index }) => sent[index - 1]),
        'the events that are kept',
      )
      const page = await context.events.read(writer.sessionKey, 'p1-1', 5 * budget, 1)
      expectEqual(page?.head, 5 * budget, 'the head')
      expectEqual((await context.events.read(writer.sessionKey, 'p1-1', 0, 1))?.events[0]?.index, 1, 'the first index')
    },
  },
  {
    id: 'ended-streams-are-dropped-whole',
    title: 'Of streams that ended, oldest first, all events go or none; a stream that runs keeps its messages.',
    needs: ['budget'],
    async check(context) {
      const { writer, kept } = await begin(context)
      await watchEnded({ context, writer, isReleased: () => false }, async (left, sent) => {
        expectEqual((await kept('running')).length, sent, 'the number of messages kept of a stream that runs')
        expectSame(
          left.filter((count) => count === 1),
          [],
          'the streams of which one event of two is kept',
        )
        expectSame(
          left,
          left.toSorted((a, b) => a - b),
          'how many events are kept of streams that ended, oldest first',
        )
      })
    },
  },
  {
    id: 'delivered-streams-are-dropped-first',
    title: 'Of streams that ended, those that were delivered go before any other.',
    needs: ['budget'],
    async check(context) {
      const { writer } = await begin(context)
      const isReleased = (i: number) => i >= 20
      await watchEnded({ context, writer, isReleased }, (left) => {
        const [other, delivered] = [left.slice(0, 20), left.slice(20)]
        const wrong = other.some((count) => count === 0) && delivered.some((count) => count > 0)
        const found = `kept of these ${delivered.join()}, of others ${other.join()}`
        expectThat(!wrong, `Expected delivered streams to be dropped first, ${found}`)
      })
    },
  },
  {
    id: 'budget-is-per-session',
    title: 'A session that sends a lot does not cost others their events.',
    needs: ['budget'],
    async check(context) {
      const quiet = await begin(context)
      await quiet.writer.appendAll('g', 5, { kind: 'progress' })
      const { writer } = await begin(context)
      for (let i = 0; i < 10; i++) await writer.appendAll('g', budget / 2, { kind: 'notification' })
      expectEqual((await quiet.kept('g')).length, 5, 'the number of events kept of another session')
    },
  },
])

async function begin(context: StoreContext) {
  const writer = await context.beginLog()
  const kept = async (streamTag: string) =>
    (await context.events.read(writer.sessionKey, streamTag, 0, 100_000))?.events ?? []
  return { writer, kept }
}

interface Watched {
  readonly context: StoreContext
  readonly writer: LogWriter
  readonly isReleased: (i: number) => boolean
}

/** 40 streams of two messages end, then one runs. `verify` is told how many are kept of each, oldest first. */
async function watchEnded(
  { context, writer, isReleased }: Watched,
  verify: (kept: readonly number[], sent: number) => void | Promise<void>,
): Promise<void> {
  const tags = Array.from({ length: 40 }, (_, i) => `p1-${i}`)
  for (const [i, tag] of tags.entries()) {
    await writer.append(writer.next(tag))
    await writer.append(writer.next(tag, { last: true }))
    if (isReleased(i)) context.events.release(writer.sessionKey, tag)
  }
  for (let sent = 9; sent <= 2 * budget; sent += 9) {
    await writer.appendAll('running', 9)
    const pages = await Promise.all(tags.map((tag) => context.events.read(writer.sessionKey, tag, 0, 10)))
    await verify(
      pages.map((page) => page?.events.length ?? 0),
      sent,
    )
  }
}
