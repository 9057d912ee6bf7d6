import { expectEqual, expectRefused, expectStatus, expectThat, fail, notTestable } from '../client/expect.ts'
import { isResponse } from '../client/json-rpc.ts'
import {
  awaitLog,
  endSession,
  expectAlive,
  listenWithEvent,
  logsIn,
  messagesOn,
  needEnded,
  numbers,
  progressCall,
  pushedIn,
  pushedTexts,
} from '../client/probes.ts'
import { delay } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#listening-for-messages-from-the-server'
const pushes = ['get-stream', 'role:push'] as const
const minute = 60_000
/** Less than the idle time of common proxies, which is 55 to 60 s. */
const quietMs = 50_000

/** G. GET stream. */
export const getStreamRequirements = [
  requirement({
    id: 'get-stream/needs-an-accept-of-event-stream',
    title: 'A GET whose Accept does not allow an event stream gets none, but a 4xx status.',
    rows: ['R103'],
    level: 'HARD',
    spec: 'RFC 9110 §12.5.1',
    because: 'A client that accepts no event stream cannot read one.',
    async check({ open }) {
      const session = await open()
      for (const accept of ['application/json', 'text/event-stream;q=0']) {
        const exchange = await session.get({ headers: { Accept: accept } })
        expectThat(!exchange.isEventStream, `Expected no event stream for a GET with "Accept: ${accept}"`)
        expectRefused(exchange, `a GET with "Accept: ${accept}"`)
      }
    },
  }),
  requirement({
    id: 'get-stream/head-comes-at-once',
    title: 'The head of a GET stream comes at once, with nothing to send yet.',
    rows: ['R104'],
    level: 'HARD',
    spec,
    because: 'Without a head the client cannot tell a stream that is idle from a server that hangs.',
    needs: ['get-stream'],
    alone: true,
    async check({ open, target }) {
      const exchange = await (await open()).listen()
      const after = Math.round(exchange.headAt - exchange.startedAt)
      expectThat(
        after < 500 + target.roundTripMs,
        `Expected the head of an idle stream at once, it came after ${after} ms`,
      )
    },
  }),
  requirement({
    id: 'get-stream/carries-only-unrelated-messages',
    title: "A running call's progress stays off the GET stream, and pushed messages stay off the call's.",
    rows: ['R105'],
    level: 'SHOULD',
    spec,
    needs: ['get-stream', 'sse', 'role:progress'],
    async check({ open, target }) {
      const session = await open()
      const listening = await session.listen()
      const call = await progressCall(session, { count: 10, delayMs: 15 })
      if (target.roles.has('push')) await session.text('push', { count: 3, text: 'unrelated' })
      await call.response()
      if (target.roles.has('push')) await awaitLog(listening, 'unrelated:3')
      else await delay(150)
      const methods = new Set(messagesOn(listening).map((message) => message.method))
      expectThat(!methods.has('notifications/progress'), 'Expected no progress of a running call on the GET stream')
      expectEqual(logsIn(messagesOn(call.exchange), 'unrelated'), [], 'the unrelated messages on the call’s stream')
    },
  }),
  requirement({
    id: 'get-stream/carries-no-responses',
    title: 'No response comes on the GET stream.',
    rows: ['R106'],
    level: 'MUST NOT',
    spec,
    needs: ['get-stream'],
    async check({ open, target }) {
      const session = await open()
      const listening = await session.listen()
      await Promise.all(numbers(1, 8).map((id) => session.request('tools/list', {}, id)))
      if (target.roles.has('progress')) {
        await (await session.call('progress', {}, { progressToken: 'p' })).response()
      }
      await delay(150)
      expectEqual(messagesOn(listening).filter(isResponse), [], 'the responses on the GET stream')
    },
  }),
  requirement({
    id: 'get-stream/carries-pushed-messages',
    title: 'Messages that belong to no call come on the GET stream, in order.',
    rows: ['R107'],
    level: 'MAY',
    spec,
    needs: pushes,
    async check({ open }) {
      const session = await open()
      const listening = await session.listen()
      await session.text('push', { count: 3, text: 'pushed' })
      await awaitLog(listening, 'pushed:3')
      expectEqual(logsIn(messagesOn(listening), 'pushed'), pushedTexts('pushed', 3), 'the pushed messages')
    },
  }),
  requirement({
    id: 'get-stream/push-without-listener-does-no-harm',
    title:
      "Messages pushed while nobody listens fail no call, come on no call's stream, and are kept or dropped together.",
    rows: ['R108'],
    level: 'HARD',
    spec,
    because: 'The client may listen or not, so that a server must be able to send while it does not.',
    needs: pushes,
    async check({ open }) {
      const session = await open()
      const call = await session.call('push', { count: 3, text: 'unheard' })
      const response = await call.response()
      expectThat(response.result?.isError !== true && response.result !== undefined, 'Expected the push to succeed')
      expectEqual(logsIn(messagesOn(call.exchange), 'unheard'), [], 'the pushed messages on a call’s stream')
      const listening = await session.listen()
      await session.text('push', { count: 1, text: 'heard' })
      await awaitLog(listening, 'heard:1')
      const heard = logsIn(messagesOn(listening), 'unheard')
      expectThat(
        heard.length === 0 || JSON.stringify(heard) === JSON.stringify(pushedTexts('unheard', 3)),
        `Expected the earlier messages to be delivered or dropped, got ${JSON.stringify(heard)}`,
      )
    },
  }),
  requirement({
    id: 'get-stream/stays-open-while-idle',
    title: 'A GET stream on which nothing happens stays open for a minute.',
    rows: ['R109'],
    level: 'HARD',
    spec,
    because:
      'The stream is there for what may come at any time: time limits for requests and for idle connections miss its point.',
    needs: ['get-stream'],
    slow: true,
    async check({ open }) {
      const { startedAt, stream } = await (await open()).listen()
      if (!(await stream.endsWithin(minute))) return
      const after = Math.round((performance.now() - startedAt) / 1_000)
      const isPolled = stream.failure === undefined && stream.blocks.some(({ retry }) => retry !== undefined)
      if (isPolled) notTestable(`the server lets clients poll: it closed the connection after ${after} s`)
      fail(`Expected an idle GET stream to stay open for a minute, it ended after ${after} s`)
    },
  }),
  requirement({
    id: 'get-stream/idle-stream-is-kept-alive',
    title: 'Something is sent every 50 seconds, or more often, on a GET stream on which nothing happens.',
    rows: ['R229'],
    level: 'HARD',
    spec: 'WHATWG HTML §9.2.7',
    because: 'Proxies cut connections that are idle, many after a minute; a comment line keeps them open.',
    needs: ['get-stream'],
    slow: true,
    async check({ open }) {
      const { stream } = await (await open()).listen()
      await stream.endsWithin(1_000)
      const before = stream.chunks.length
      const deadline = performance.now() + quietMs
      while (stream.chunks.length === before && performance.now() < deadline) {
        if (await stream.endsWithin(500)) notTestable('the server closed the connection before')
      }
      const sent = stream.chunks.length > before
      expectThat(sent, 'Expected a comment or an event within 50 s on an idle GET stream, nothing came')
    },
  }),
  requirement({
    id: 'get-stream/early-close-can-be-resumed',
    title:
      'A GET connection that the server closes has got a retry field before, and a resume brings what came meanwhile.',
    rows: ['R110'],
    level: 'SHOULD',
    spec,
    since: '2025-11-25',
    needs: [...pushes, 'resumption', 'role:close_standalone'],
    async check({ open }) {
      const session = await open()
      const { exchange } = await listenWithEvent(session)
      await session.text('close_standalone')
      await exchange.stream.closed()
      const told = exchange.stream.blocks.some((block) => block.retry !== undefined)
      expectThat(told, 'Expected a retry field before the server closed the connection')
      await session.text('push', { count: 2, text: 'meanwhile' })
      const resumed = await session.resume(exchange.stream.lastEventId ?? fail('Expected an event id'))
      await awaitLog(resumed, 'meanwhile:2')
      expectEqual(pushedIn(messagesOn(resumed)), pushedTexts('meanwhile', 2), 'the messages after the resume')
    },
  }),
  requirement({
    id: 'get-stream/reopens-after-a-disconnect',
    title: 'After the client drops its GET stream, the next GET is answered with a stream again.',
    rows: ['R111'],
    level: 'SHOULD',
    spec,
    because: 'A GET has the answers event stream and 405; that an earlier one was dropped does not change which.',
    needs: ['get-stream'],
    async check({ open, target }) {
      const session = await open()
      for (let round = 0; round < 3; round++) {
        const listening = await session.get()
        expectStatus(listening, 200, 'a GET after the last one was dropped')
        listening.abort()
        await delay(100 + target.roundTripMs)
      }
    },
  }),
  requirement({
    id: 'get-stream/ends-with-the-session',
    title: 'A GET stream ends soon after its session was deleted.',
    rows: ['R112', 'T28'],
    level: 'dMUST',
    spec: '2025-11-25/basic/transports#session-management',
    because:
      'The server serves no request of a session that has ended, and the open GET is one: left open, it keeps the client waiting for what cannot come.',
    needs: ['get-stream', 'sessions', 'delete'],
    async check({ open, target }) {
      const session = await open()
      const listening = await session.listen()
      await endSession(session)
      const ended = await listening.stream.endsWithin(2_000 + target.roundTripMs)
      if (!ended) await needEnded(session)
      expectThat(
        ended,
        'Expected the GET stream to end within 2 s of the DELETE, it stays open. To take the session out of the map is not ' +
          'enough: close its transport too',
      )
    },
  }),
  requirement({
    id: 'get-stream/abort-before-the-head-does-no-harm',
    title: 'GET requests dropped before their answer do no harm: the next is answered as the first was.',
    rows: ['T39'],
    level: 'HARD',
    spec,
    because: 'The client may close the stream at any time, before its head too.',
    async check({ open, client }) {
      const session = await open()
      const before = await session.get()
      before.abort()
      for (let round = 0; round < 10; round++) {
        const { exchange, abort } = client.start('GET', {
          headers: { ...session.headers, Accept: 'text/event-stream' },
        })
        await delay(round % 3)
        abort()
        await exchange.catch(() => undefined)
      }
      await expectAlive(session)
      const listening = await session.get()
      expectStatus(listening, before.status, 'a GET as before those that were dropped')
    },
  }),
]
