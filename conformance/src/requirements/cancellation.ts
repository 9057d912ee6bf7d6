import { answerWith, beginAsk } from '../client/asking.ts'
import type { Exchange } from '../client/exchange.ts'
import { expectAccepted, expectEqual, expectStatus, expectThat, notTestable } from '../client/expect.ts'
import { type Id, type Message, notification, toolCall } from '../client/json-rpc.ts'
import {
  countResponses,
  expectAlive,
  expectComplete,
  messagesOn,
  progressCall,
  progressIn,
  Trace,
} from '../client/probes.ts'
import type { Session } from '../client/session.ts'
import { delay, patienceMs } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/utilities/cancellation'
const progress = '2025-11-25/basic/utilities/progress'

function cancel(session: Session, requestId: Id | undefined): Promise<Exchange> {
  return session.notify('notifications/cancelled', { requestId, reason: 'conformance' })
}

/** Longer than a ping takes on a busy machine. */
const slowMs = 2_000

/** A call that is still running when the cancellation comes, on a busy machine too. */
const long = { count: 150, delayMs: 40 } as const

/** Shorter than that call, so that its own end is not mistaken for that by the cancellation. */
const endMs = 4_000

/** In which a server sees that a connection was closed. */
const seenMs = 200

/** Of each report of progress. */
function tokensIn(messages: readonly Message[]): unknown[] {
  return messages.filter(({ method }) => method === 'notifications/progress').map(({ params }) => params?.progressToken)
}

async function expectAcceptedEmpty(exchange: Exchange, what: string): Promise<void> {
  expectStatus(exchange, 202, what)
  expectEqual(await exchange.text(), '', `the body in answer to ${what}`)
}

