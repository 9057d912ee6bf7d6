import { expectEqual, expectThat, fail } from '../../client/expect.ts'
import type { LogEvent } from '../contract-types.ts'
import { hostileNames } from '../hostile-names.ts'
import type { LogWriter } from '../log-writer.ts'
import { createKey, expectEvents, expectNothing, expectSame } from '../records.ts'
import type { StoreContext } from '../store-context.ts'
import { requirementsOf } from '../store-requirement.ts'

/** More than any check of these appends. */
const all = 100_000

/** What is appended, and in which order it comes back. */
export const eventsAppend = requirementsOf('events', [
  {
    id: 'append-is-read-back',
    title: 'An event is read back with every field.',
    async check(context) {
      const writer = await context.beginLog()
      const events = [
        writer.next('g', { kind: 'notification', requestIds: [] }),
        writer.next('g', { kind: 'progress', requestIds: [] }),
        writer.next('g', { kind: 'message', requestIds: [] }),
      ]
      for (const event of events) expectEqual(await writer.append(event), 'ok', 'the outcome of append')
      expectEvents(await context.events.read(writer.sessionKey, 'g', 0, all), events, 'the stream')
    },
  },
  {
    id: 'appends-take-effect-in-order',
    title:
      'Of 500 appends to three streams, each made before the one before has settled, all are there in their order.',
    async check(context) {
      const writer = await context.beginLog()
      const tags = ['g', 'p1-1', 'p1-2']
      const events = Array.from({ length: 500 }, (_, i) => writer.next(tags[(i * i) % 3] ?? 'g', { data: `"${i}"` }))
      const outcomes = await Promise.all(events.map((event) => writer.append(event)))
      expectSame([...new Set(outcomes)], ['ok'], 'the outcomes of 500 appends')
      for (const tag of tags) {
        const expected = events.filter(({ streamTag }) => streamTag === tag)
        const page = await context.events.read(writer.sessionKey, tag, 0, all)
        if (expected.length > 0) expectEvents(page, expected, `stream ${tag}`)
      }
    },
  },
  {
    id: 'events-of-one-append-are-in-order',
    title:
      'Of one append of 250 events to three streams all are there, in their order, and another goes on after them.',
    async check(context) {
      const writer = await context.beginLog()
      const tags = ['g', 'p1-1', 'p1-2']
      const events = Array.from({ length: 250 }, (_, i) => writer.next(tags[(i * i) % 3] ?? 'g', { data: `"${i}"` }))
      expectEqual(await writer.append(...events), 'ok', 'the outcome of an append of 250 events')
      events.push(writer.next('g'), writer.next('p1-1', { last: true }))
      expectEqual(await writer.append(...events.slice(250)), 'ok', 'the outcome of an append of two events')
      for (const tag of tags) {
        const expected = events.filter(({ streamTag }) => streamTag === tag)
        const page = await context.events.read(writer.sessionKey, tag, 0, all)
        if (expected.length > 0) expectEvents(page, expected, `stream ${tag}`)
        expectEqual(page?.ended ?? false, tag === 'p1-1', `whether stream ${tag} has ended`)
      }
    },
  },
  {
    id: 'events-of-one-append-come-together',
    title: 'A read while appends of ten events are under way gives all ten of each, or none.',
    async check(context) {
      const { events, sessionKey, writer } = await beginWith(context)
      const appending: Promise<unknown>[] = []
      for (let i = 0; i < 20; i++) {
        appending.push(writer.append(...Array.from({ length: 10 }, () => writer.next('g'))))
        const page = await events.read(sessionKey, 'g', 0, all)
        const count = page?.events.length ?? 0
        expectEqual(count % 10, 0, `what is left over when the ${count} events that are read are counted by ten`)
      }
      await Promise.all(appending)
      expectEqual((await events.read(sessionKey, 'g', 0, all))?.events.length, 200, 'the number of events at the end')
    },
  },
  {
    id: 'append-may-be-repeated',
    title: 'An append of several events that is made again, as after a lost reply, gives `ok`, and each is there once.',
    async check(context) {
      const writer = await context.beginLog()
      const sent = await writer.appendAll('g', 1)
      const several = ['g', 'p1-1', 'g', 'p1-1', 'g'].map((tag) => writer.next(tag))
      expectEqual(await writer.append(...several), 'ok', 'the outcome of an append of five events')
      expectEqual(await writer.append(...several), 'ok', 'the outcome of the same append, made again')
      sent.push(...several, ...(await writer.appendAll('g', 1)))
      for (const tag of ['g', 'p1-1']) {
        const expected = sent.filter(({ streamTag }) => streamTag === tag)
        expectEvents(await context.events.read(writer.sessionKey, tag, 0, all), expected, `stream ${tag}`)
      }
    },
  },
  {
    id: 'reads-see-no-gap-while-appending',
    title: 'A read while appends are under way gives a beginning of the stream, with all that had settled.',
    async check(context) {
      const { events, sessionKey, writer } = await beginWith(context)
      let settled = 0
      const appending: Promise<unknown>[] = []
      for (let i = 1; i <= 200; i++) {
        const index = i
        appending.push(writer.append(writer.next('g')).then(() => (settled = Math.max(settled, index))))
        if (i % 10 !== 0) continue
        const before = settled
        const page = await events.read(sessionKey, 'g', 0, all)
        const indexes = page?.events.map((event) => event.index) ?? []
        expectSame(
          indexes,
          Array.from(indexes, (_, at) => at + 1),
          'the indexes of what is read meanwhile',
        )
        expectThat(indexes.length >= before, `Expected at least the ${before} settled events, got ${indexes.length}`)
      }
      await Promise.all(appending)
    },
  },
  {
    id: 'data-is-kept-byte-for-byte',
    title: 'The text of an event comes back as it was: not parsed and written anew, not normalised, not trimmed.',
    async check(context) {
      const { events, sessionKey, writer } = await beginWith(context)
      const texts = [
        ...['{"a":1,"a":2}', ' { "b" : 1.0, "a":1e400 }\t\n', '{"n":12345678901234567890}', '""', 'null', '[]', '-0'],
        ...[
          '"\\u0000\\ud800 \\u00e9\\/"',
          '"日本語 🎉 é e\u0301 \u2028\u2029\u00a0\ufeff\u200b\u202e\u{10ffff}\u007f"',
        ],
        ...[`"'; DROP TABLE x; -- $1 %s \\" \\\\ \\n"`, '"\r\n\r\ndata: x\r\n\r\n"'],
      ]
      for (const data of texts) {
        expectEqual(await writer.append(writer.next('g', { data })), 'ok', 'the outcome of append')
      }
      const page = await events.read(sessionKey, 'g', 0, all)
      expectSame(
        page?.events.map(({ data }) => data),
        texts,
        'the texts from read',
      )
    },
  },
  {
    id: 'events-may-be-large',
    title: 'Events of 1 MiB and more come back whole.',
    async check(context) {
      const { events, sessionKey, writer } = await beginWith(context)
      const sent = ['x'.repeat(1_048_576), 'é日🎉'.repeat(150_000)].map((text) =>
        writer.next('g', { data: `"${text}"` }),
      )
      for (const event of sent) expectEqual(await writer.append(event), 'ok', 'the outcome of append')
      expectEvents(await events.read(sessionKey, 'g', 0, all), sent, 'the stream')
    },
  },
  {
    id: 'ten-thousand-events-are-replayed',
    title: '10,000 events of a stream are read in pages of 256, each once and in order.',
    async check(context) {
      const { events, sessionKey, writer } = await beginWith(context)
      const sent: LogEvent[] = []
      while (sent.length < 10_000) sent.push(...(await writer.appendAll('g', 200)))
      let read = 0
      while (read < sent.length) {
        const page = await events.read(sessionKey, 'g', read, 256)
        expectEvents(page, sent.slice(read, read + 256), `the page after ${read}`)
        read += page?.events.length ?? 0
      }
    },
  },
  {
    id: 'streams-are-apart',
    title: 'Streams of one session have their own events, whatever their tags are.',
    async check(context) {
      const { events, sessionKey, writer } = await beginWith(context)
      const tags = ['g', 'G', 'p1-1', 'p1-11', 'p1-1 ', 'p1*', '__proto__', 'constructor', 'a:b', '{g}', '%', '日本語']
      for (let i = 0; i < 2 * tags.length; i++) await writer.append(writer.next(tags[i % tags.length] ?? 'g'))
      for (const tag of tags) {
        const page = await events.read(sessionKey, tag, 0, all)
        expectSame(
          page?.events.map(({ data }) => data),
          [1, 2].map((i) => dataOf(tag, i)),
          `what stream ${tag} has`,
        )
      }
    },
  },
  {
    id: 'sessions-are-apart',
    title: 'Streams with the same tag in other sessions are others, whatever the keys are; no read crosses sessions.',
    async check(context) {
      const { events } = context
      const keys = [...hostileNames, createKey(), createKey()]
      for (const [i, key] of keys.entries()) {
        const writer = await context.beginLog(context, key)
        expectEqual(await writer.append(writer.next('g', { data: `${i}` })), 'ok', 'the outcome of append')
      }
      for (const [i, key] of keys.entries()) {
        const page = await events.read(key, 'g', 0, all)
        const what = `what the session ${JSON.stringify(key.slice(0, 40))} has`
        expectSame(
          page?.events.map(({ data }) => data),
          [`${i}`],
          what,
        )
      }
    },
  },
  {
    id: 'session-and-stream-are-not-joined',
    title: 'Session key and stream tag are two names: no other pair reaches the same stream.',
    async check(context) {
      const pairs = [
        ['a', 'b:c'],
        ['a:b', 'c'],
        ['a', 'b/c'],
        ['a/b', 'c'],
        ['ab', 'c'],
        ['a', 'bc'],
        ['a\n', 'b'],
        ['a', '\nb'],
      ] as const
      const writers = new Map<string, LogWriter>()
      for (const [key] of pairs) if (!writers.has(key)) writers.set(key, await context.beginLog(context, key))
      for (const [key, tag] of pairs) {
        const writer = writers.get(key) ?? fail('no writer')
        await writer.append(writer.next(tag, { data: JSON.stringify([key, tag]) }))
      }
      for (const [key, tag] of pairs) {
        const page = await context.events.read(key, tag, 0, all)
        const what = `what stream ${JSON.stringify(tag)} of session ${JSON.stringify(key)} has`
        expectSame(
          page?.events.map(({ data }) => data),
          [JSON.stringify([key, tag])],
          what,
        )
      }
    },
  },
  {
    id: 'append-is-seen-by-every-node',
    title: 'When an append has settled, a read on another node gives the event.',
    needs: ['second'],
    async check(context) {
      const { sessionKey, writer } = await beginWith(context)
      const second = await context.second()
      expectNothing(await second.events.read(sessionKey, 'g', 0, all), 'read on the other node before the first append')
      const sent: LogEvent[] = []
      for (let i = 0; i < 20; i++) {
        const event = writer.next('g', { last: i === 19 })
        sent.push(event)
        await writer.append(event)
        const page = await second.events.read(sessionKey, 'g', 0, all)
        expectEvents(page, sent, 'the stream on the other node')
        expectEqual(page?.ended, i === 19, 'whether the stream has ended, on the other node,')
      }
    },
  },
])

function dataOf(streamTag: string, index: number): string {
  return `{"jsonrpc":"2.0","method":"${streamTag}/${index}"}`
}

async function beginWith(context: StoreContext) {
  const writer = await context.beginLog()
  return { events: context.events, sessionKey: writer.sessionKey, writer }
}
