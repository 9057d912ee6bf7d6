import { expectAnswer, formWith } from '../client/asking.ts'
import { CuttingProxy } from '../client/cutting-proxy.ts'
import { readable } from '../client/event-reader.ts'
import type { Exchange } from '../client/exchange.ts'
import {
  expectEqual,
  expectNoServerError,
  expectRefused,
  expectStatus,
  expectThat,
  notTestable,
} from '../client/expect.ts'
import { forgedFrom, guessedFrom, splicedFrom } from '../client/forging.ts'
import { isRequest, isResponse, type Message, resultFor, textOf, toolCall } from '../client/json-rpc.ts'
import { listenPolled, runPolled, runThroughCuts } from '../client/polling.ts'
import {
  awaitLog,
  awaitProgress,
  burst,
  endSession,
  expectComplete,
  listenWithEvent,
  logsIn,
  messagesOn,
  needEnded,
  numbers,
  type ProgressCall,
  progressCall,
  progressIn,
  progressMessage,
  pushedTexts,
  sessionVia,
} from '../client/probes.ts'
import { type Received, responseIn, type Session } from '../client/session.ts'
import type { Target } from '../client/target.ts'
import { delay, takenOverMs } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#resumability-and-redelivery'
const hijacking = '2025-11-25/basic/security_best_practices#session-hijacking'
const multiple = '2025-11-25/basic/transports#multiple-connections'
const calls = ['resumption', 'get-stream', 'sse'] as const
const bursts = ['sse', 'resumption', 'get-stream', 'role:burst'] as const
const pushes = ['resumption', 'get-stream', 'role:push'] as const

/** Sixteen megabytes on their way through several nodes of a busy machine; a check has 20 seconds. */
const floodMs = 17_000

/** Ids of the events with data that came on a stream. */
function idsOn(exchange: Exchange): string[] {
  return exchange.stream.events
    .filter((event) => event.data !== '')
    .map((event) => event.id ?? notTestable('not every event of a stream has an id'))
}

/** A finished call with ids on its stream. */
async function finished(session: Session, count: number, token: string): Promise<ProgressCall> {
  return await (await progressCall(session, { count, progressToken: token, id: `${token}-call` })).finish()
}

/** The first id on a stream, be it of a priming event. */
function firstId(exchange: Exchange): string {
  return exchange.stream.events.find(({ id }) => id)?.id ?? notTestable('no event of the call has an id')
}

/** What came on a stream after the event with this id. */
function messagesAfter({ stream }: Exchange, eventId: string): Message[] {
  const index = stream.events.findIndex(({ id }) => id === eventId)
  return stream.events.slice(index + 1).flatMap(readable)
}

function lastId(exchange: Exchange): string {
  return exchange.stream.lastEventId ?? notTestable('no event with an id came on the stream of the call')
}

/** Drops a connection, and gives the server the time to see it: to take over at once is a requirement of its own. */
async function drop(exchange: Exchange, { client }: Session): Promise<void> {
  exchange.abort()
  await delay(100 + (client.settings.roundTripMs ?? 0))
}

/** What a resume with this id brings within `ms`, or until the stream ends. */
async function replayed(
  session: Session,
  lastEventId: string,
  ms: number,
): Promise<{ exchange: Exchange; messages: Message[] }> {
  const exchange = await session.get({ lastEventId })
  if (exchange.isEventStream) await exchange.stream.endsWithin(ms + (session.client.settings.roundTripMs ?? 0))
  const messages = messagesOn(exchange)
  exchange.abort()
  return { exchange, messages }
}

/** What a resume of a finished call brings. A server may replay, and may have nothing left to replay. */
async function replayedAgain(session: Session, lastEventId: string): Promise<Message[]> {
  const { exchange, messages } = await replayed(session, lastEventId, 1_500)
  if (exchange.refused) notTestable(`a call that was answered cannot be resumed: status ${exchange.status}`)
  return messages
}

/** So long after a head what is read was sent after it too: by then all that waited in this process has been read. */
const settledMs = 100

const mostGuessesAtOnce = 8

/** Tries ids that name nothing of this session, a few at a time. */
async function expectNoLeak(
  session: Session,
  { ids, what, isLeak }: { ids: readonly string[]; what: string; isLeak: (message: Message) => boolean },
): Promise<void> {
  const queue = new Set(ids).values()
  const work = async () => {
    for (const id of queue) {
      const { exchange, messages } = await replayed(session, id, 150)
      expectNoServerError(exchange, `${what} ${id}`)
      expectEqual(messages.filter(isLeak), [], `the messages replayed for ${what} ${id}`)
    }
  }
  await Promise.all(Array.from({ length: mostGuessesAtOnce }, work))
}

function isOfCall(message: Message): boolean {
  return isResponse(message) || message.method === 'notifications/progress'
}

