import { beginAsk } from '../client/asking.ts'
import type { Exchange } from '../client/exchange.ts'
import { expectEqual, expectNoServerError, expectResult, expectStatus, expectThat, judged } from '../client/expect.ts'
import {
  awaitLog,
  burst,
  expectAlive,
  expectComplete,
  expectListening,
  expectOwn,
  expectUnmixed,
  logsIn,
  messagesOn,
  numbers,
  progressCall,
  progressIn,
  pushedIn,
  pushedTexts,
} from '../client/probes.ts'
import type { Session } from '../client/session.ts'
import { delay } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#multiple-connections'
const isolation = '2025-11-25/basic/security_best_practices#session-hijacking'

/** How long calls take that are told apart by that. */
const longMs = 600
const shortMs = 100

/** What proxies on the way from a browser to the server at `url` add. */
function forwardedFor({ host }: URL): Record<string, string> {
  return {
    Forwarded: `for=203.0.113.7;proto=https;host="${host}"`,
    'X-Forwarded-For': '203.0.113.7, 198.51.100.2',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': host,
    'X-Forwarded-Port': '443',
    'X-Forwarded-Prefix': '/gateway',
    'X-Real-IP': '203.0.113.7',
    Via: '1.1 gateway.example',
  }
}

/** Calls of the same id and token in several sessions, told apart by how often each reports. */
async function expectOwnCounts(sessions: readonly Session[]): Promise<void> {
  const counts = sessions.map((_, index) => index + 3)
  const calls = await Promise.all(
    sessions.map((session, index) => {
      return burst(session, { count: counts[index] ?? 0, delayMs: 15 }, { id: 1, progressToken: 1 })
    }),
  )
  for (const [index, call] of calls.entries()) {
    expectResult(await call.response(), 'each of several calls')
    const progress = progressIn(messagesOn(call.exchange))
    expectEqual(progress, numbers(1, counts[index] ?? 0), 'the progress in one of several sessions')
  }
}

/** Of calls with the same id that take unequally long, the long one must not end with the answer to the short one. */
async function expectOwnAnswers([one, other]: readonly Session[]): Promise<void> {
  if (one === undefined || other === undefined) return
  const startedAt = performance.now()
  const call = (session: Session, ms: number) => session.call('slow', { ms }, { id: 1 })
  const [long, short] = await Promise.all([call(one, longMs), call(other, shortMs)])
  expectResult(await short.response(), 'the shorter of two calls')
  expectResult(await long.response(), 'the longer of two calls')
  const after = Math.round(performance.now() - startedAt)
  // Timers may fire a little early.
  const isOwn = after > 0.9 * longMs
  expectThat(
    isOwn,
    `Expected a call of ${longMs} ms to get its own answer, it got one after ${after} ms, when that of another session with the same id ended`,
  )
}