/** M. Ping, progress, cancellation. */
export const cancellationRequirements = [
  requirement({
    id: 'ping/is-answered-beside-a-running-call',
    title: 'A ping is answered with an empty result while a call of two seconds runs in the same session.',
    rows: ['R190'],
    level: 'MUST',
    spec: '2025-11-25/basic/utilities/ping',
    needs: ['role:slow'],
    async check({ open }) {
      const session = await open()
      const slow = session.startPost(toolCall('slow', { ms: slowMs }))
      const startedAt = performance.now()
      const answer = await session.request('ping')
      const after = Math.round(performance.now() - startedAt)
      expectEqual(answer.result, {}, 'the result of ping')
      expectThat(after < slowMs, `Expected ping to be answered beside a call of ${slowMs} ms, it took ${after} ms`)
      slow.abort()
    },
  }),
  requirement({
    id: 'progress/keeps-the-tokens-type',
    title: "Progress notifications carry the request's progress token, in value and in type.",
    rows: ['R191'],
    level: 'MUST',
    spec: progress,
    needs: ['sse', 'role:progress'],
    async check({ open, target }) {
      const session = await open()
      await session.ensureListening()
      let reported = 0
      for (const progressToken of [0, '0', 4_711, '4712', 'ü', 'with "quotes" and \\']) {
        const call = await progressCall(session, { progressToken })
        await call.response()
        const tokens = new Set(tokensIn(messagesOn(call.exchange)))
        // A server need not report on every call.
        if (tokens.size > 0) expectEqual([...tokens], [progressToken], 'the progress tokens')
        // On which stream it reports is for another requirement, and so is what comes of other calls.
        const unknown = tokensIn(session.received.map(({ message }) => message)).filter(
          (token) => !target.witness.knows(token),
        )
        expectEqual(unknown, [], 'the progress tokens that no request had')
        reported += call.progress.length
      }
      if (reported === 0) notTestable('no progress came')
    },
  }),
  requirement({
    id: 'progress/falsy-tokens-are-tokens',
    title: 'A tool that reports progress does so under the tokens 0 and "", too.',
    rows: ['R191'],
    level: 'HARD',
    spec: progress,
    because:
      'Every integer and every text is a token, and clients count their requests from 0. A server need not report, but a client that asks alike expects the same.',
    needs: ['sse', 'role:progress'],
    async check({ open }) {
      const session = await open()
      const isReported = async (progressToken: Id): Promise<boolean> => {
        await (await progressCall(session, { progressToken })).response()
        const tokens = tokensIn(session.received.map(({ message }) => message))
        // That it keeps its type is for another requirement.
        return tokens.some((token) => String(token) === String(progressToken))
      }
      if (!(await isReported('any'))) notTestable('no progress came')
      for (const token of [0, '']) {
        const comes = await isReported(token)
        expectThat(comes, `Expected progress under the token ${JSON.stringify(token)}, as it comes under "any"`)
      }
    },
  }),
  requirement({
    id: 'progress/increases',
    title: 'The progress values of a call increase with each notification.',
    rows: ['R192'],
    level: 'MUST',
    spec: progress,
    needs: ['sse', 'role:progress'],
    async check({ open }) {
      const call = await progressCall(await open(), { count: 20 })
      await call.response()
      expectComplete(call.progress, 1, 'the progress of a call')
    },
  }),
  requirement({
    id: 'progress/increases-in-each-of-two-calls',
    title: 'The progress values of two calls at once increase with each notification, for each of them.',
    rows: ['R192'],
    level: 'MUST',
    spec: progress,
    needs: ['sse', 'role:progress'],
    // What mixes these two mixes them with any others that run.
    alone: true,
    async check({ open }) {
      const session = await open()
      const calls = await Promise.all([1, 2].map(() => progressCall(session, { count: 10, delayMs: 20 })))
      for (const call of calls) await call.response()
      // How much of it comes is for other requirements.
      for (const call of calls) expectComplete(call.progress, 0, 'the progress of one of two calls')
    },
  }),
  requirement({
    id: 'progress/needs-a-token',
    title: 'A call without a progress token brings no progress notifications.',
    rows: ['R193'],
    level: 'dMUST',
    spec: progress,
    because:
      'A notification must carry a token that came with an active request: where none came there is none to carry.',
    needs: ['role:progress'],
    async check({ open, target }) {
      const session = await open()
      await session.ensureListening()
      await (await session.call('progress')).response()
      await delay(100)
      // What a server sends to all its sessions is of other checks: that is for another requirement.
      const own = session.received.filter(({ message }) => !target.witness.knows(message.params?.progressToken))
      const all = progressIn(own.map(({ message }) => message))
      expectEqual(all, [], 'the progress of calls without a progress token')
    },
  }),
  requirement({
    id: 'cancel/is-202-empty',
    title: 'A notifications/cancelled that is accepted is answered 202 without a body.',
    rows: ['R194'],
    level: 'dMUST',
    spec: '2025-11-25/basic/transports#sending-messages-to-the-server',
    because:
      'A cancellation is a notification, and the transport says of every one that is accepted how it is answered.',
    async check({ open, target }) {
      const session = await open()
      const finished = await session.request('ping')
      const late = await cancel(session, finished.id)
      // Not to accept it is no error of form, as there is nothing to cancel.
      if (!late.refused) await expectAcceptedEmpty(late, 'the cancellation of a finished request')
      if (!target.roles.has('slow')) return
      session.startPost(toolCall('slow', { ms: slowMs }, { id: 'running' }))
      await expectAlive(session)
      await expectAcceptedEmpty(await cancel(session, 'running'), 'the cancellation of a running call')
    },
  }),
  requirement({
    id: 'cancel/aborts-the-handler',
    title: 'The handler of a cancelled call is told to stop.',
    rows: ['R195'],
    level: 'SHOULD',
    spec,
    needs: ['sessions', 'role:abort_probe', 'role:abort_query'],
    async check({ open }) {
      const session = await open()
      const trace = new Trace()
      const message = trace.call(10_000)
      session.startPost(message)
      await trace.until(session, ['running'])
      await cancel(session, message.id)
      const state = await trace.until(session, ['aborted', 'finished'])
      expectEqual(state, 'aborted', 'the state of a cancelled call')
    },
  }),
  requirement({
    id: 'cancel/is-not-answered',
    title: 'A cancelled call gets no response.',
    rows: ['R196'],
    level: 'SHOULD',
    spec,
    needs: ['sessions', 'sse', 'role:burst'],
    async check({ open }) {
      const session = await open()
      await session.ensureListening()
      const call = await progressCall(session, { ...long, count: 60 })
      await call.awaitReports(2)
      call.needRunning()
      await cancel(session, call.id)
      // Where the cancellation had no effect, the answer comes within this time.
      await call.exchange.stream.endsWithin(patienceMs)
      const all = session.received.map(({ message }) => message)
      expectEqual(countResponses(all, call.id), 0, 'the number of responses to a cancelled call')
    },
  }),
  requirement({
    id: 'cancel/ends-the-stream',
    title: 'The event stream of a cancelled call ends.',
    rows: ['R197'],
    level: 'SHOULD',
    spec,
    because:
      'The clause has the receiver free what belongs to the request; with no response to come, nothing else would ever end the stream.',
    needs: ['sessions', 'sse', 'role:burst'],
    async check({ open }) {
      const session = await open()
      const call = await progressCall(session, long)
      await call.awaitReports(2)
      await cancel(session, call.id)
      const ended = await call.exchange.stream.endsWithin(endMs)
      expectThat(ended, `Expected the stream of a cancelled call to end within ${endMs} ms`)
    },
  }),
  requirement({
    id: 'cancel/ends-a-call-nobody-listens-to',
    title: 'A cancelled call whose connection was lost has no stream to resume, or one that ends.',
    rows: ['R197'],
    level: 'SHOULD',
    spec,
    because:
      'The stream of a request that gets no response has nothing to wait for, whoever was connected when it was cancelled.',
    needs: ['sessions', 'sse', 'resumption', 'get-stream', 'role:burst'],
    async check({ open }) {
      const session = await open()
      const call = await progressCall(session, long)
      await call.awaitReports(2)
      call.exchange.abort()
      await cancel(session, call.id)
      const resumed = await session.get({ lastEventId: call.exchange.stream.lastEventId })
      const over = resumed.refused || (await resumed.stream.endsWithin(endMs))
      expectThat(over, `Expected the resumed stream of a cancelled call to end within ${endMs} ms`)
    },
  }),
  requirement({
    id: 'cancel/of-a-lost-call-leaves-later-ones-their-streams',
    title: 'After a cancelled call whose connection was lost, a later call gets its progress on its own stream.',
    rows: ['R197'],
    level: 'HARD',
    spec: '2025-11-25/basic/transports#sending-messages-to-the-server',
    because:
      'A client that gives up on a call cancels it, and calls again in the same session: what belongs to the new call must not go where nobody reads.',
    needs: ['sessions', 'sse', 'role:progress', 'role:burst'],
    async check({ open }) {
      const session = await open()
      const lost = await progressCall(session, long)
      await lost.awaitReports(1)
      lost.exchange.abort()
      await delay(seenMs)
      await cancel(session, lost.id)
      const later = await (await progressCall(session, { count: 4, delayMs: 20, id: 'later' })).finish()
      expectComplete(later.progress, later.least, 'the progress of a call after one that was lost and cancelled')
    },
  }),
  requirement({
    id: 'cancel/ends-a-json-answer',
    title: 'The JSON answer of a cancelled call is completed or cut off, and not held open.',
    rows: ['R198'],
    level: 'SHOULD',
    spec,
    because:
      'The clause has the receiver free what belongs to the request, and an HTTP answer that will never come is part of that.',
    needs: ['sessions', 'role:abort_probe', 'role:abort_query'],
    async check({ open }) {
      const session = await open()
      const trace = new Trace()
      const message = trace.call(10_000)
      const headers = { Accept: 'application/json' }
      const settled = session.startPost(message, { headers }).exchange.then(
        async (exchange) => {
          // A connection that is cut ends the wait as well.
          await exchange.bytes(8_000)
          return exchange.status
        },
        () => 0,
      )
      const early = await Promise.race([settled, trace.until(session, ['running'])])
      if (typeof early === 'number') notTestable(`a client that takes JSON only is answered ${early}`)
      await cancel(session, message.id)
      const status = await Promise.race([settled, delay(endMs)])
      expectThat(status !== undefined, `Expected the JSON answer of a cancelled call to end within ${endMs} ms`)
    },
  }),
  requirement({
    id: 'cancel/of-nothing-is-ignored',
    title:
      'A cancellation of an unknown or finished request is accepted, and a malformed one is accepted or refused with 400.',
    rows: ['R199'],
    level: 'SHOULD',
    spec: `${spec}#error-handling`,
    because:
      'The clause lets a receiver ignore such cancellations, so that the sender, who cannot know better, gets no error for them.',
    needs: ['sessions'],
    async check({ open }) {
      const session = await open()
      const response = await session.request('ping')
      expectAccepted(await cancel(session, 'never-used'), 'a cancellation of an unknown request')
      expectAccepted(await cancel(session, response.id), 'a cancellation of a finished request')
      for (const params of [undefined, {}, { requestId: {} }]) {
        const exchange = await session.post(notification('notifications/cancelled', params))
        const ignored = exchange.ok || exchange.status === 400
        expectThat(ignored, `Expected 2xx or 400 for a cancellation with the params ${JSON.stringify(params)}`)
      }
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'cancel/of-another-session-is-ignored',
    title: 'A cancellation in one session leaves a call of the same id in another session running.',
    rows: ['R200'],
    level: 'MUST',
    spec,
    because:
      'Only requests issued in the same direction by the same client may be cancelled: who can stop those of others attacks them.',
    needs: ['sessions', 'sse', 'role:progress'],
    async check({ open }) {
      const [one, other] = [await open(), await open()]
      const call = await progressCall(one, { count: 6, delayMs: 40, id: 'shared' })
      await call.awaitReports(1)
      await cancel(other, 'shared')
      const answer = await call.response()
      expectThat(answer.result !== undefined, `Expected a result, got ${JSON.stringify(answer)}`)
      expectComplete(call.progress, call.least, 'the progress of the call')
    },
  }),
  requirement({
    id: 'cancel/tells-number-and-text-apart',
    title: 'A cancellation of the id 5 leaves the call with the id "5" running.',
    rows: ['R201'],
    level: 'HARD',
    spec,
    because: 'JSON-RPC ids are equal only in value and type.',
    needs: ['sessions', 'sse', 'role:progress'],
    async check({ open }) {
      const session = await open()
      const textual = await progressCall(session, { count: 6, delayMs: 40, id: '5' })
      await textual.awaitReports(1)
      await cancel(session, 5)
      const answer = await textual.response()
      expectThat(answer.result !== undefined, `Expected the call "5" to run on, got ${JSON.stringify(answer)}`)
    },
  }),
  requirement({
    id: 'cancel/race-with-the-end-is-survived',
    title: 'A cancellation that crosses the answer on its way ends in no error and no second response.',
    rows: ['R202', 'T13'],
    level: 'MUST',
    spec: `${spec}#timing-considerations`,
    needs: ['sessions', 'sse'],
    async check({ openMany, target }) {
      const sessions = await openMany(4)
      // The other tools that play the role take longer than three reports of burst.
      const withinMs = target.roles.has('burst') ? 14 : 150
      const trial = async (session: Session, isLate: boolean) => {
        const call = await progressCall(session, { count: 3, delayMs: 3 })
        // The last one of each session comes after the answer, whatever the machine is busy with.
        if (isLate) await call.finish()
        else await delay(Math.random() * withinMs)
        expectThat((await cancel(session, call.id)).status < 500, 'Expected no server error for a late cancellation')
        await call.exchange.stream.endsWithin(300)
        const count = countResponses(
          session.received.map(({ message }) => message),
          call.id,
        )
        expectThat(count <= 1, `Expected at most one response, got ${count}`)
        call.exchange.abort()
      }
      await Promise.all(
        sessions.map(async (session) => {
          for (let round = 0; round < 12; round++) await trial(session, round === 11)
          await expectAlive(session)
        }),
      )
    },
  }),
  requirement({
    id: 'cancel/reaches-the-question',
    title: 'When a call that waits for the client is cancelled, its question to the client is cancelled as well.',
    rows: ['R203'],
    level: 'SHOULD',
    spec,
    because:
      'Who stops processing a request has no more use for the answers to its own, and the other side should know.',
    needs: ['sessions', 'sse', 'role:ask'],
    async check({ open }) {
      const session = await open()
      const asking = await beginAsk(session, { id: 'asking' })
      await cancel(session, 'asking')
      await session.receive(
        ({ message }) => message.method === 'notifications/cancelled' && message.params?.requestId === asking.askedId,
        'The cancellation of the question',
      )
      const late = await session.post(answerWith(asking, 'late'))
      expectThat(late.status < 500, `Expected no server error for the late answer, got ${late.status}`)
    },
  }),
  requirement({
    id: 'cancel/of-initialize-is-ignored',
    title: 'A cancellation of initialize leaves the session in working order.',
    rows: ['R204'],
    level: 'HARD',
    spec,
    because: 'The MUST NOT is on the client; a server that obeyed would end a session that is in use.',
    needs: ['sessions'],
    async check({ open }) {
      const session = await open({ initialized: false })
      await cancel(session, session.initializeResponse.id)
      await session.notify('notifications/initialized')
      await expectAlive(session)
      await expectAlive(await open())
    },
  }),
]