/** Tokens, ids and texts of one session begin with it. */
function isSecret(message: Message): boolean {
  return JSON.stringify(message).includes('secret')
}

/** Whether something can be sent on the standalone stream, and read. */
function canPush({ roles, offers }: Target): boolean {
  return roles.has('push') && offers.has('get-stream')
}

/** A session with a text on its streams that no other may see, and the first ids of those streams. */
async function withTextOnStreams(session: Session, text: string): Promise<{ call: ProgressCall; ids: string[] }> {
  const pushed: string[] = []
  if (session.client.settings.roles?.has('push')) {
    pushed.push((await listenWithEvent(session)).lastEventId)
    await session.text('push', { count: 3, text })
  }
  const call = await finished(session, 4, text)
  return { call, ids: [...pushed, firstId(call.exchange)] }
}

/** I. Resumability. */
export const resumptionRequirements = [
  requirement({
    id: 'resume/event-ids-are-unique',
    title: 'No event id occurs twice in a session, over all its streams.',
    rows: ['R121'],
    level: 'MUST',
    spec,
    needs: ['resumption', 'sse'],
    async check({ open, target }) {
      const session = await open()
      const listening: Exchange[] = canPush(target) ? [await session.listen()] : []
      const running = await Promise.all(numbers(1, 5).map((count) => progressCall(session, { count, delayMs: 5 })))
      for (const exchange of listening) {
        await session.text('push', { count: 5, text: 'p' })
        await awaitLog(exchange, 'p:5')
      }
      for (const call of running) await call.response()
      const ids = [...listening, ...running.map((call) => call.exchange)].flatMap(idsOn)
      expectEqual(new Set(ids).size, ids.length, `the number of distinct ids among ${ids.length} events`)
    },
  }),
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
    id: 'resume/event-ids-fit-a-header',
    title: 'Event ids are visible ASCII of up to 1 KiB.',
    rows: ['R123'],
    level: 'HARD',
    spec: 'WHATWG HTML §9.2.4',
    because: 'The client sends the id back in the header Last-Event-ID, which must carry it unchanged.',
    needs: ['resumption', 'sse'],
    async check({ open, target }) {
      const session = await open()
      const standalone = canPush(target) ? idsOn((await listenWithEvent(session)).exchange) : []
      const call = await finished(session, 3, 'p')
      for (const id of [...standalone, ...idsOn(call.exchange)]) {
        expectThat(/^[\x21-\x7e]{1,1024}$/.test(id), `Expected visible ASCII of up to 1 KiB, got ${JSON.stringify(id)}`)
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
    id: 'resume/foreign-event-id-leaks-nothing',
    title: 'With an event id of another session a resume brings nothing of that session.',
    rows: ['R126', 'T8'],
    level: 'dMUST',
    spec: hijacking,
    because:
      'An event id is known to more than its owner, so that only the session itself may read what it stands for.',
    needs: [...calls, 'sessions'],
    async check({ openMany }) {
      const [victim, attacker] = await openMany(2)
      if (victim === undefined || attacker === undefined) return
      const { call, ids } = await withTextOnStreams(victim, 'secret')
      const all = [...ids, ...idsOn(call.exchange).slice(1, 2), call.exchange.stream.events[0]?.id ?? '']
      const known = all.filter((id) => id !== '')
      await expectNoLeak(attacker, { ids: known, what: 'the id of another session', isLeak: isSecret })
    },
  }),
  requirement({
    id: 'resume/guessed-event-ids-leak-nothing',
    title: "With an event id guessed from one's own a resume brings nothing of another session.",
    rows: ['R126', 'T8', 'T9'],
    level: 'dMUST',
    spec: hijacking,
    because: 'What can be guessed protects nothing, so that only the session itself may read what an id stands for.',
    needs: [...calls, 'sessions'],
    async check({ openMany }) {
      const [victim, attacker] = await openMany(2)
      if (victim === undefined || attacker === undefined) return
      const [theirs, own] = [await withTextOnStreams(victim, 'secret'), await withTextOnStreams(attacker, 'own')]
      const guesses = theirs.ids.flatMap((id, index) => [...splicedFrom(own.ids[index] ?? '', id), ...guessedFrom(id)])
      await expectNoLeak(attacker, { ids: guesses, what: 'the made-up id', isLeak: isSecret })
    },
  }),
  requirement({
    id: 'resume/needs-the-session-id',
    title: 'A resume without the session id is refused with 400.',
    rows: ['R127'],
    level: 'SHOULD',
    spec: '2025-11-25/basic/transports#session-management',
    needs: [...calls, 'sessions'],
    async check({ open, get, version }) {
      const plain = await get()
      if (plain.ok) notTestable('the server needs no session id: it opens a stream without one')
      const call = await finished(await open(), 3, 'p')
      const lastEventId = firstId(call.exchange)
      const exchange = await get({ lastEventId, headers: { 'MCP-Protocol-Version': version } })
      expectStatus(exchange, 400, 'a resume without a session id')
    },
  }),
  requirement({
    id: 'resume/ended-session-is-404',
    title: 'A resume in a session that was deleted is refused with 404.',
    rows: ['R128'],
    level: 'dMUST',
    spec: hijacking,
    because: 'What a session has sent is not for those who come after its end, and every request with its id is 404.',
    needs: [...calls, 'sessions', 'delete'],
    async check({ open }) {
      const session = await open()
      const call = await finished(session, 3, 'p')
      await endSession(session)
      const exchange = await session.get({ lastEventId: firstId(call.exchange) })
      if (exchange.ok) await needEnded(session)
      expectStatus(exchange, 404, 'a resume in an ended session')
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
    id: 'resume/concurrent-pushes-keep-their-order',
    title: 'A replay of messages that were pushed at the same time keeps the order in which they first came.',
    rows: ['R129', 'T4'],
    level: 'dMUST',
    spec,
    because: 'The id is a cursor within the stream, so that what comes after it is what came after it before.',
    needs: pushes,
    async check({ open }) {
      const session = await open()
      const { exchange } = await listenWithEvent(session)
      await Promise.all(numbers(1, 20).map((index) => session.text('push', { count: 10, text: `p${index}` })))
      await exchange.stream.atLeast(201)
      const live = exchange.stream.events.filter((event) => event.data !== '')
      expectEqual(live.length, 201, 'the number of messages on the stream')
      await drop(exchange, session)
      for (const cut of [0, 37, 120, 199]) {
        const resumed = await session.resume(live[cut]?.id)
        await resumed.stream.atLeast(200 - cut)
        expectEqual(
          resumed.stream.events.map((event) => event.data).filter((data) => data !== ''),
          live.slice(cut + 1).map((event) => event.data),
          `the messages after event ${cut}`,
        )
        await drop(resumed, session)
      }
    },
  }),
  requirement({
    id: 'resume/from-the-last-id-replays-nothing',
    title: 'A resume from the last id brings nothing again, only what is new.',
    rows: ['R130'],
    level: 'SHOULD',
    spec,
    because: 'What is replayed is what would have been sent after the id; what the client has is not that.',
    needs: pushes,
    async check({ open }) {
      const session = await open()
      const { exchange, lastEventId } = await listenWithEvent(session)
      await drop(exchange, session)
      const resumed = await session.resume(lastEventId)
      await session.text('push', { count: 1, text: 'next' })
      await awaitLog(resumed, 'next:1')
      expectEqual(logsIn(messagesOn(resumed)), ['next:1'], 'the messages after a resume from the last id')
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
    id: 'resume/standalone-stream-keeps-what-was-missed',
    title: 'Messages pushed while the GET stream was broken come when it is resumed, before those that are new.',
    rows: ['R134'],
    level: 'dMUST',
    spec,
    because:
      'A server that gives out event ids has chosen to make its streams resumable, and that applies to streams opened by GET too.',
    needs: pushes,
    async check({ open }) {
      const session = await open()
      const { exchange, lastEventId } = await listenWithEvent(session)
      await drop(exchange, session)
      await session.text('push', { count: 4, text: 'missed' })
      const resumed = await session.resume(lastEventId)
      await session.text('push', { count: 1, text: 'live' })
      await awaitLog(resumed, 'live:1')
      const expected = [...pushedTexts('missed', 4), 'live:1']
      expectEqual(logsIn(messagesOn(resumed)), expected, 'the messages after the resume')
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
      const call = await burst(session, { count: 10, delayMs: 60 })
      await awaitProgress(call.exchange, 2)
      const resumed = await session.get({ lastEventId: lastId(call.exchange) })
      if (resumed.refused) notTestable(`a resume beside an open connection is refused: status ${resumed.status}`)
      expectStatus(resumed, 200, 'a resume beside an open connection')
      await responseIn(resumed, call.id)
      // What was sent before the new connection came may be read a little later.
      const begun = resumed.headAt + takenOverMs
      const late = call.exchange.stream.events.filter(({ at }) => at > begun).flatMap(readable)
      expectEqual(progressIn(late), [], 'the progress on the old connection after the new one took over')
      expectEqual(messagesOn(call.exchange).filter(isResponse), [], 'the responses on the old connection')
      const before = Math.max(...progressIn(messagesOn(call.exchange)))
      const progress = progressIn(messagesOn(resumed))
      expectEqual(progress, numbers(progress[0] ?? 0, 10), 'the progress on the new connection')
      expectThat((progress[0] ?? 0) <= before + 1, `Expected no gap after progress ${before}, got ${progress}`)
    },
  }),
  requirement({
    id: 'resume/goes-on-when-the-old-connection-closes',
    title: 'A GET stream that was resumed beside its old connection goes on when that one closes.',
    rows: ['R136', 'T19'],
    level: 'dMUST',
    spec: multiple,
    because:
      'The old connection is closed late, by a proxy or by its client: what is forgotten then must be that one and not the new.',
    needs: pushes,
    async check({ open }) {
      const session = await open()
      const { exchange, lastEventId } = await listenWithEvent(session)
      const resumed = await session.get({ lastEventId })
      if (resumed.refused) notTestable(`a resume beside an open connection is refused: status ${resumed.status}`)
      expectStatus(resumed, 200, 'a resume beside an open connection')
      exchange.abort()
      await delay(takenOverMs)
      await session.text('push', { count: 1, text: 'closed' })
      await awaitLog(resumed, 'closed:1')
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
    id: 'resume/random-disconnects-while-listening-lose-nothing',
    title: 'GET streams that are disconnected and resumed at random bring every message once, in order.',
    rows: ['R134', 'R137'],
    level: 'HARD',
    spec,
    because:
      'A message that is pushed while a client comes back belongs to the replay or to what follows it, never to both or none.',
    needs: pushes,
    abuse: true,
    async check({ openMany }) {
      const sessions = await openMany(5)
      const trial = async (session: Session) => {
        const { exchange, lastEventId } = await listenWithEvent(session)
        await drop(exchange, session)
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
      const call = await session.call('ask')
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
  requirement({
    id: 'resume/garbage-event-id-is-refused',
    title: 'A Last-Event-ID that the server never gave out is refused with a 4xx status.',
    rows: ['R138', 'T9'],
    level: 'SHOULD',
    spec,
    because: 'Such an id names no stream, and an open stream would tell the client that it has missed nothing.',
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
    title: 'An id made up from a real one brings no message of a call.',
    rows: ['R139', 'T9'],
    level: 'SHOULD',
    spec,
    because: 'An id names a stream and a place in it only if the server gave it out.',
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
      await expectNoLeak(session, { ids: forged, what: 'the forged id', isLeak: isOfCall })
    },
  }),
  requirement({
    id: 'resume/event-id-without-a-store-does-no-harm',
    title: 'A server whose events have no ids refuses a Last-Event-ID, or answers as to any GET: live messages come.',
    rows: ['R142'],
    level: 'HARD',
    spec,
    because: 'The server may use the header or not; an open stream on which nothing ever comes is neither.',
    needs: ['get-stream', 'sse', 'role:progress'],
    async check({ open, target }) {
      const session = await open()
      const call = await progressCall(session)
      await call.response()
      if (call.exchange.stream.lastEventId !== undefined) notTestable('the events of this server have ids')
      const listening = await session.get({ lastEventId: 'never-issued' })
      if (listening.refused) return
      expectStatus(listening, 200, 'a GET with an event id that the server cannot know')
      expectThat(listening.isEventStream, `Expected an event stream, got ${listening.contentType}`)
      if (target.roles.has('push')) {
        await session.text('push', { count: 1, text: 'live' })
        await awaitLog(listening, 'live:1')
      } else if (target.roles.has('list_changed')) {
        await session.text('list_changed')
        const isChange = ({ message }: Received) => message.method === 'notifications/tools/list_changed'
        await session.receive(isChange, 'The announcement that the list of tools has changed')
      }
    },
  }),
  requirement({
    id: 'resume/works-on-another-node',
    title: 'What one node has sent, another brings on a resume, for its own session only.',
    rows: ['R143', 'T8'],
    level: 'HARD',
    spec,
    because:
      'A load balancer may send a client that reconnects to any node: what it can resume must not depend on which.',
    needs: [...calls, 'second-node', 'sessions'],
    async check({ openMany, target, clientFor }) {
      const [one, other] = await openMany(2)
      if (one === undefined || other === undefined || target.secondUrl === undefined) return
      const client = clientFor(target.secondUrl)
      const call = await finished(one, 4, 'secret')
      const eventId = firstId(call.exchange)
      const expected = progressIn(await replayedAgain(one, eventId))
      const { exchange, messages } = await replayed(sessionVia(client, one), eventId, 1_500)
      expectStatus(exchange, 200, 'a resume on the other node')
      expectEqual(progressIn(messages), expected, 'the progress replayed on the other node')
      expectEqual(messages.at(-1)?.id, call.id, 'the id of the last message replayed on the other node')
      const foreign = { ids: [eventId], what: 'the id of another session', isLeak: isSecret }
      await expectNoLeak(sessionVia(client, other), foreign)
    },
  }),
]
