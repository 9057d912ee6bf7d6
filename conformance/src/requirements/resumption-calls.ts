import { expectAnswer, formWith } from '../client/asking.ts'
import { CuttingProxy } from '../client/cutting-proxy.ts'
import { readable } from '../client/event-reader.ts'
import type { Exchange } from '../client/exchange.ts'
import { expectEqual, expectStatus, expectThat, notTestable, setUp } from '../client/expect.ts'
import { isRequest, isResponse, type Message, resultFor, textOf, toolCall } from '../client/json-rpc.ts'
import { runPolled, runThroughCuts } from '../client/polling.ts'
import {
  awaitLog,
  awaitProgress,
  burst,
  expectComplete,
  listenWithEvent,
  logsIn,
  messagesOn,
  numbers,
  progressCall,
  progressIn,
  progressMessage,
  sessionVia,
} from '../client/probes.ts'
import { canPush, drop, finished, firstId, isOfCall, replayed, replayedAgain } from '../client/resuming.ts'
import { type Received, responseIn, type Session } from '../client/session.ts'
import { delay, takenOverMs } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#resumability-and-redelivery'
const multiple = '2025-11-25/basic/transports#multiple-connections'
const calls = ['resumption', 'get-stream', 'sse'] as const
const bursts = ['sse', 'resumption', 'get-stream', 'role:burst'] as const

/** Sixteen megabytes on their way through several nodes of a busy machine; a check has 20 seconds. */
const floodMs = 17_000

/** What came on a stream after the event with this id. */
function messagesAfter({ stream }: Exchange, eventId: string): Message[] {
  const index = stream.events.findIndex(({ id }) => id === eventId)
  return stream.events.slice(index + 1).flatMap(readable)
}

function lastId(exchange: Exchange): string {
  return exchange.stream.lastEventId ?? notTestable('no event with an id came on the stream of the call')
}

/** So long after a head what is read was sent after it too: by then all that waited in this process has been read. */
const settledMs = 100

