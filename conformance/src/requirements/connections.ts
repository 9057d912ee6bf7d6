import { beginAsk } from '../client/asking.ts'
import type { Exchange } from '../client/exchange.ts'
import { expectEqual, expectStatus, expectThat } from '../client/expect.ts'
import { isRequest } from '../client/json-rpc.ts'
import { awaitLog, burst, expectAlive, logsIn, messagesOn, numbers, progressIn, pushedTexts } from '../client/probes.ts'
import { delay } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#multiple-connections'
const isolation = '2025-11-25/basic/security_best_practices#session-hijacking'

/** H. Multiple connections. */
export const connectionRequirements = [
  requirement({
    id: 'connections/several-streams-at-once',
    rows: ['R114'],
    level: 'MAY',
    spec,
    needs: ['sse', 'role:burst'],
    async check({ open }) {
      const session = await open()
      await session.ensureListening()
      const calls = await Promise.all(numbers(1, 3).map(() => burst(session, { count: 3, delayMs: 30 })))
      for (const call of calls) {
        await call.response()
        expectEqual(progressIn(messagesOn(call.exchange)), [1, 2, 3], 'the progress on one of three streams')
      }
    },
  }),
  requirement({
    id: 'connections/second-get-is-accepted',
    rows: ['R115', 'T7'],
    level: 'SHOULD',
    spec,
    needs: ['get-stream'],
    async check({ open }) {
      const session = await open()
      await session.listen()
      expectStatus(await session.get(), [200, 405], 'a second GET while the first is open')
    },
  }),
  requirement({
    id: 'connections/push-arrives-exactly-once',
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
    rows: ['R117'],
    level: 'MUST',
    spec,
    needs: ['sessions', 'sse', 'role:ask'],
    async check({ open }) {
      const session = await open()
      await session.ensureListening()
      await beginAsk(session)
      await expectAlive(session)
      await delay(150)
      const questions = session.received.filter(({ message }) => isRequest(message))
      expectEqual(questions.length, 1, 'the number of questions over all streams')
    },
  }),
  requirement({
    id: 'connections/sessions-with-equal-ids-are-told-apart',
    rows: ['R118', 'T11'],
    level: 'dMUST',
    spec: isolation,
    needs: ['sessions', 'sse', 'role:burst'],
    async check({ openMany }) {
      const sessions = await openMany(6)
      const counts = sessions.map((_, index) => index + 3)
      const calls = await Promise.all(
        sessions.map((session, index) => {
          return burst(session, { count: counts[index] ?? 0, delayMs: 15 }, { id: 1, progressToken: 1 })
        }),
      )
      for (const [index, call] of calls.entries()) {
        const response = await call.response()
        expectThat(response.result !== undefined, `Expected a result, got ${JSON.stringify(response)}`)
        const progress = progressIn(messagesOn(call.exchange))
        expectEqual(progress, numbers(1, counts[index] ?? 0), 'the progress in one of several sessions')
      }
    },
  }),
  requirement({
    id: 'connections/many-sessions-get-their-own-answers',
    rows: ['R120', 'T11'],
    level: 'HARD',
    spec: isolation,
    needs: ['sessions', 'role:echo'],
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
    rows: ['R119', 'T10'],
    level: 'dMUST',
    spec: isolation,
    needs: ['sessions', 'get-stream', 'role:push'],
    async check({ openMany }) {
      const [one, other] = await openMany(2)
      if (one === undefined || other === undefined) return
      const [ones, others] = [await one.listen(), await other.listen()]
      await one.text('push', { count: 5, text: 'private' })
      await other.text('push', { count: 1, text: 'own' })
      await Promise.all([awaitLog(ones, 'private:5'), awaitLog(others, 'own:1')])
      await delay(100)
      expectEqual(logsIn(messagesOn(others)), ['own:1'], 'what the other session received')
      expectEqual(logsIn(messagesOn(ones)), pushedTexts('private', 5), 'what the session received')
    },
  }),
]
