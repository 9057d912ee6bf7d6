import type { Exchange } from '../client/exchange.ts'
import { expectEqual, expectRefused, expectStatus, expectThat, fail, notTestable } from '../client/expect.ts'
import { forgedFrom, guessedFrom, splicedFrom } from '../client/forging.ts'
import { isRequest, isResponse, type Message, resultFor, textOf, toolCall } from '../client/json-rpc.ts'
import { listenPolled, runPolled } from '../client/polling.ts'
import {
  awaitLog,
  awaitProgress,
  burst,
  listenWithEvent,
  logsIn,
  messagesOn,
  numbers,
  progressIn,
  pushedTexts,
} from '../client/probes.ts'
import { type Call, type Received, responseIn, type Session } from '../client/session.ts'
import { delay } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#resumability-and-redelivery'
const hijacking = '2025-11-25/basic/security_best_practices#session-hijacking'
const calls = ['resumption', 'get-stream', 'role:burst'] as const
const pushes = ['resumption', 'get-stream', 'role:push'] as const

/** Ids of the events with data that came on a stream. */
function idsOn(exchange: Exchange): string[] {
  return exchange.stream.events
    .filter((event) => event.data !== '')
    .map((event) => event.id ?? fail('Expected every event with data to have an id'))
}

/** A finished call with ids on its stream. */
async function finished(session: Session, count: number, token: string): Promise<Call> {
  const call = await burst(session, { count }, { progressToken: token })
  await call.response()
  await call.exchange.stream.endsWithin(1_000)
  return call
}

function lastId(exchange: Exchange): string {
  return exchange.stream.lastEventId ?? fail('Expected an event with an id')
}

/** Drops a connection, and gives the server the time to see it: to take over at once is a requirement of its own. */
async function drop(exchange: Exchange): Promise<void> {
  exchange.abort()
  await delay(100)
}

/** What a resume with this id brings within `ms`, or until the stream ends. */
async function replayed(
  session: Session,
  lastEventId: string,
  ms: number,
): Promise<{ exchange: Exchange; messages: Message[] }> {
  const exchange = await session.get({ lastEventId })
  if (exchange.isEventStream) await exchange.stream.endsWithin(ms)
  const messages = messagesOn(exchange)
  exchange.abort()
  return { exchange, messages }
}

async function expectNothingReplayed(session: Session, ids: readonly string[], what: string): Promise<void> {
  await Promise.all(
    ids.map(async (id) => {
      const { exchange, messages } = await replayed(session, id, 150)
      expectThat(exchange.status < 500, `Expected no server error for ${what} ${id}, got status ${exchange.status}`)
      expectEqual(messages, [], `the messages replayed for ${what} ${id}`)
    }),
  )
}

