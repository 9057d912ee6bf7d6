import { createHash } from 'node:crypto'
import { beginAsk } from '../client/asking.ts'
import type { Exchange } from '../client/exchange.ts'
import { expectAccepted, expectEqual, expectThat, fail, judged, notTestable } from '../client/expect.ts'
import { type Id, isResponse, request, textOf, toolCall } from '../client/json-rpc.ts'
import { runPolled } from '../client/polling.ts'
import {
  burst,
  expectAlive,
  expectComplete,
  expectOwn,
  expectUnmixed,
  messagesOn,
  numbers,
  progressCall,
  progressIn,
  progressMessage,
  Trace,
} from '../client/probes.ts'
import { Call, plainHeaders, responseIn, type Session } from '../client/session.ts'
import { delay } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#sending-messages-to-the-server'
const closing = ['sse', 'role:close', 'version:2025-11-25'] as const

/** A call whose connection the server has closed before it answered. */
async function closedEarly(session: Session, id?: Id): Promise<Call> {
  const call = await session.call('close', {}, { progressToken: 'p', ...(id === undefined ? {} : { id }) })
  if (!call.exchange.isEventStream) notTestable('the call is answered with JSON')
  await call.exchange.stream.answered(1)
  if (!isClosedEarly(call.exchange)) notTestable('the tool answered without closing its connection before')
  return call
}

function isClosedEarly(exchange: Exchange): boolean {
  return !messagesOn(exchange).some(isResponse)
}

