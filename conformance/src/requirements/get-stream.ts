import { expectAccepted, expectEqual, expectRefused, expectStatus, expectThat, fail } from '../client/expect.ts'
import { isResponse } from '../client/json-rpc.ts'
import {
  awaitLog,
  burst,
  expectAlive,
  listenWithEvent,
  logsIn,
  messagesOn,
  numbers,
  pushedTexts,
} from '../client/probes.ts'
import { delay } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#listening-for-messages-from-the-server'
const pushes = ['get-stream', 'role:push'] as const

/** G. GET stream. */
export const getStreamRequirements = [
  requirement({
    id: 'get-stream/needs-an-accept-of-event-stream',
    rows: ['R103'],
    level: 'HARD',
    spec: 'RFC 9110 §12.5.1',
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
    rows: ['R104'],
    level: 'HARD',
    spec,
    needs: ['get-stream'],
    alone: true,
    async check({ open }) {
      const exchange = await (await open()).listen()
      const after = Math.round(exchange.headAt - exchange.startedAt)
      expectThat(after < 500, `Expected the head of an idle stream at once, it came after ${after} ms`)
    },
  }),
  requirement({
    id: 'get-stream/carries-only-unrelated-messages',
    rows: ['R105'],
    level: 'SHOULD',
    spec,
    needs: ['get-stream', 'sse', 'role:burst', 'role:push'],
    async check({ open }) {
      const session = await open()
      const listening = await session.listen()
      const call = await burst(session, { count: 10, delayMs: 15 })
      await session.text('push', { count: 3, text: 'unrelated' })
      await call.response()
      await awaitLog(listening, 'unrelated:3')
      const methods = new Set(messagesOn(listening).map((message) => message.method))
      expectThat(!methods.has('notifications/progress'), 'Expected no progress of a running call on the GET stream')
      expectEqual(logsIn(messagesOn(call.exchange), 'unrelated'), [], 'the unrelated messages on the call’s stream')
    },
  }),
  requirement({
    id: 'get-stream/carries-no-responses',
    rows: ['R106'],
    level: 'MUST NOT',
    spec,
    needs: ['get-stream'],
    async check({ open, target }) {
      const session = await open()
      const listening = await session.listen()
      await Promise.all(numbers(1, 20).map((id) => session.request('tools/list', {}, id)))
      if (target.roles.has('progress')) {
        await (await session.call('progress', {}, { progressToken: 'p' })).response()
      }
      await delay(150)
      expectEqual(messagesOn(listening).filter(isResponse), [], 'the responses on the GET stream')
    },
  }),
  requirement({
    id: 'get-stream/carries-pushed-messages',
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
    rows: ['R108'],
    level: 'HARD',
    spec,
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
    id: 'get-stream/early-close-can-be-resumed',
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
      const resumed = await session.listen(exchange.stream.lastEventId ?? fail('Expected an event id'))
      await awaitLog(resumed, 'meanwhile:2')
      expectEqual(logsIn(messagesOn(resumed)), pushedTexts('meanwhile', 2), 'the messages after the resume')
    },
  }),
  requirement({
    id: 'get-stream/reopens-after-a-disconnect',
    rows: ['R111'],
    level: 'SHOULD',
    spec,
    needs: ['get-stream'],
    async check({ open }) {
      const session = await open()
      for (let round = 0; round < 3; round++) {
        const listening = await session.get()
        expectStatus(listening, 200, 'a GET after the last one was dropped')
        listening.abort()
        await delay(100)
      }
    },
  }),
  requirement({
    id: 'get-stream/ends-with-the-session',
    rows: ['R112', 'T28'],
    level: 'HARD',
    spec: '2025-11-25/basic/transports#session-management',
    needs: ['get-stream', 'sessions', 'delete'],
    async check({ open }) {
      const session = await open()
      const listening = await session.listen()
      await session.delete()
      expectThat(await listening.stream.endsWithin(2_000), 'Expected the GET stream to end within 2 s of the DELETE')
    },
  }),
  requirement({
    id: 'get-stream/abort-before-the-head-does-no-harm',
    rows: ['T39'],
    level: 'HARD',
    spec,
    async check({ open, client }) {
      const session = await open()
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
      expectThat(listening.status === 405 || listening.ok, `Expected GET to work on, got status ${listening.status}`)
      if (listening.ok) expectAccepted(listening, 'a GET')
    },
  }),
]