/** Calls that are resumed. */
export const resumedCallRequirements = [
  requirement({
    id: 'resume/id-alone-names-the-stream',
    title: 'An event id is enough to resume the stream that it came on, whichever that was.',
    rows: ['R122'],
    level: 'SHOULD',
    spec,
    needs: calls,
    async check({ open }) {
      const session = await open()
      const made = [await finished(session, 3, 'a'), await finished(session, 3, 'b'), await finished(session, 3, 'c')]
      const resumed = []
      for (const call of made) resumed.push({ call, ...(await replayed(session, firstId(call.exchange), 1_500)) })
      if (resumed.every(({ exchange }) => exchange.refused)) notTestable('a call that was answered cannot be resumed')
      for (const { call, exchange, messages } of resumed) {
        expectStatus(exchange, 200, 'a resume of one of three streams')
        const expected = progressIn(messagesAfter(call.exchange, firstId(call.exchange)), call.token)
        expectEqual(progressIn(messages), expected, 'the progress replayed on one of three streams')
      }
    },
  }),
  requirement({
    id: 'resume/continues-a-running-call',
    title:
      'A call that was disconnected is resumed by GET: what was missed comes, then what is new, then the response.',
    rows: ['R124', 'R133'],
    level: 'dMUST',
    spec,
    because:
      'A server that gives out event ids has chosen to make its streams resumable, and resuming brings what would have been sent after the id, by GET also for a POST.',
    needs: calls,
    async check({ open }) {
      const session = await open()
      const call = await progressCall(session, { count: 8, delayMs: 40 })
      await call.awaitReports(1)
      await drop(call.exchange, session)
      call.needRunning()
      const resumed = await session.resume(lastId(call.exchange))
      await responseIn(resumed, call.id)
      expectComplete(call.progress, call.least, 'the progress before and after the resume')
    },
  }),
  requirement({
    id: 'resume/replays-no-other-stream',
    title: 'A resume brings no message of another stream of the session.',
    rows: ['R125'],
    level: 'MUST NOT',
    spec,
    needs: calls,
    async check({ open, target }) {
      const session = await open()
      const standalone = canPush(target) ? await listenWithEvent(session) : undefined
      const one = await finished(session, 3, 'one')
      await finished(session, 3, 'other')
      if (standalone !== undefined) {
        await session.text('push', { count: 2, text: 'pushed' })
        await awaitLog(standalone.exchange, 'pushed:2')
      }
      const messages = await replayedAgain(session, firstId(one.exchange))
      const foreign = messages.filter(
        ({ id, params }) => (id ?? one.id) !== one.id || (params?.progressToken ?? 'one') !== 'one',
      )
      expectEqual(foreign, [], "the messages of other streams replayed on a call's stream")
      expectEqual(logsIn(messages, 'pushed'), [], "the pushed messages replayed on a call's stream")
      if (standalone === undefined) return
      const pushed = await replayed(session, standalone.lastEventId, 200)
      expectEqual(pushed.messages.filter(isOfCall), [], 'the messages of calls replayed on the standalone stream')
    },
  }),
  requirement({
    id: 'resume/replay-keeps-the-order',
    title: "A replay brings a call's events in the order in which they were first sent.",
    rows: ['R129'],
    level: 'dMUST',
    spec,
    because: 'The id is a cursor within the stream, so that what comes after it is what came after it before.',
    needs: calls,
    async check({ open }) {
      const session = await open()
      const call = await finished(session, 25, 'p')
      const messages = await replayedAgain(session, firstId(call.exchange))
      const expected = progressIn(messagesAfter(call.exchange, firstId(call.exchange)))
      expectEqual(progressIn(messages), expected, 'the progress replayed')
      expectEqual(messages.at(-1)?.id, call.id, 'the id of the last message replayed')
    },
  }),
  requirement({
    id: 'resume/finished-stream-is-replayed-and-ended',
    title: 'A resume of a call that is answered brings the rest with the response, and ends.',
    rows: ['R131'],
    level: 'SHOULD',
    spec,
    because:
      'After the response the server should terminate the stream, whichever connection carries it (Sending Messages 6).',
    needs: calls,
    async check({ open }) {
      const session = await open()
      const call = await finished(session, 3, 'p')
      const resumed = await session.resume(firstId(call.exchange))
      await responseIn(resumed, call.id)
      const ended = await resumed.stream.endsWithin(1_500)
      expectThat(ended, 'Expected the replay of a finished stream to end within 1.5 s')
    },
  }),
  requirement({
    id: 'resume/finished-stream-from-its-last-id-ends',
    title: 'A resume from the very last id of a call ends at once: by a refusal, or by a stream without messages.',
    rows: ['R132'],
    level: 'SHOULD',
    spec,
    because: 'Nothing can come any more on that stream, and a client that waits does not know.',
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
    id: 'resume/two-at-once-get-each-live-message-once',
    title: 'Of two resumes of a call at the same time, each new message reaches one.',
    rows: ['R135'],
    level: 'dMUST',
    spec: multiple,
    because: 'Two connections of one stream would both get what must be sent on one only.',
    needs: bursts,
    async check({ open, target }) {
      const session = await open()
      const count = 12 + Math.ceil(target.roundTripMs / 60)
      const call = await burst(session, { count, delayMs: 60 })
      await awaitProgress(call.exchange, 2)
      const lastEventId = lastId(call.exchange)
      const reached = Math.max(...progressIn(messagesOn(call.exchange)))
      call.exchange.abort()
      call.needRunning()
      const both = await Promise.all([session.get({ lastEventId }), session.get({ lastEventId })])
      const resumed = both.filter((exchange) => exchange.isEventStream)
      expectThat(resumed.length > 0, `Expected one of two resumes to succeed, got ${both.map(({ status }) => status)}`)
      await session.receive(({ message }) => isResponse(message) && message.id === call.id, 'The response')
      await delay(100)
      const values = new Set(resumed.flatMap((exchange) => progressIn(messagesOn(exchange))))
      const missing = numbers(reached + 1, count).filter((value) => !values.has(value))
      expectEqual(missing, [], 'the progress that came on neither connection')
      // What was there when the second of them came may be replayed to both. What both could hear is live.
      const begun = Math.max(...resumed.map(({ headAt }) => headAt)) + settledMs
      const live = resumed.flatMap(({ stream }) => stream.events.filter(({ at }) => at > begun)).flatMap(readable)
      if (!live.some(isResponse)) notTestable('the call was over before both connections were there')
      const twice = progressIn(live).filter((value, index, all) => all.indexOf(value) !== index)
      expectEqual(twice, [], 'the live progress that came on both connections')
      expectEqual(live.filter(isResponse).length, 1, 'the number of responses over both connections')
    },
  }),
  requirement({
    id: 'resume/takes-over-from-an-open-connection',
    title: 'A resume while the old connection still seems open takes the stream over, without loss or repetition.',
    rows: ['R136', 'T7', 'T19'],
    level: 'dMUST',
    spec: multiple,
    because: 'A broken connection looks open for minutes; both connections would get what must be sent on one only.',
    needs: bursts,
    async check({ open }) {
      const session = await open()
      const count = 16
      const call = await burst(session, { count, delayMs: 60 })
      await awaitProgress(call.exchange, 2)
      call.needRunning()
      const resumed = await session.get({ lastEventId: lastId(call.exchange) })
      if (resumed.refused) notTestable(`a resume beside an open connection is refused: status ${resumed.status}`)
      expectStatus(resumed, 200, 'a resume beside an open connection')
      await responseIn(resumed, call.id)
      // What was sent before the new connection came may be read a little later.
      const begun = resumed.headAt + takenOverMs
      const early = call.exchange.stream.events.filter(({ at }) => at <= begun).flatMap(readable)
      if (early.some(isResponse)) notTestable('the call was over before the new connection had taken over')
      const late = call.exchange.stream.events.filter(({ at }) => at > begun).flatMap(readable)
      expectEqual(progressIn(late), [], 'the progress on the old connection after the new one took over')
      expectEqual(messagesOn(call.exchange).filter(isResponse), [], 'the responses on the old connection')
      const before = Math.max(...progressIn(messagesOn(call.exchange)))
      const progress = progressIn(messagesOn(resumed))
      expectEqual(progress, numbers(progress[0] ?? 0, count), 'the progress on the new connection')
      expectThat((progress[0] ?? 0) <= before + 1, `Expected no gap after progress ${before}, got ${progress}`)
    },
  }),
  requirement({
    id: 'resume/random-disconnects-lose-nothing',
    title: 'Calls that are disconnected and resumed at random bring every event once, in order.',
    rows: ['R137'],
    level: 'HARD',
    spec,
    because:
      'An event that is made while a client comes back belongs to the replay or to what follows it, never to both or none.',
    needs: bursts,
    abuse: true,
    async check({ openMany }) {
      const sessions = await openMany(10)
      const trial = async (session: Session) => {
        const delayMs = Math.random() < 0.5 ? 0 : 2
        const message = toolCall('burst', { count: 20, delayMs }, { progressToken: 'p' })
        let cuts = 0
        const run = await runPolled(session, message, async ({ stream }) => {
          await stream.next()
          cuts += 1
          if (cuts > 4) await stream.answered(1)
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
    id: 'resume/cut-connections-lose-nothing',
    title: 'A call whose connections the network cuts again and again brings every event once, by resuming.',
    rows: ['R230'],
    level: 'HARD',
    spec,
    because: 'Resuming is there for broken connections, and proxies break them while events are on their way.',
    needs: calls,
    async check({ open, url, target, client, clientFor }) {
      const session = await open()
      const { message, least } = progressMessage(session, { count: 12, delayMs: 120 })
      const proxy = await CuttingProxy.open(url)
      try {
        const cutSession = sessionVia(clientFor(proxy.url), session, { Host: client.host })
        const everyMs = 120 + 4 * target.roundTripMs
        const run = await runThroughCuts(cutSession, message, { proxy, everyMs })
        if (run.messages.every(isResponse)) notTestable('the call is answered with JSON')
        expectComplete(progressIn(run.messages), least, `the progress over ${run.connections} connections`)
        expectEqual(run.messages.filter(isResponse).length, 1, `the responses over ${run.connections} connections`)
      } finally {
        proxy.close()
      }
    },
  }),
  requirement({
    id: 'resume/question-is-replayed',
    title:
      'A question that was asked while nobody was connected comes with the resume, and its answer reaches the tool.',
    rows: ['R124'],
    level: 'HARD',
    spec,
    because: 'A question is a message on the stream like any other, and the call waits for its answer.',
    since: '2025-11-25',
    needs: ['sessions', 'resumption', 'get-stream', 'role:ask'],
    async check({ open }) {
      const session = await open()
      const call = await setUp('a call of `ask`', session.call('ask'))
      const first = await call.exchange.stream.next()
      if ((first?.id ?? '') === '' || first?.data !== '') notTestable('the stream does not begin with a priming event')
      call.exchange.abort()
      const resumed = await session.resume(first.id)
      const isQuestion = ({ message, exchange }: Received) => isRequest(message) && exchange === resumed
      const { message } = await session.receive(isQuestion, 'The question')
      await session.post(resultFor(message.id ?? '', formWith('late')))
      expectAnswer(textOf(await responseIn(resumed, call.id)), 'late')
    },
  }),
  requirement({
    id: 'resume/response-outlives-a-flood',
    title: 'After a flood of progress a resume brings the response, and of the progress what is left, in order.',
    rows: ['T41'],
    level: 'HARD',
    spec,
    because: 'A server may keep less than everything; the response is what the client waits for.',
    needs: ['sse', 'resumption', 'get-stream', 'role:flood'],
    abuse: true,
    async check({ open }) {
      const session = await open()
      const call = await session.call('flood', { count: 1_000, bytes: 16_384 }, { progressToken: 'p' })
      const first = await call.exchange.stream.next()
      await drop(call.exchange, session)
      let lastEventId = first?.id
      const values: number[] = []
      let answer: Message | undefined
      // A server may end the connection where something is gone, so that its client comes back and hears of it.
      for (let resumes = 1; answer === undefined; resumes++) {
        const resumed = await session.get({ lastEventId })
        if (resumed.refused) notTestable(`the beginning of the stream is gone, and a resume answered ${resumed.status}`)
        answer = await responseIn(resumed, call.id, floodMs).catch((error: unknown) => {
          if (resumes < 10 && resumed.stream.ended) return undefined
          throw error
        })
        values.push(...progressIn(messagesOn(resumed)))
        lastEventId = resumed.stream.blocks.findLast((block) => block.lastEventId)?.lastEventId ?? lastEventId
      }
      const { result } = answer
      expectThat(result !== undefined, `Expected the result of the call, got ${JSON.stringify(answer)}`)
      const rising = values.every((value, index) => index === 0 || value > (values[index - 1] ?? 0))
      expectThat(rising, 'Expected what is left of the progress in its order')
    },
  }),
]
