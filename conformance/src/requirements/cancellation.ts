import { answerWith, beginAsk } from '../client/asking.ts'
import type { Exchange } from '../client/exchange.ts'
import { expectAccepted, expectEqual, expectStatus, expectThat, notTestable } from '../client/expect.ts'
import { type Id, initialize, isResponse, notification, toolCall } from '../client/json-rpc.ts'
import {
  awaitProgress,
  burst,
  countResponses,
  expectAlive,
  messagesOn,
  numbers,
  progressIn,
  Trace,
} from '../client/probes.ts'
import type { Session } from '../client/session.ts'
import { responseIn } from '../client/session.ts'
import { delay } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/utilities/cancellation'
const progress = '2025-11-25/basic/utilities/progress'

function cancel(session: Session, requestId: Id | undefined): Promise<Exchange> {
  return session.notify('notifications/cancelled', { requestId, reason: 'conformance' })
}

/** M. Ping, progress, cancellation. */
export const cancellationRequirements = [
  requirement({
    id: 'ping/is-answered-beside-a-running-call',
    rows: ['R190'],
    level: 'MUST',
    spec: '2025-11-25/basic/utilities/ping',
    needs: ['role:slow'],
    alone: true,
    async check({ open }) {
      const session = await open()
      const slow = session.startPost(toolCall('slow', { ms: 1_500 }))
      const startedAt = performance.now()
      const answer = await session.request('ping')
      const after = Math.round(performance.now() - startedAt)
      expectEqual(answer.result, {}, 'the result of ping')
      expectThat(after < 700, `Expected ping to be answered while a call runs, it took ${after} ms`)
      slow.abort()
    },
  }),
  requirement({
    id: 'progress/keeps-the-tokens-type',
    rows: ['R191'],
    level: 'MUST',
    spec: progress,
    needs: ['sse', 'role:burst'],
    async check({ open }) {
      const session = await open()
      for (const progressToken of [0, '0', 1, 'ü', 'with "quotes" and \\']) {
        const call = await burst(session, { count: 1 }, { progressToken })
        await call.response()
        const tokens = messagesOn(call.exchange).map((message) => message.params?.progressToken)
        expectEqual(
          tokens.filter((token) => token !== undefined),
          [progressToken],
          'the progress tokens',
        )
      }
    },
  }),
  requirement({
    id: 'progress/increases',
    rows: ['R192'],
    level: 'MUST',
    spec: progress,
    needs: ['sse', 'role:burst'],
    async check({ open }) {
      const call = await burst(await open(), { count: 20 })
      await call.response()
      const values = progressIn(messagesOn(call.exchange))
      const rising = values.every((value, index) => index === 0 || value > (values[index - 1] ?? 0))
      expectThat(rising && values.length > 0, `Expected progress that increases, got ${values}`)
    },
  }),
  requirement({
    id: 'progress/needs-a-token',
    rows: ['R193'],
    level: 'MUST',
    spec: progress,
    needs: ['role:progress'],
    async check({ open, target }) {
      const session = await open()
      await session.ensureListening()
      const tools = ['test_tool_with_progress', 'burst'].filter((tool) => target.tools.has(tool))
      for (const tool of tools) await (await session.call(tool)).response()
      await delay(100)
      const all = progressIn(session.received.map(({ message }) => message))
      expectEqual(all, [], 'the progress of calls without a progress token')
    },
  }),
  requirement({
    id: 'cancel/is-202-empty',
    rows: ['R194'],
    level: 'MUST',
    spec,
    needs: ['sessions', 'role:slow'],
    async check({ open }) {
      const session = await open()
      session.startPost(toolCall('slow', { ms: 1_500 }, { id: 'running' }))
      await expectAlive(session)
      const exchange = await cancel(session, 'running')
      expectStatus(exchange, 202, 'notifications/cancelled')
      expectEqual(await exchange.text(), '', 'the body')
    },
  }),
  requirement({
    id: 'cancel/aborts-the-handler',
    rows: ['R195'],
    level: 'SHOULD',
    spec,
    needs: ['sessions', 'role:abort_probe', 'role:abort_query'],
    async check({ open }) {
      const session = await open()
      const trace = new Trace()
      const message = trace.call(4_000)
      session.startPost(message)
      await trace.until(session, ['running'])
      await cancel(session, message.id)
      const state = await trace.until(session, ['aborted', 'finished'], 2_000)
      expectEqual(state, 'aborted', 'the state of a cancelled call')
    },
  }),
  requirement({
    id: 'cancel/is-not-answered',
    rows: ['R196'],
    level: 'SHOULD',
    spec,
    needs: ['sessions', 'sse', 'role:burst'],
    async check({ open }) {
      const session = await open()
      await session.ensureListening()
      const call = await burst(session, { count: 12, delayMs: 40 })
      await awaitProgress(call.exchange, 2)
      await cancel(session, call.id)
      await call.exchange.stream.endsWithin(800)
      const all = session.received.map(({ message }) => message)
      expectEqual(countResponses(all, call.id), 0, 'the number of responses to a cancelled call')
    },
  }),
  requirement({
    id: 'cancel/ends-the-stream',
    rows: ['R197'],
    level: 'SHOULD',
    spec,
    needs: ['sessions', 'sse', 'role:burst'],
    async check({ open }) {
      const session = await open()
      const call = await burst(session, { count: 100, delayMs: 40 })
      await awaitProgress(call.exchange, 2)
      await cancel(session, call.id)
      const ended = await call.exchange.stream.endsWithin(2_000)
      expectThat(ended, 'Expected the stream of a cancelled call to end within 2 s')
    },
  }),
  requirement({
    id: 'cancel/ends-a-call-nobody-listens-to',
    rows: ['R197'],
    level: 'SHOULD',
    spec,
    needs: ['sessions', 'resumption', 'get-stream', 'role:burst'],
    async check({ open }) {
      const session = await open()
      const call = await burst(session, { count: 100, delayMs: 40 })
      await awaitProgress(call.exchange, 2)
      call.exchange.abort()
      await cancel(session, call.id)
      const resumed = await session.get({ lastEventId: call.exchange.stream.lastEventId })
      const over = resumed.refused || (await resumed.stream.endsWithin(2_000))
      expectThat(over, 'Expected the resumed stream of a cancelled call to end within 2 s')
    },
  }),
  requirement({
    id: 'cancel/ends-a-json-answer',
    rows: ['R198'],
    level: 'SHOULD',
    spec,
    needs: ['sessions', 'role:abort_probe', 'role:abort_query'],
    async check({ open }) {
      const session = await open()
      const trace = new Trace()
      const message = trace.call(5_000)
      const headers = { Accept: 'application/json' }
      const settled = session.startPost(message, { headers }).exchange.then(
        async (exchange) => {
          // A connection that is cut ends the wait as well.
          await exchange.bytes(4_000)
          return exchange.status
        },
        () => 0,
      )
      const early = await Promise.race([settled, trace.until(session, ['running'])])
      if (typeof early === 'number') notTestable(`a client that takes JSON only is answered ${early}`)
      await cancel(session, message.id)
      const status = await Promise.race([settled, delay(2_500)])
      expectThat(status !== undefined, 'Expected the JSON answer of a cancelled call to end within 2.5 s')
    },
  }),
  requirement({
    id: 'cancel/of-nothing-is-ignored',
    rows: ['R199'],
    level: 'SHOULD',
    spec: `${spec}#error-handling`,
    needs: ['sessions'],
    async check({ open }) {
      const session = await open()
      const response = await session.request('tools/list')
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
    rows: ['R200'],
    level: 'HARD',
    spec,
    needs: ['sessions', 'sse', 'role:burst'],
    async check({ openMany }) {
      const [one, other] = await openMany(2)
      if (one === undefined || other === undefined) return
      const call = await burst(one, { count: 6, delayMs: 40 }, { id: 'shared' })
      await awaitProgress(call.exchange, 1)
      await cancel(other, 'shared')
      const answer = await call.response()
      expectThat(answer.result !== undefined, `Expected a result, got ${JSON.stringify(answer)}`)
      expectEqual(progressIn(messagesOn(call.exchange)), numbers(1, 6), 'the progress of the call')
    },
  }),
  requirement({
    id: 'cancel/tells-number-and-text-apart',
    rows: ['R201'],
    level: 'HARD',
    spec,
    needs: ['sessions', 'sse', 'role:burst'],
    async check({ open }) {
      const session = await open()
      const textual = await burst(session, { count: 6, delayMs: 40 }, { id: '5' })
      await awaitProgress(textual.exchange, 1)
      await cancel(session, 5)
      const answer = await textual.response()
      expectThat(answer.result !== undefined, `Expected the call "5" to run on, got ${JSON.stringify(answer)}`)
    },
  }),
  requirement({
    id: 'cancel/race-with-the-end-is-survived',
    rows: ['R202', 'T13'],
    level: 'MUST',
    spec: `${spec}#timing-considerations`,
    needs: ['sessions', 'sse', 'role:burst'],
    async check({ openMany }) {
      const sessions = await openMany(4)
      const trial = async (session: Session) => {
        const call = await burst(session, { count: 3, delayMs: 3 })
        await delay(Math.random() * 14)
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
          for (let round = 0; round < 12; round++) await trial(session)
          await expectAlive(session)
        }),
      )
    },
  }),
  requirement({
    id: 'cancel/reaches-the-question',
    rows: ['R203'],
    level: 'SHOULD',
    spec,
    needs: ['sessions', 'sse', 'role:ask'],
    async check({ open }) {
      const session = await open()
      const asking = await beginAsk(session, { id: 'asking' })
      await cancel(session, 'asking')
      await session.receive(
        ({ message }) => message.method === 'notifications/cancelled' && message.params?.requestId === asking.askedId,
        'The cancellation of the question',
        2_000,
      )
      const late = await session.post(answerWith(asking, 'late'))
      expectThat(late.status < 500, `Expected no server error for the late answer, got ${late.status}`)
    },
  }),
  requirement({
    id: 'cancel/of-initialize-is-ignored',
    rows: ['R204'],
    level: 'HARD',
    spec,
    needs: ['sessions'],
    async check({ open, post, version }) {
      const session = await open({ initialized: false })
      await cancel(session, session.initializeResponse.id)
      await session.notify('notifications/initialized')
      await expectAlive(session)
      const message = initialize(version, {}, 'again')
      const answer = await responseIn(await post(message), message.id)
      expectThat(isResponse(answer) && answer.result !== undefined, 'Expected initialize to work on')
    },
  }),
]