/** H. Multiple connections. */
export const connectionRequirements = [
  requirement({
    id: 'connections/several-streams-at-once',
    title: 'Several calls stream at once beside a GET stream, each in full.',
    rows: ['R114'],
    level: 'MAY',
    spec,
    needs: ['sse'],
    async check({ open }) {
      const session = await open()
      await session.ensureListening()
      const calls = await Promise.all(numbers(1, 3).map(() => progressCall(session, { delayMs: 50 })))
      for (const call of calls) {
        await call.response()
        expectComplete(call.progress, call.least, 'the progress on one of three streams')
      }
    },
  }),
  requirement({
    id: 'connections/second-get-is-accepted',
    title: 'A second GET beside the first gets a stream, or 405, and no other answer.',
    rows: ['R115', 'T7'],
    level: 'SHOULD',
    spec: '2025-11-25/basic/transports#listening-for-messages-from-the-server',
    because: 'A client may have several streams (Multiple Connections 1), and a GET has these two answers.',
    needs: ['get-stream'],
    async check({ open }) {
      const session = await open()
      await session.listen()
      expectStatus(await session.get(), [200, 405], 'a second GET while the first is open')
    },
  }),
  requirement({
    id: 'connections/push-arrives-exactly-once',
    title: 'With two GET streams and two calls open, each pushed message comes on one of them, once.',
    rows: ['R116'],
    level: 'MUST',
    spec,
    needs: ['get-stream', 'sse', 'role:push', 'role:burst'],
    async check({ open }) {
      const session = await open()
      const listening: Exchange[] = [await session.listen(), await session.get()]
      const calls = await Promise.all([1, 2].map(() => burst(session, { count: 10, delayMs: 30 })))
      await session.text('push', { count: 5, text: 'once' })
      await session.receive(({ message }) => logsIn([message])[0] === 'once:5', 'The pushed message')
      await Promise.all(calls.map((call) => call.response()))
      await delay(100)
      const all = [...listening, ...calls.map((call) => call.exchange)].flatMap(messagesOn)
      expectEqual(logsIn(all, 'once').toSorted(), pushedTexts('once', 5), 'the pushed messages over all streams')
    },
  }),
  requirement({
    id: 'connections/question-arrives-exactly-once',
    title: 'A question to the client comes once over all its streams.',
    rows: ['R117'],
    level: 'MUST',
    spec,
    needs: ['sessions', 'sse', 'role:ask'],
    async check({ open }) {
      const session = await open()
      await session.ensureListening()
      const { asked } = await beginAsk(session)
      await expectAlive(session)
      await delay(150)
      const questions = session.received.filter(({ message }) => message.method === asked.message.method)
      expectEqual(questions.length, 1, 'the number of questions over all streams')
    },
  }),
  requirement({
    id: 'connections/sessions-with-equal-ids-are-told-apart',
    title: 'Calls with the same id in six sessions at once get each their own progress and result.',
    rows: ['R118', 'T11'],
    level: 'dMUST',
    spec: isolation,
    because:
      'Ids are the choice of each client, so that one session with the id of another must not get what is for that.',
    needs: ['sessions', 'sse'],
    async check({ openMany, target }) {
      const sessions = await openMany(6)
      if (target.roles.has('slow')) await expectOwnAnswers(sessions)
      await expectUnmixed(sessions.map((session, index) => progressCall(session, { delayMs: 50, id: `own-${index}` })))
      const calls = await Promise.all(
        sessions.map((session, index) => progressCall(session, { delayMs: 50, id: 1, progressToken: `s${index}` })),
      )
      for (const call of calls) {
        expectResult(await call.response(), 'each of several calls')
        expectOwn(call, 'the stream of one of several sessions')
        expectComplete(call.progress, call.least, 'the progress in one of several sessions')
      }
      if (target.roles.has('burst')) await expectOwnCounts(sessions)
    },
  }),
  requirement({
    id: 'connections/many-sessions-get-their-own-answers',
    title: 'With forty sessions at once, each call gets its own answer.',
    rows: ['R120', 'T11'],
    level: 'MUST',
    spec: isolation,
    because: 'An answer that reaches another session leaks to a stranger what it holds.',
    needs: ['sessions', 'role:echo'],
    abuse: true,
    async check({ openMany }) {
      const sessions = await openMany(40)
      await Promise.all(
        sessions.flatMap((session, index) => {
          return numbers(0, 4).map(async (id) => {
            const text = `session ${index} call ${id}`
            const call = await session.call('echo', { text }, { id })
            expectEqual(await call.text(), text, 'the text that came back')
          })
        }),
      )
    },
  }),
  requirement({
    id: 'connections/push-stays-in-its-session',
    title: 'Messages pushed in one session do not come in another.',
    rows: ['R119', 'T10'],
    level: 'dMUST',
    spec: isolation,
    because: 'A message that reaches another session leaks to a stranger what it holds.',
    needs: ['sessions', 'get-stream', 'role:push'],
    async check({ openMany }) {
      const [one, other] = await openMany(2)
      if (one === undefined || other === undefined) return
      const [ones, others] = [await one.listen(), await other.listen()]
      await one.text('push', { count: 5, text: 'private' })
      await other.text('push', { count: 1, text: 'own' })
      await Promise.all([awaitLog(ones, 'private:5'), awaitLog(others, 'own:1')])
      await delay(100)
      expectEqual(pushedIn(messagesOn(others)), ['own:1'], 'what the other session received')
      expectEqual(pushedIn(messagesOn(ones)), pushedTexts('private', 5), 'what the session received')
    },
  }),
  requirement({
    id: 'connections/forwarded-headers-do-no-harm',
    title: 'Requests with the headers that proxies add are answered as without them.',
    rows: ['R231'],
    level: 'HARD',
    spec: 'RFC 7239 §4',
    because: 'These fields tell of the way a request took; a server that does not know them has nothing to refuse.',
    async check({ open, url }) {
      const session = await judged(open({ headers: forwardedFor(url) }))
      await expectAlive(session)
      await expectListening(await session.get(), open, 'a GET that came through a proxy')
      if (session.id !== undefined) expectNoServerError(await session.delete(), 'a DELETE that came through a proxy')
    },
  }),
]