/** I. Resumability. */
export const resumptionRequirements = [
  requirement({
    id: 'resume/event-ids-are-unique',
    rows: ['R121'],
    level: 'MUST',
    spec,
    needs: [...calls, 'role:push'],
    async check({ open }) {
      const session = await open()
      const listening = await session.listen()
      const running = await Promise.all(numbers(1, 5).map((count) => burst(session, { count, delayMs: 5 })))
      await session.text('push', { count: 5, text: 'p' })
      await awaitLog(listening, 'p:5')
      for (const call of running) await call.response()
      const ids = [listening, ...running.map((call) => call.exchange)].flatMap(idsOn)
      expectEqual(new Set(ids).size, ids.length, `the number of distinct ids among ${ids.length} events`)
    },
  }),
  requirement({
    id: 'resume/id-alone-names-the-stream',
    rows: ['R122'],
    level: 'SHOULD',
    spec,
    needs: calls,
    async check({ open }) {
      const session = await open()
      const made = [await finished(session, 3, 'a'), await finished(session, 3, 'b'), await finished(session, 3, 'c')]
      for (const [index, call] of made.entries()) {
        const [first = ''] = idsOn(call.exchange)
        const { messages } = await replayed(session, first, 1_500)
        expectEqual(
          progressIn(messages, ['a', 'b', 'c'][index]),
          [2, 3],
          'the progress replayed on one of three streams',
        )
      }
    },
  }),
  requirement({
    id: 'resume/event-ids-fit-a-header',
    rows: ['R123'],
    level: 'HARD',
    spec: 'WHATWG HTML §9.2.4',
    needs: [...calls, 'role:push'],
    async check({ open }) {
      const session = await open()
      const { exchange } = await listenWithEvent(session)
      const call = await finished(session, 3, 'p')
      for (const id of [...idsOn(exchange), ...idsOn(call.exchange)]) {
        expectThat(/^[\x21-\x7e]{1,1024}$/.test(id), `Expected visible ASCII of up to 1 KiB, got ${JSON.stringify(id)}`)
      }
    },
  }),
  requirement({
    id: 'resume/continues-a-running-call',
    rows: ['R124', 'R133'],
    level: 'MUST',
    spec,
    needs: calls,
    async check({ open }) {
      const session = await open()
      const call = await burst(session, { count: 8, delayMs: 40 })
      await awaitProgress(call.exchange, 2)
      await drop(call.exchange)
      const seen = progressIn(messagesOn(call.exchange))
      const resumed = await session.listen(lastId(call.exchange))
      await responseIn(resumed, call.id)
      expectEqual(
        [...seen, ...progressIn(messagesOn(resumed))],
        numbers(1, 8),
        'the progress before and after the resume',
      )
    },
  }),
  requirement({
    id: 'resume/replays-no-other-stream',
    rows: ['R125'],
    level: 'MUST NOT',
    spec,
    needs: [...calls, 'role:push'],
    async check({ open }) {
      const session = await open()
      const { exchange, lastEventId } = await listenWithEvent(session)
      const one = await finished(session, 3, 'one')
      await finished(session, 3, 'other')
      await session.text('push', { count: 2, text: 'pushed' })
      await awaitLog(exchange, 'pushed:2')
      const { messages } = await replayed(session, idsOn(one.exchange)[0] ?? '', 300)
      const foreign = messages.filter(
        ({ id, params }) => (id ?? one.id) !== one.id || (params?.progressToken ?? 'one') !== 'one',
      )
      expectEqual(foreign, [], "the messages of other streams replayed on a call's stream")
      expectEqual(logsIn(messages), [], "the pushed messages replayed on a call's stream")
      const standalone = await replayed(session, lastEventId, 200)
      expectEqual(progressIn(standalone.messages), [], 'the progress replayed on the standalone stream')
      expectEqual(standalone.messages.filter(isResponse), [], 'the responses replayed on the standalone stream')
    },
  }),
  requirement({
    id: 'resume/foreign-event-id-leaks-nothing',
    rows: ['R126', 'T8'],
    level: 'dMUST',
    spec: hijacking,
    needs: [...calls, 'role:push', 'sessions'],
    async check({ openMany }) {
      const [victim, attacker] = await openMany(2)
      if (victim === undefined || attacker === undefined) return
      const { lastEventId } = await listenWithEvent(victim)
      await victim.text('push', { count: 2, text: 'secret' })
      const call = await finished(victim, 4, 'secret')
      const ids = [lastEventId, call.exchange.stream.events[0]?.id ?? '', ...idsOn(call.exchange).slice(0, 2)]
      await expectNothingReplayed(attacker, ids, 'the id of another session')
    },
  }),
  requirement({
    id: 'resume/guessed-event-ids-leak-nothing',
    rows: ['R126', 'T8', 'T9'],
    level: 'dMUST',
    spec: hijacking,
    needs: [...calls, 'role:push', 'sessions'],
    async check({ openMany }) {
      const [victim, attacker] = await openMany(2)
      if (victim === undefined || attacker === undefined) return
      const theirs = await listenWithEvent(victim)
      const own = await listenWithEvent(attacker)
      await victim.text('push', { count: 3, text: 'secret' })
      const theirCall = await finished(victim, 3, 'secret')
      const ownCall = await finished(attacker, 3, 'own')
      const pairs: [string, string][] = [
        [own.lastEventId, theirs.lastEventId],
        [lastId(ownCall.exchange), idsOn(theirCall.exchange)[0] ?? ''],
      ]
      const guesses = pairs.flatMap(([mine, other]) => [...splicedFrom(mine, other), ...guessedFrom(other)])
      await Promise.all(
        [...new Set(guesses)].map(async (id) => {
          const { exchange, messages } = await replayed(attacker, id, 100)
          const leaked = JSON.stringify(messages).includes('secret')
          expectThat(!leaked, `Expected nothing of another session for the made-up id ${id}`)
          expectThat(exchange.status < 500, `Expected no server error for the made-up id ${id}, got ${exchange.status}`)
        }),
      )
    },
  }),
  requirement({
    id: 'resume/needs-the-session-id',
    rows: ['R127'],
    level: 'SHOULD',
    spec: '2025-11-25/basic/transports#session-management',
    needs: [...calls, 'sessions'],
    async check({ open, get, version }) {
      const call = await finished(await open(), 3, 'p')
      const lastEventId = idsOn(call.exchange)[0]
      const exchange = await get({ lastEventId, headers: { 'MCP-Protocol-Version': version } })
      expectStatus(exchange, 400, 'a resume without a session id')
    },
  }),
  requirement({
    id: 'resume/ended-session-is-404',
    rows: ['R128'],
    level: 'dMUST',
    spec: hijacking,
    needs: [...calls, 'sessions', 'delete'],
    async check({ open }) {
      const session = await open()
      const call = await finished(session, 3, 'p')
      await session.delete()
      const exchange = await session.get({ lastEventId: idsOn(call.exchange)[0] })
      expectStatus(exchange, 404, 'a resume in an ended session')
    },
  }),
  requirement({
    id: 'resume/replay-keeps-the-order',
    rows: ['R129'],
    level: 'dMUST',
    spec,
    needs: calls,
    async check({ open }) {
      const session = await open()
      const call = await finished(session, 25, 'p')
      const live = idsOn(call.exchange)
      const { exchange, messages } = await replayed(session, live[0] ?? '', 1_500)
      expectEqual(progressIn(messages), numbers(2, 25), 'the progress replayed')
      expectEqual(idsOn(exchange), live.slice(1), 'the ids replayed')
    },
  }),
  requirement({
    id: 'resume/concurrent-pushes-keep-their-order',
    rows: ['R129', 'T4'],
    level: 'dMUST',
    spec,
    needs: pushes,
    async check({ open }) {
      const session = await open()
      const { exchange } = await listenWithEvent(session)
      await Promise.all(numbers(1, 20).map((index) => session.text('push', { count: 10, text: `p${index}` })))
      await exchange.stream.atLeast(201)
      const live = exchange.stream.events.filter((event) => event.data !== '')
      expectEqual(live.length, 201, 'the number of messages on the stream')
      await drop(exchange)
      for (const cut of [0, 37, 120, 199]) {
        const resumed = await session.listen(live[cut]?.id)
        await resumed.stream.atLeast(200 - cut)
        expectEqual(
          idsOn(resumed),
          live.slice(cut + 1).map((event) => event.id),
          `the ids after event ${cut}`,
        )
        const texts = live.slice(cut + 1).map((event) => event.data)
        expectEqual(
          resumed.stream.events.map((event) => event.data).filter((data) => data !== ''),
          texts,
          'the messages',
        )
        await drop(resumed)
      }
    },
  }),
  requirement({
    id: 'resume/from-the-last-id-replays-nothing',
    rows: ['R130'],
    level: 'SHOULD',
    spec,
    needs: pushes,
    async check({ open }) {
      const session = await open()
      const { exchange, lastEventId } = await listenWithEvent(session)
      await drop(exchange)
      const resumed = await session.listen(lastEventId)
      await session.text('push', { count: 1, text: 'next' })
      await awaitLog(resumed, 'next:1')
      expectEqual(logsIn(messagesOn(resumed)), ['next:1'], 'the messages after a resume from the last id')
    },
  }),
  requirement({
    id: 'resume/finished-stream-is-replayed-and-ended',
    rows: ['R131'],
    level: 'SHOULD',
    spec,
    needs: calls,
    async check({ open }) {
      const session = await open()
      const call = await finished(session, 3, 'p')
      const firstId = call.exchange.stream.events[0]?.id ?? ''
      const resumed = await session.listen(firstId)
      await responseIn(resumed, call.id)
      const ended = await resumed.stream.endsWithin(1_500)
      expectThat(ended, 'Expected the replay of a finished stream to end within 1.5 s')
    },
  }),
  requirement({
    id: 'resume/finished-stream-from-its-last-id-ends',
    rows: ['R132'],
    level: 'SHOULD',
    spec,
    needs: calls,
    async check({ open }) {
      const session = await open()
      const call = await finished(session, 2, 'p')
      const { exchange, messages } = await replayed(session, lastId(call.exchange), 1_500)
      const over = exchange.refused || exchange.status === 204 || exchange.stream.failure === undefined
      expectThat(over && exchange.ended, 'Expected a resume from the very last id to end at once')
      expectEqual(messages, [], 'the messages replayed from the very last id')
    },
  }),
  requirement({
    id: 'resume/standalone-stream-keeps-what-was-missed',
    rows: ['R134'],
    level: 'MUST',
    spec,
    needs: pushes,
    async check({ open }) {
      const session = await open()
      const { exchange, lastEventId } = await listenWithEvent(session)
      await drop(exchange)
      await session.text('push', { count: 4, text: 'missed' })
      const resumed = await session.listen(lastEventId)
      await session.text('push', { count: 1, text: 'live' })
      await awaitLog(resumed, 'live:1')
      const expected = [...pushedTexts('missed', 4), 'live:1']
      expectEqual(logsIn(messagesOn(resumed)), expected, 'the messages after the resume')
    },
  }),
  requirement({
    id: 'resume/two-at-once-get-each-live-message-once',
    rows: ['R135'],
    level: 'dMUST',
    spec: '2025-11-25/basic/transports#multiple-connections',
    needs: calls,
    async check({ open }) {
      const session = await open()
      const call = await burst(session, { count: 10, delayMs: 60 })
      await awaitProgress(call.exchange, 2)
      const lastEventId = lastId(call.exchange)
      const reached = Math.max(...progressIn(messagesOn(call.exchange)))
      call.exchange.abort()
      const both = await Promise.all([session.get({ lastEventId }), session.get({ lastEventId })])
      const open2 = both.filter((exchange) => exchange.isEventStream)
      expectThat(open2.length > 0, `Expected one of two resumes to succeed, got ${both.map(({ status }) => status)}`)
      await session.receive(({ message }) => isResponse(message) && message.id === call.id, 'The response')
      await delay(100)
      // What was there at the time of the resume may be replayed to both; from two events later on, all is live.
      const live = open2.flatMap((exchange) => progressIn(messagesOn(exchange))).filter((value) => value > reached + 3)
      expectEqual(
        live.toSorted((a, b) => a - b),
        numbers(reached + 4, 10),
        'the live progress over both connections',
      )
      const responses = open2.flatMap(messagesOn).filter(isResponse)
      expectEqual(responses.length, 1, 'the number of responses over both connections')
    },
  }),
  requirement({
    id: 'resume/takes-over-from-an-open-connection',
    rows: ['R136', 'T7', 'T19'],
    level: 'dMUST',
    spec: '2025-11-25/basic/transports#multiple-connections',
    needs: calls,
    async check({ open }) {
      const session = await open()
      const call = await burst(session, { count: 10, delayMs: 60 })
      await awaitProgress(call.exchange, 2)
      const resumed = await session.listen(lastId(call.exchange))
      const before = Math.max(...progressIn(messagesOn(call.exchange)))
      await responseIn(resumed, call.id)
      const late = progressIn(messagesOn(call.exchange)).filter((value) => value > before + 1)
      expectEqual(late, [], 'the progress on the old connection after the new one took over')
      expectEqual(messagesOn(call.exchange).filter(isResponse), [], 'the responses on the old connection')
      const progress = progressIn(messagesOn(resumed))
      expectEqual(progress, numbers(progress[0] ?? 0, 10), 'the progress on the new connection')
      expectThat((progress[0] ?? 0) <= before + 1, `Expected no gap after progress ${before}, got ${progress}`)
    },
  }),
  requirement({
    id: 'resume/random-disconnects-lose-nothing',
    rows: ['R137'],
    level: 'HARD',
    spec,
    needs: calls,
    async check({ openMany }) {
      const sessions = await openMany(10)
      const trial = async (session: Session) => {
        const delayMs = Math.random() < 0.5 ? 0 : 2
        const message = toolCall('burst', { count: 20, delayMs }, { progressToken: 'p' })
        let cuts = 0
        const run = await runPolled(session, message, async ({ stream }) => {
          await stream.next()
          cuts += 1
          if (cuts > 4) await stream.closed()
          else if (Math.random() < 0.5) await delay(Math.random() * 20)
          // At least one, so that there is an id to go on from.
          return cuts > 4 ? stream.events.length : 1 + Math.floor(Math.random() * stream.events.length)
        })
        expectEqual(progressIn(run.messages), numbers(1, 20), `the progress over ${run.connections} connections`)
        expectEqual(run.messages.filter(isResponse).length, 1, `the responses over ${run.connections} connections`)
        expectThat(isResponse(run.messages.at(-1) ?? message), 'Expected the response to be the last message')
      }
      await Promise.all(
        sessions.map(async (session) => {
          for (let round = 0; round < 5; round++) await trial(session)
        }),
      )
    },
  }),
  requirement({
    id: 'resume/random-disconnects-while-listening-lose-nothing',
    rows: ['R134', 'R137'],
    level: 'HARD',
    spec,
    needs: pushes,
    async check({ openMany }) {
      const sessions = await openMany(5)
      const trial = async (session: Session) => {
        const { exchange, lastEventId } = await listenWithEvent(session)
        await drop(exchange)
        const pushing = numbers(1, 10).map(async (index) => {
          await delay(Math.random() * 60)
          await session.text('push', { count: 10, text: `p${index}` })
        })
        const texts = await listenPolled(session, lastEventId, 100)
        await Promise.all(pushing)
        for (const index of numbers(1, 10)) {
          const own = texts.filter((text) => text.startsWith(`p${index}:`))
          expectEqual(own, pushedTexts(`p${index}`, 10), 'the messages of one of ten pushes over all connections')
        }
        expectEqual(texts.length, 100, 'the number of messages over all connections')
      }
      await Promise.all(sessions.map(trial))
    },
  }),
  requirement({
    id: 'resume/question-is-replayed',
    rows: ['R124'],
    level: 'HARD',
    spec,
    since: '2025-11-25',
    needs: ['sessions', 'resumption', 'get-stream', 'role:ask'],
    async check({ open }) {
      const session = await open()
      const call = await session.call('ask', { question: 'q' })
      const first = await call.exchange.stream.next()
      if ((first?.id ?? '') === '' || first?.data !== '') notTestable('the stream does not begin with a priming event')
      call.exchange.abort()
      const resumed = await session.listen(first.id)
      const isQuestion = ({ message, exchange }: Received) => isRequest(message) && exchange === resumed
      const { message } = await session.receive(isQuestion, 'The question')
      await session.post(resultFor(message.id ?? '', { action: 'accept', content: { answer: 'late' } }))
      expectEqual(textOf(await responseIn(resumed, call.id)), 'answer:late', 'the text of the tool')
    },
  }),
  requirement({
    id: 'resume/response-outlives-a-flood',
    rows: ['T41'],
    level: 'HARD',
    spec,
    needs: ['resumption', 'get-stream', 'role:flood'],
    async check({ open }) {
      const session = await open()
      const call = await session.call('flood', { count: 1_000, bytes: 16_384 }, { progressToken: 'p' })
      const first = await call.exchange.stream.next()
      await drop(call.exchange)
      const resumed = await session.get({ lastEventId: first?.id })
      if (resumed.refused) notTestable(`the beginning of the stream is gone, and a resume answered ${resumed.status}`)
      const answer = await responseIn(resumed, call.id)
      expectThat(answer.result !== undefined, `Expected the result of the call, got ${JSON.stringify(answer)}`)
      const values = progressIn(messagesOn(resumed))
      const rising = values.every((value, index) => index === 0 || value > (values[index - 1] ?? 0))
      expectThat(rising, 'Expected what is left of the progress in its order')
    },
  }),
  requirement({
    id: 'resume/garbage-event-id-is-refused',
    rows: ['R138', 'T9'],
    level: 'SHOULD',
    spec,
    needs: ['resumption', 'get-stream'],
    async check({ open }) {
      const session = await open()
      const garbage = [
        'complete-garbage',
        '::',
        '../../etc/passwd',
        'x'.repeat(8_192),
        'Ã¼nÃ¯',
        '-1',
        '0',
        '__proto__',
        '{}',
      ]
      for (const lastEventId of garbage) {
        expectRefused(await session.get({ lastEventId }), `the event id ${lastEventId.slice(0, 40)}`)
      }
    },
  }),
  requirement({
    id: 'resume/forged-event-id-maps-to-nothing',
    rows: ['R139', 'T9'],
    level: 'SHOULD',
    spec,
    needs: calls,
    async check({ open }) {
      const session = await open()
      const call = await finished(session, 5, 'p')
      const known = new Set(idsOn(call.exchange))
      const forged = idsOn(call.exchange)
        .slice(0, 2)
        .flatMap(forgedFrom)
        .filter((id) => !known.has(id))
      if (forged.length === 0) notTestable('every made-up id was a real one')
      await expectNothingReplayed(session, forged, 'the forged id')
    },
  }),
]