/** F. POST: SSE stream behaviour. */
export const postStreamRequirements = [
  requirement({
    id: 'post-stream/begins-with-a-priming-event',
    title: 'The first event of an answer has an id and empty data.',
    rows: ['R080'],
    level: 'SHOULD',
    spec,
    since: '2025-11-25',
    needs: ['resumption', 'sse'],
    async check({ open }) {
      const { exchange } = await progressCall(await open())
      const first = await exchange.stream.next()
      expectThat(
        first !== undefined && first.data === '' && (first.id ?? '') !== '',
        `Expected the first event to have an id and empty data, got ${JSON.stringify(first?.fields)}`,
      )
    },
  }),
  requirement({
    id: 'post-stream/priming-event-comes-at-once',
    title: 'The first event of an answer comes while the tool still has nothing to say.',
    rows: ['R081'],
    level: 'SHOULD',
    spec,
    since: '2025-11-25',
    needs: ['resumption', 'role:slow'],
    alone: true,
    async check({ open, target }) {
      const session = await open()
      const call = await session.call('slow', { ms: 1_200 }, { progressToken: 'p' })
      if (!call.exchange.isEventStream) notTestable('the call is answered with JSON')
      const first = await call.exchange.stream.next()
      const after = Math.round((first?.at ?? 0) - call.exchange.startedAt)
      const most = 600 + target.roundTripMs
      expectThat(after < most, `Expected an event long before a tool of 1200 ms has output, it came after ${after} ms`)
    },
  }),
  requirement({
    id: 'post-stream/older-clients-get-no-priming-event',
    title: 'Clients of revisions before 2025-11-25 get no event with empty data.',
    rows: ['R082'],
    level: 'HARD',
    spec: '2025-06-18/basic/transports#sending-messages-to-the-server',
    because: 'These revisions know no such event, and their clients read the data of every event as JSON.',
    needs: ['sse'],
    async check({ open, target }) {
      const older = target.versions.filter((version) => version < '2025-11-25')
      if (older.length === 0) notTestable('the server speaks no older revision')
      for (const version of older) {
        const call = await progressCall(await open({ version }))
        await call.response()
        const empty = call.exchange.stream.events.filter((event) => event.data === '')
        expectEqual(empty.length, 0, `the number of events with empty data in a session of ${version}`)
      }
    },
  }),
  requirement({
    id: 'post-stream/early-close-comes-after-an-id',
    title: 'A connection is closed before the response only after an event with an id came on it.',
    rows: ['R084'],
    level: 'dMUST',
    spec,
    because: 'The permission to close the connection begins with an event id: without one the client cannot come back.',
    since: '2025-11-25',
    needs: closing,
    async check({ open }) {
      const { exchange } = await closedEarly(await open())
      expectThat(exchange.stream.lastEventId !== undefined, 'Expected an event with an id before the close')
    },
  }),
  requirement({
    id: 'post-stream/early-close-comes-after-a-retry-field',
    title: 'A connection is closed before the response only after a retry field came on it.',
    rows: ['R085'],
    level: 'SHOULD',
    spec,
    since: '2025-11-25',
    needs: closing,
    async check({ open }) {
      const { exchange } = await closedEarly(await open())
      const told = exchange.stream.blocks.some((block) => block.retry !== undefined)
      expectThat(told, 'Expected a retry field before the server closed the connection')
    },
  }),
  requirement({
    id: 'post-stream/early-close-works-for-falsy-ids',
    title: 'A call with the id 0 or "" can have its connection closed early, and is resumed, like any other.',
    rows: ['R086'],
    level: 'HARD',
    spec,
    because: '0 and the empty string are ids like any other; software that tests them for truth overlooks them.',
    since: '2025-11-25',
    needs: [...closing, 'resumption', 'get-stream'],
    async check({ open }) {
      // With an ordinary id the tool must do it, or nothing can be said of the others.
      const { exchange } = await closedEarly(await open())
      if (exchange.stream.lastEventId === undefined) notTestable('the connection is closed before an event with an id')
      for (const id of [0, '']) {
        const session = await open()
        const call = await session.call('close', {}, { id, progressToken: 'p' })
        await call.exchange.stream.answered(1)
        expectThat(
          isClosedEarly(call.exchange),
          `Expected the connection of a call with the id ${JSON.stringify(id)} to be closed early`,
        )
        const resumed = await session.get({ lastEventId: call.exchange.stream.lastEventId })
        const response = await responseIn(resumed, id)
        expectEqual(response.id, id, 'the id of the response')
      }
    },
  }),
  requirement({
    id: 'post-stream/polling-delivers-exactly-once',
    title: 'A call whose connection the server closes three times brings every message once, in order.',
    rows: ['R083', 'R087'],
    level: 'HARD',
    spec,
    because: 'Closing the connection does not terminate the stream, so that it goes on where the client left it.',
    since: '2025-11-25',
    needs: ['sse', 'resumption', 'get-stream', 'role:close_stream', 'version:2025-11-25'],
    async check({ open }) {
      const session = await open()
      const run = await runPolled(session, toolCall('close_stream', { times: 3, delayMs: 60 }, { progressToken: 'p' }))
      expectEqual(progressIn(run.messages), numbers(1, 4), 'the progress over all connections')
      expectEqual(run.messages.filter(isResponse).length, 1, 'the number of responses over all connections')
      expectEqual(run.messages.at(-1)?.id, run.id, 'the id of the last message')
    },
  }),
  requirement({
    id: 'post-stream/carries-the-calls-messages-before-its-response',
    title: "A call's progress comes on its own stream, all of it before the response.",
    rows: ['R088', 'R089'],
    level: 'SHOULD',
    spec,
    needs: ['sse', 'role:progress'],
    async check({ open }) {
      const session = await open()
      await session.ensureListening()
      const call = await progressCall(session, { count: 5, progressToken: 'own' })
      await call.response()
      const messages = messagesOn(call.exchange)
      const before = messages.slice(0, messages.findIndex(isResponse))
      expectComplete(progressIn(before, 'own'), call.least, "the progress on the call's stream before its response")
    },
  }),
  requirement({
    id: 'post-stream/carries-the-servers-questions',
    title: "What the server asks because of a call comes on that call's stream.",
    rows: ['R090'],
    level: 'SHOULD',
    spec,
    needs: ['sessions', 'sse', 'role:ask'],
    async check({ open }) {
      const session = await open()
      const { asked } = await beginAsk(session)
      expectThat(asked.exchange.what.includes('POST'), "Expected the question on its call's stream, it came on GET")
    },
  }),
  requirement({
    id: 'post-stream/carries-no-message-of-another-call',
    title: "The stream of a call carries no other call's response, with twenty calls at once.",
    rows: ['R091'],
    level: 'dMUST',
    spec: '2025-11-25/basic/transports#multiple-connections',
    because:
      'Each message goes on one stream, that of its own call: on any other the client that waits for it misses it.',
    needs: ['sse'],
    async check({ open }) {
      const session = await open()
      const calls = await Promise.all(
        numbers(1, 20).map((index) => progressCall(session, { count: 6, delayMs: 60, progressToken: `t${index}` })),
      )
      for (const call of calls) {
        await call.response()
        for (const message of messagesOn(call.exchange)) {
          if (isResponse(message)) expectEqual(message.id, call.id, 'the id of a response on a call’s stream')
        }
      }
    },
  }),
  requirement({
    id: 'post-stream/carries-no-progress-of-another-call',
    title: "The stream of a call carries no other call's progress, with twenty calls at once.",
    rows: ['R091'],
    level: 'SHOULD',
    spec,
    because: 'What comes before a response should relate to its request.',
    needs: ['sse', 'role:progress'],
    async check({ open }) {
      const session = await open()
      const options = { count: 6, delayMs: 60 }
      const calls = await Promise.all(numbers(1, 20).map(() => progressCall(session, options)))
      for (const call of calls) {
        await call.finish()
        expectOwn(call, 'the stream of a call')
      }
    },
  }),
  requirement({
    id: 'post-stream/ends-after-the-response',
    title: 'A stream ends soon after the response.',
    rows: ['R092'],
    level: 'SHOULD',
    spec,
    needs: ['sse'],
    async check({ open }) {
      const call = await progressCall(await open())
      await call.response()
      const ended = await call.exchange.stream.endsWithin(1_500)
      expectThat(ended, 'Expected the stream to end within 1.5 s of the response')
    },
  }),
  requirement({
    id: 'post-stream/carries-nothing-after-the-response',
    title: 'A tool that reports progress after its answer is not heard: nothing follows the response.',
    rows: ['R093'],
    level: 'MUST',
    spec: '2025-11-25/basic/utilities/progress#implementation-notes',
    needs: ['sse', 'role:late_progress'],
    async check({ open }) {
      const session = await open()
      await session.ensureListening()
      const call = await session.call('late_progress', {}, { progressToken: 'late' })
      await call.response()
      await delay(250)
      const messages = messagesOn(call.exchange)
      const after = messages.slice(messages.findIndex(isResponse) + 1)
      expectEqual(after, [], 'the messages after the response')
      const all = progressIn(session.received.map(({ message }) => message))
      expectThat(!all.includes(2) && !all.includes(3), `Expected no progress after the response, got ${all}`)
    },
  }),
  requirement({
    id: 'post-stream/is-not-buffered',
    title: 'Events reach the client one by one, as the tool sends them.',
    rows: ['R094'],
    level: 'SHOULD',
    spec,
    because:
      'A stream whose events come together at its end streams nothing; the clause is there for messages before the response.',
    needs: ['sse', 'role:burst'],
    alone: true,
    async check({ open }) {
      const call = await burst(await open(), { count: 6, delayMs: 80 })
      await call.response()
      const withData = call.exchange.stream.events.filter((event) => event.data !== '')
      const span = Math.round((withData.at(-1)?.at ?? 0) - (withData[0]?.at ?? 0))
      expectThat(span > 200, `Expected events of a tool of 480 ms to come one by one, all came within ${span} ms`)
    },
  }),
  requirement({
    id: 'post-stream/head-comes-before-the-answer',
    title: "The head of an event stream comes before the tool's answer is there.",
    rows: ['R095'],
    level: 'HARD',
    spec,
    because: 'The stream is to begin with an event at once, and no event comes before the head.',
    needs: ['role:slow'],
    alone: true,
    async check({ open, target }) {
      const call = await (await open()).call('slow', { ms: 1_200 }, { progressToken: 'p' })
      if (!call.exchange.isEventStream) notTestable('the call is answered with JSON')
      const after = Math.round(call.exchange.headAt - call.exchange.startedAt)
      const most = 600 + target.roundTripMs
      expectThat(after < most, `Expected the head of the stream before the answer, it came after ${after} ms`)
    },
  }),
  requirement({
    id: 'post-stream/disconnect-is-no-cancel',
    title: 'A call whose client disconnects runs on to its end.',
    rows: ['R096'],
    level: 'SHOULD',
    spec,
    needs: ['role:abort_probe', 'role:abort_query'],
    async check({ open }) {
      const session = await open()
      let trace = new Trace()
      let call = session.startPost(trace.call(400))
      // Far away or busy, a server has finished that before it can be asked.
      if ((await trace.until(session, ['running', 'finished'])) === 'finished') {
        await call.exchange
        trace = new Trace()
        call = session.startPost(trace.call(5_000))
        await trace.until(session, ['running'])
      }
      call.abort()
      await call.exchange.catch(() => undefined)
      const state = await trace.until(session, ['finished', 'aborted'], 15_000)
      expectEqual(state, 'finished', 'the state of a call whose client disconnected')
    },
  }),
  requirement({
    id: 'post-stream/early-disconnect-does-no-harm',
    title: 'Clients that disconnect right after they have sent a call do the session no harm.',
    rows: ['R097', 'T39'],
    level: 'HARD',
    spec,
    because: 'Disconnection may occur at any time, before the first byte of the answer too.',
    async check({ open, target }) {
      const session = await open()
      for (const wait of [0, 0, 1, 2, 5]) {
        const { message } = progressMessage(session, { delayMs: 5 })
        const { abort } = session.startPost(target.roles.has('progress') ? message : request('tools/list'))
        if (wait === 0) await new Promise((resolve) => setImmediate(resolve))
        else await delay(wait)
        abort()
      }
      await expectAlive(session)
      // The calls go on for a while: that nobody reads what they send must do no harm either.
      await delay(200)
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'post-stream/same-id-twice-is-told-apart',
    title: 'Of calls with the same id at once each is refused, or answered in full on its own stream.',
    rows: ['R098', 'T12'],
    level: 'dMUST',
    spec: '2025-11-25/basic/index#requests',
    because:
      'The client must not use an id twice; when it does, a refusal and an answer are sane, and a mixture or a silence is not.',
    needs: ['sse'],
    async check({ open }) {
      const session = await open()
      const begin = async (index: number) => {
        const options = { count: index, delayMs: 25, id: 1, progressToken: `t${index}` }
        const { message, least } = progressMessage(session, options)
        return { least, token: `t${index}`, exchange: await session.post(message) }
      }
      const answers = await Promise.all(numbers(1, 12).map(begin))
      const served = answers.filter(({ exchange }) => !exchange.refused)
      const answered: typeof served = []
      for (const { least, token, exchange } of served) {
        const response = await responseIn(exchange, 1)
        if (response.error === undefined) answered.push({ least, token, exchange })
      }
      expectThat(answered.length > 0, 'Expected at least one of the calls to be served')
      await expectUnmixed(['one', 'two'].map((id) => progressCall(session, { delayMs: 30, id })))
      for (const { least, token, exchange } of answered) {
        if (!exchange.isEventStream) continue
        const progress = progressIn(messagesOn(exchange), token)
        expectEqual(progressIn(messagesOn(exchange)), progress, 'the progress of one of two calls of the same id')
        if (progress.length > 0) expectComplete(progress, least, 'the progress of one of two calls of the same id')
      }
    },
  }),
  requirement({
    id: 'post-stream/number-and-text-ids-differ',
    title: 'Calls with the ids 88 and "88" at the same time get each their own messages.',
    rows: ['R099'],
    level: 'dMUST',
    spec: '2025-11-25/basic/index#requests',
    because: 'An id is a string or an integer, so that 88 and "88" are two ids.',
    needs: ['sse'],
    async check({ open }) {
      const session = await open()
      await expectUnmixed(['one', 'two'].map((id) => progressCall(session, { delayMs: 30, id })))
      const calls = await Promise.all([
        judged(progressCall(session, { delayMs: 30, id: 88, progressToken: 'numeric' })),
        judged(progressCall(session, { delayMs: 30, id: '88', progressToken: 'textual' })),
      ])
      for (const call of calls) {
        const what = `the call with the id ${JSON.stringify(call.id)}`
        expectEqual((await call.response()).id, call.id, `the id of the response to ${what}`)
        expectComplete(call.progress, call.least, `the progress of ${what}`)
      }
    },
  }),
  requirement({
    id: 'post-stream/large-result-survives',
    title: 'A result of more than a mebibyte, full of line ends and separators, arrives as it was made.',
    rows: ['R100', 'T23'],
    level: 'HARD',
    spec: 'WHATWG HTML §9.2.6',
    because: 'Line ends within the data would end a line of the stream, so that JSON must escape them.',
    needs: ['role:big'],
    async check({ open }) {
      const session = await open()
      const message = toolCall('big', { bytes: 1_200_000 })
      const streamed = await session.post(message, { headers: { Accept: 'text/event-stream' } })
      const exchange = streamed.ok ? streamed : await session.post(message)
      expectAccepted(exchange, 'a call with a large result')
      const response = await new Call(exchange, message.id ?? '').response()
      const text = textOf(response, 0) ?? fail('Expected a text')
      const digest = createHash('sha256').update(text).digest('hex')
      expectEqual(digest, textOf(response, 1), 'the SHA-256 of the text')
    },
  }),
  requirement({
    id: 'post-stream/slow-reader-blocks-nobody',
    title: 'A client that reads nothing of a long answer delays no other call.',
    rows: ['R101', 'T16'],
    level: 'HARD',
    spec: 'CWE-400',
    because: 'Whoever stops reading must not use up what others need.',
    needs: ['sse', 'role:flood'],
    alone: true,
    abuse: true,
    async check({ openMany, raw, target }) {
      const [slow, other] = await openMany(2)
      if (slow === undefined || other === undefined) return
      const connection = await raw()
      connection.pause()
      const body = JSON.stringify(toolCall('flood', { count: 1_000, bytes: 16_384 }, { progressToken: 'p' }))
      connection.writeHead('POST', { ...plainHeaders(slow), 'Content-Length': String(Buffer.byteLength(body)) })
      connection.write(body)
      await delay(300)
      const limit = Math.round(1_000 + 4 * target.roundTripMs)
      let took = Number.POSITIVE_INFINITY
      // The reader stays stalled. What takes long once may be the making of the long answer, or a busy machine.
      for (let trial = 0; trial < 3 && took >= limit; trial++) {
        const startedAt = performance.now()
        await expectAlive(other)
        await expectAlive(slow)
        took = Math.min(took, performance.now() - startedAt)
      }
      expectThat(
        took < limit,
        `Expected two pings beside a stalled reader within ${limit} ms, the fastest of three took ${Math.round(took)} ms`,
      )
    },
  }),
]
