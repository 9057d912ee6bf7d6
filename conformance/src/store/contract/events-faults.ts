import { expectEqual, expectThat } from '../../client/expect.ts'
import { delay } from '../../client/waiting.ts'
import { createKey, expectEvents, expectSame } from '../records.ts'
import { requirementsOf } from '../store-requirement.ts'
import { outageMs } from '../time.ts'

/** Connections that break, and replies that are lost. */
export const eventsFaults = requirementsOf('events', [
  {
    id: 'outage-is-bounded',
    title: 'While the database cannot be reached every method settles in time: none waits for ever.',
    needs: ['faults'],
    async check(context) {
      const { events, faults } = context
      const writer = await context.beginLog()
      await writer.appendAll('g', 1)
      await faults.disconnect()
      events.release(writer.sessionKey, 'g')
      await Promise.all([
        context.inTime('append without the database', () => writer.append(writer.next('g'))),
        context.inTime('read without the database', () => events.read(writer.sessionKey, 'g', 0, 10)),
        context.inTime('delete without the database', () => events.delete(createKey())),
      ])
    },
  },
  {
    id: 'outage-is-no-answer',
    title:
      'While the database cannot be reached nothing says that the log is gone, or that an event is kept which is not.',
    needs: ['faults'],
    async check(context) {
      const { events, faults } = context
      const writer = await context.beginLog()
      const [sent] = await writer.appendAll('g', 1)
      const late = writer.next('g')
      await faults.disconnect()
      const [read, appended] = await Promise.all([
        context.inTime('read without the database', () => events.read(writer.sessionKey, 'g', 0, 1)),
        context.inTime('append without the database', () => writer.append(late)),
      ])
      await faults.reconnect()
      if ('value' in read) expectEvents(read.value, sent ? [sent] : [], 'what read gives, if it does not reject')
      const wrong = 'value' in appended && appended.value !== 'ok'
      expectThat(!wrong, `Expected append to reject or to give \`ok\`, got ${JSON.stringify(appended)}`)
      if ('error' in appended) return
      const page = await context.eventually('read', () => events.read(writer.sessionKey, 'g', 1, 10))
      expectEvents(page, [late], 'what append said is kept')
    },
  },
  {
    id: 'outage-is-survived',
    title: 'Appends before, during and after an outage are kept once and in order when they gave `ok`.',
    needs: ['faults'],
    async check(context) {
      const { events, faults } = context
      const writer = await context.beginLog()
      const sent = await writer.appendAll('g', 3)
      await faults.disconnect()
      const during = Array.from({ length: 5 }, () => writer.next('g'))
      const outcomes = during.map((event) => context.inTime('append during the outage', () => writer.append(event)))
      await delay(outageMs)
      await faults.reconnect()
      const settled = await Promise.all(outcomes)
      const stored = during.filter(
        (_, i) => settled[i] !== undefined && 'value' in settled[i] && settled[i].value === 'ok',
      )
      await context.eventually('read', () => events.read(writer.sessionKey, 'g', 0, 10))
      const after = await writer.appendAll('g', 3)
      const page = await events.read(writer.sessionKey, 'g', 0, 100)
      const indexes = page?.events.map(({ index }) => index) ?? []
      expectSame(
        indexes,
        [...new Set(indexes)].toSorted((a, b) => a - b),
        'the indexes from read, once and in order,',
      )
      const missing = [...sent, ...stored, ...after].filter(({ index }) => !indexes.includes(index))
      expectSame(
        missing.map(({ index }) => index),
        [],
        'the indexes of events that gave `ok` and are missing',
      )
    },
  },
  {
    id: 'lost-reply-of-append-is-kept-once',
    title: 'An append whose reply is lost rejects or gives `ok`; repeated it gives `ok`, and the event is there once.',
    needs: ['lost-replies'],
    async check(context) {
      const { events, faults } = context
      const writer = await context.beginLog()
      const [first] = await writer.appendAll('g', 1)
      const second = writer.next('g')
      await faults.loseNextReply()
      const append = () => writer.append(second)
      const outcome = await context.inTime('append', append)
      const appended = 'value' in outcome ? outcome.value : await context.eventually('append, repeated,', append)
      expectEqual(appended, 'ok', 'the outcome of an append whose reply was lost, repeated if it rejected')
      const [third] = await writer.appendAll('g', 1)
      const expected = [first, second, third].filter((event) => event !== undefined)
      expectEvents(await events.read(writer.sessionKey, 'g', 0, 10), expected, 'the stream')
    },
  },
  {
    id: 'lost-reply-of-several-is-kept-once',
    title:
      'An append of several events whose reply is lost rejects or gives `ok`; repeated it gives `ok`, and each event is there once.',
    needs: ['lost-replies'],
    async check(context) {
      const { events, faults } = context
      const writer = await context.beginLog()
      const sent = await writer.appendAll('g', 1)
      const several = ['g', 'p1-1', 'g', 'p1-1', 'g'].map((tag) => writer.next(tag))
      await faults.loseNextReply()
      const append = () => writer.append(...several)
      const outcome = await context.inTime('append', append)
      const appended = 'value' in outcome ? outcome.value : await context.eventually('append, repeated,', append)
      expectEqual(appended, 'ok', 'the outcome of an append whose reply was lost, repeated if it rejected')
      sent.push(...several, ...(await writer.appendAll('g', 1)))
      for (const tag of ['g', 'p1-1']) {
        const expected = sent.filter(({ streamTag }) => streamTag === tag)
        expectEvents(await events.read(writer.sessionKey, tag, 0, 10), expected, `stream ${tag}`)
      }
    },
  },
  {
    id: 'owner-cut-off-is-fenced',
    title: 'What an owner had under way while it was cut off and another took over is fenced or rejected.',
    needs: ['faults', 'second'],
    async check(context) {
      const { events, faults } = context
      const second = await context.second()
      const first = await context.beginLog()
      const sent = await first.appendAll('g', 1)
      await faults.disconnect()
      const next = await context.takeOverLog(first, second)
      sent.push(...(await next.appendAll('g', 2)))
      const underWay = Array.from({ length: 3 }, () => {
        const event = first.next('g')
        return context.inTime('append by the old owner', () => first.append(event))
      })
      await delay(outageMs)
      await faults.reconnect()
      for (const outcome of await Promise.all(underWay)) {
        const refused = 'error' in outcome || outcome.value === 'fenced'
        expectThat(refused, `Expected an append under way to reject or be fenced, got ${JSON.stringify(outcome)}`)
      }
      const late = first.next('g')
      const outcome = await context.eventually('append', () => first.append(late))
      expectEqual(outcome, 'fenced', 'the outcome of an append by the old owner')
      expectEvents(await events.read(first.sessionKey, 'g', 0, 10), sent, 'the stream')
    },
  },
])
