import { createHash } from 'node:crypto'
import { beginAsk } from '../client/asking.ts'
import { expectAccepted, expectEqual, expectThat, fail, notTestable } from '../client/expect.ts'
import { isResponse, textOf, toolCall } from '../client/json-rpc.ts'
import { runPolled } from '../client/polling.ts'
import { burst, expectAlive, messagesOn, numbers, progressIn, Trace } from '../client/probes.ts'
import { Call, plainHeaders, responseIn } from '../client/session.ts'
import { delay } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#sending-messages-to-the-server'
const polling = ['resumption', 'role:close_stream', 'version:2025-11-25'] as const

/** F. POST: SSE stream behaviour. */
export const postStreamRequirements = [
  requirement({
    id: 'post-stream/begins-with-a-priming-event',
    rows: ['R080'],
    level: 'SHOULD',
    spec,
    since: '2025-11-25',
    needs: ['resumption', 'role:burst'],
    async check({ open }) {
      const { exchange } = await burst(await open(), { count: 1 })
      const first = await exchange.stream.next()
      expectThat(
        first !== undefined && first.data === '' && (first.id ?? '') !== '',
        `Expected the first event to have an id and empty data, got ${JSON.stringify(first?.fields)}`,
      )
    },
  }),
  requirement({
    id: 'post-stream/priming-event-comes-at-once',
    rows: ['R081'],
    level: 'SHOULD',
    spec,
    since: '2025-11-25',
    needs: ['resumption', 'role:slow'],
    alone: true,
    async check({ open }) {
      const session = await open()
      const call = await session.call('slow', { ms: 1_200 }, { progressToken: 'p' })
      if (!call.exchange.isEventStream) notTestable('the call is answered with JSON')
      const first = await call.exchange.stream.next()
      const after = Math.round((first?.at ?? 0) - call.exchange.startedAt)
      expectThat(after < 600, `Expected an event long before a tool of 1200 ms has output, it came after ${after} ms`)
    },
  }),
  requirement({
    id: 'post-stream/older-clients-get-no-priming-event',
    rows: ['R082'],
    level: 'HARD',
    spec: '2025-06-18/basic/transports#sending-messages-to-the-server',
    needs: ['sse', 'role:burst'],
    async check({ open, target }) {
      const older = target.versions.filter((version) => version < '2025-11-25')
      if (older.length === 0) notTestable('the server speaks no older revision')
      for (const version of older) {
        const call = await burst(await open({ version }), { count: 2 })
        await call.response()
        const empty = call.exchange.stream.events.filter((event) => event.data === '')
        expectEqual(empty.length, 0, `the number of events with empty data in a session of ${version}`)
      }
    },
  }),
  requirement({
    id: 'post-stream/early-close-comes-after-an-id',
    rows: ['R084'],
    level: 'MUST',
    spec,
    since: '2025-11-25',
    needs: polling,
    async check({ open }) {
      const call = await (await open()).call('close_stream', { times: 1, delayMs: 50 }, { progressToken: 'p' })
      await call.exchange.stream.closed()
      if (messagesOn(call.exchange).some(isResponse)) return
      expectThat(call.exchange.stream.lastEventId !== undefined, 'Expected an event with an id before the close')
    },
  }),
  requirement({
    id: 'post-stream/early-close-comes-after-a-retry-field',
    rows: ['R085'],
    level: 'SHOULD',
    spec,
    since: '2025-11-25',
    needs: polling,
    async check({ open }) {
      const call = await (await open()).call('close_stream', { times: 1, delayMs: 50 }, { progressToken: 'p' })
      await call.exchange.stream.closed()
      if (messagesOn(call.exchange).some(isResponse)) return
      const told = call.exchange.stream.blocks.some((block) => block.retry !== undefined)
      expectThat(told, 'Expected a retry field before the server closed the connection')
    },
  }),
  requirement({
    id: 'post-stream/early-close-works-for-falsy-ids',
    rows: ['R086'],
    level: 'HARD',
    spec,
    since: '2025-11-25',
    needs: polling,
    async check({ open }) {
      for (const id of [0, '']) {
        const session = await open()
        const call = await session.call('close_stream', { times: 1, delayMs: 250 }, { id, progressToken: 'p' })
        await call.exchange.stream.closed()
        const early = !messagesOn(call.exchange).some(isResponse)
        expectThat(early, `Expected the connection of a call with the id ${JSON.stringify(id)} to be closed early`)
        const resumed = await session.get({ lastEventId: call.exchange.stream.lastEventId })
        const response = await responseIn(resumed, id)
        expectEqual(response.id, id, 'the id of the response')
      }
    },
  }),
  requirement({
    id: 'post-stream/polling-delivers-exactly-once',
    rows: ['R083', 'R087'],
    level: 'HARD',
    spec,
    since: '2025-11-25',
    needs: polling,
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
    rows: ['R088', 'R089'],
    level: 'SHOULD',
    spec,
    needs: ['sse', 'role:burst'],
    async check({ open }) {
      const session = await open()
      await session.ensureListening()
      const call = await burst(session, { count: 5 }, { progressToken: 'own' })
      await call.response()
      const messages = messagesOn(call.exchange)
      const before = messages.slice(0, messages.findIndex(isResponse))
      expectEqual(progressIn(before, 'own'), numbers(1, 5), "the progress on the call's stream before its response")
    },
  }),
  requirement({
    id: 'post-stream/carries-the-servers-questions',
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
    rows: ['R091'],
    level: 'dMUST',
    spec: '2025-11-25/basic/transports#multiple-connections',
    needs: ['sse', 'role:burst'],
    async check({ open }) {
      const session = await open()
      const calls = await Promise.all(
        numbers(1, 20).map((index) => burst(session, { count: 4, delayMs: 10 }, { progressToken: `t${index}` })),
      )
      for (const [index, call] of calls.entries()) {
        await call.response()
        for (const message of messagesOn(call.exchange)) {
          if (isResponse(message)) expectEqual(message.id, call.id, 'the id of a response on a call’s stream')
          const token = message.params?.progressToken
          if (token !== undefined) expectEqual(token, `t${index + 1}`, 'the progress token on a call’s stream')
        }
      }
    },
  }),
  requirement({
    id: 'post-stream/ends-after-the-response',
    rows: ['R092'],
    level: 'SHOULD',
    spec,
    needs: ['sse', 'role:burst'],
    async check({ open }) {
      const call = await burst(await open(), { count: 2 })
      await call.response()
      const ended = await call.exchange.stream.endsWithin(1_500)
      expectThat(ended, 'Expected the stream to end within 1.5 s of the response')
    },
  }),
  requirement({
    id: 'post-stream/carries-nothing-after-the-response',
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
    rows: ['R094'],
    level: 'SHOULD',
    spec,
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
    rows: ['R095'],
    level: 'HARD',
    spec,
    needs: ['role:slow'],
    alone: true,
    async check({ open }) {
      const call = await (await open()).call('slow', { ms: 1_200 }, { progressToken: 'p' })
      if (!call.exchange.isEventStream) return
      const after = Math.round(call.exchange.headAt - call.exchange.startedAt)
      expectThat(after < 600, `Expected the head of the stream before the answer, it came after ${after} ms`)
    },
  }),
  requirement({
    id: 'post-stream/disconnect-is-no-cancel',
    rows: ['R096'],
    level: 'SHOULD',
    spec,
    needs: ['role:abort_probe', 'role:abort_query'],
    async check({ open }) {
      const session = await open()
      const trace = new Trace()
      const { exchange, abort } = session.startPost(trace.call(400))
      await trace.until(session, ['running'])
      abort()
      await exchange.catch(() => undefined)
      const state = await trace.until(session, ['finished', 'aborted'])
      expectEqual(state, 'finished', 'the state of a call whose client disconnected')
    },
  }),
  requirement({
    id: 'post-stream/early-disconnect-does-no-harm',
    rows: ['R097', 'T39'],
    level: 'HARD',
    spec,
    needs: ['role:burst'],
    async check({ open }) {
      const session = await open()
      for (const wait of [0, 0, 1, 2, 5]) {
        const { abort } = session.startPost(toolCall('burst', { count: 3, delayMs: 5 }, { progressToken: 'p' }))
        if (wait === 0) await new Promise((resolve) => setImmediate(resolve))
        else await delay(wait)
        abort()
      }
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'post-stream/same-id-twice-is-told-apart',
    rows: ['R098', 'T12'],
    level: 'dMUST',
    spec: '2025-11-25/basic/index#requests',
    needs: ['sse', 'role:burst'],
    async check({ open }) {
      const session = await open()
      const begin = async (count: number) => {
        const message = toolCall('burst', { count, delayMs: 25 }, { id: 1, progressToken: `t${count}` })
        return { count, exchange: await session.post(message) }
      }
      const answers = await Promise.all(numbers(1, 12).map(begin))
      let served = 0
      for (const { count, exchange } of answers) {
        if (exchange.status === 400) continue
        const response = await responseIn(exchange, 1, 3_000)
        if (response.error?.code === -32600) continue
        served += 1
        expectThat(response.result !== undefined, `Expected a result, got ${JSON.stringify(response)}`)
        expectEqual(progressIn(messagesOn(exchange), `t${count}`), numbers(1, count), 'the progress of a call')
        expectEqual(progressIn(messagesOn(exchange)).length, count, 'the number of progress events of a call')
      }
      expectThat(served > 0, 'Expected at least one of the calls to be served')
    },
  }),
  requirement({
    id: 'post-stream/number-and-text-ids-differ',
    rows: ['R099'],
    level: 'dMUST',
    spec: '2025-11-25/basic/index#requests',
    needs: ['sse', 'role:burst'],
    async check({ open }) {
      const session = await open()
      const [numeric, textual] = await Promise.all([
        burst(session, { count: 3, delayMs: 30 }, { id: 88, progressToken: 'numeric' }),
        burst(session, { count: 3, delayMs: 30 }, { id: '88', progressToken: 'textual' }),
      ])
      expectEqual((await numeric.response()).id, 88, 'the id of the first response')
      expectEqual((await textual.response()).id, '88', 'the id of the second response')
      expectEqual(progressIn(messagesOn(numeric.exchange), 'numeric'), [1, 2, 3], 'the progress of the first call')
      expectEqual(progressIn(messagesOn(textual.exchange), 'textual'), [1, 2, 3], 'the progress of the second call')
    },
  }),
  requirement({
    id: 'post-stream/large-result-survives',
    rows: ['R100', 'T23'],
    level: 'HARD',
    spec: 'WHATWG HTML §9.2.6',
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
    rows: ['R101', 'T16'],
    level: 'HARD',
    spec: 'CWE-400',
    needs: ['sse', 'role:flood'],
    alone: true,
    async check({ openMany, raw }) {
      const [slow, other] = await openMany(2)
      if (slow === undefined || other === undefined) return
      const connection = await raw()
      connection.pause()
      const body = JSON.stringify(toolCall('flood', { count: 1_000, bytes: 16_384 }, { progressToken: 'p' }))
      connection.writeHead('POST', { ...plainHeaders(slow), 'Content-Length': String(Buffer.byteLength(body)) })
      connection.write(body)
      await delay(300)
      const startedAt = performance.now()
      await expectAlive(other)
      await expectAlive(slow)
      const after = Math.round(performance.now() - startedAt)
      expectThat(after < 1_000, `Expected two pings at once beside a stalled reader, they took ${after} ms`)
    },
  }),
]
