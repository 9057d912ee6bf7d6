import { type Asking, answerWith, beginAsk, expectAnswer } from '../client/asking.ts'
import type { Exchange } from '../client/exchange.ts'
import { expectAccepted, expectEqual, expectStatus, expectThat } from '../client/expect.ts'
import { errorFor, isObject, isResponse, notification, resultFor } from '../client/json-rpc.ts'
import { expectAlive, freshPing, messagesOn } from '../client/probes.ts'
import { delay } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#sending-messages-to-the-server'

async function expectEmpty202(exchange: Exchange, what: string): Promise<void> {
  expectStatus(exchange, 202, what)
  const body = await exchange.bytes()
  expectThat(body.length === 0, `Expected no body in answer to ${what}, got ${JSON.stringify(body.toString())}`)
}

/** D. POST: notifications and responses. */
export const notificationRequirements = [
  requirement({
    id: 'notification/accepted-is-202-empty',
    title: 'A notification that is accepted is answered 202 without a body.',
    rows: ['R059'],
    level: 'MUST',
    spec,
    async check({ open }) {
      const session = await open({ initialized: false })
      await expectEmpty202(await session.notify('notifications/initialized'), 'notifications/initialized')
      const changed = await session.notify('notifications/roots/list_changed')
      await expectEmpty202(changed, 'notifications/roots/list_changed')
    },
  }),
  requirement({
    id: 'response/accepted-is-202-empty',
    title: 'A response that is accepted is answered 202 without a body.',
    rows: ['R060'],
    level: 'MUST',
    spec,
    needs: ['sessions', 'sse', 'role:ask'],
    async check({ open }) {
      const session = await open()
      const asking = await beginAsk(session)
      await expectEmpty202(await session.post(answerWith(asking, 'yes')), 'a response')
    },
  }),
  requirement({
    id: 'response/accepted-error-is-202-empty',
    title: 'An error response that is accepted is answered 202 without a body.',
    rows: ['R061'],
    level: 'MUST',
    spec,
    needs: ['sessions', 'sse', 'role:ask'],
    async check({ open }) {
      const session = await open()
      const { askedId } = await beginAsk(session)
      await expectEmpty202(await session.post(errorFor(askedId)), 'an error response')
    },
  }),
  requirement({
    id: 'notification/unacceptable-is-an-http-error',
    title: 'A notification or response that is malformed is answered with an HTTP error.',
    rows: ['R062'],
    level: 'HARD',
    spec,
    because:
      'What a server cannot accept is answered with an error status. One that accepts and ignores it does no harm, but its client does not learn of the mistake.',
    async check({ open }) {
      const session = await open()
      const malformed = [
        { jsonrpc: '2.0', id: 'never', result: {}, error: { code: 1, message: 'both' } },
        { jsonrpc: '2.0', id: 'never', error: 'no object' },
        { jsonrpc: '2.0', id: { no: 'id' }, result: {} },
        { jsonrpc: '2.0', method: 'notifications/initialized', params: 5 },
      ]
      for (const body of malformed) {
        const exchange = await session.post(body)
        // That it is no fault of the server's, another requirement says.
        expectThat(exchange.status >= 400, `Expected an HTTP error for ${JSON.stringify(body)}, got ${exchange.status}`)
      }
    },
  }),
  requirement({
    id: 'response/unknown-id-is-not-answered',
    title: 'A response to what was never asked is answered 202 or 4xx, never with a result.',
    rows: ['R062', 'T13'],
    level: 'dMUST',
    spec,
    because: 'It is accepted or not; there is nothing to answer.',
    async check({ open }) {
      const session = await open()
      for (const id of ['never-issued', 0, 987_654_321]) {
        const exchange = await session.post(resultFor(id, {}))
        const allowed = exchange.status === 202 || exchange.refused
        expectThat(allowed, `Expected 202 or 4xx for a response to ${JSON.stringify(id)}, got ${exchange.status}`)
        const body = await exchange.json()
        expectThat(!isObject(body) || !('result' in body), `Expected no result, got ${JSON.stringify(body)}`)
      }
    },
  }),
  requirement({
    id: 'notification/unknown-method-is-accepted',
    title: 'A notification of an unknown method is accepted.',
    rows: ['R063'],
    level: 'SHOULD',
    spec: '2025-11-25/basic/index#notifications',
    because: 'Notifications are never answered, so that there is nothing to tell the sender.',
    async check({ open }) {
      expectAccepted(await (await open()).notify('notifications/does-not-exist'), 'an unknown notification')
    },
  }),
  requirement({
    id: 'notification/is-never-answered',
    title: 'A notification gets no JSON-RPC response, whatever its method.',
    rows: ['R064'],
    level: 'MUST',
    spec: '2025-11-25/basic/index#notifications',
    async check({ open, target }) {
      const session = await open()
      if (target.offers.has('get-stream')) await session.listen()
      for (const method of ['tools/list', 'notifications/does-not-exist', 'no/such/method']) {
        const exchange = await session.post(notification(method))
        const body = exchange.isEventStream ? messagesOn(exchange)[0] : await exchange.json()
        const answered = exchange.ok && isObject(body) && ('result' in body || 'error' in body)
        expectThat(!answered, `Expected no response to the notification ${method}, got ${JSON.stringify(body)}`)
      }
      await expectAlive(session)
      await delay(150)
      const responses = session.received.filter(({ message }) => isResponse(message) && message.id === undefined)
      expectEqual(responses.length, 0, 'the number of responses to notifications')
    },
  }),
  requirement({
    id: 'notification/keeps-the-connection-usable',
    title: 'After a notification the connection serves the next request.',
    rows: ['R065'],
    level: 'SHOULD',
    spec,
    because: 'A 202 without a body must not say that one follows.',
    async check({ open, client }) {
      const session = await open()
      const agent = client.keepAlive()
      const options = { agent, headers: { Connection: 'keep-alive' } }
      const noted = await session.post(notification('notifications/roots/list_changed'), options)
      const body = await noted.text()
      expectEqual(body, '', 'the body in answer to a notification')
      const next = await session.post(freshPing(), options)
      expectAccepted(next, 'a request after a notification on the same connection')
    },
  }),
  requirement({
    id: 'response/of-another-session-is-not-delivered',
    title: "A response from another session does not answer the server's question.",
    rows: ['R066', 'T13'],
    level: 'MUST',
    spec: '2025-11-25/basic/security_best_practices#session-hijacking',
    because: 'What one client was asked, another must not answer.',
    needs: ['sessions', 'sse', 'role:ask'],
    async check({ openMany }) {
      const [victim, attacker] = await openMany(2)
      if (victim === undefined || attacker === undefined) return
      const asking = await beginAsk(victim)
      await attacker.post(answerWith(asking, 'forged'))
      await expectAlive(victim)
      await victim.post(answerWith(asking, 'genuine'))
      expectAnswer(await (await asking.call()).text(), 'genuine')
    },
  }),
  requirement({
    id: 'response/duplicate-is-ignored',
    title: 'Of several responses to one question the first counts, and the others do no harm.',
    rows: ['R067', 'T13'],
    level: 'HARD',
    spec,
    because: 'Clients repeat what they believe lost.',
    needs: ['sessions', 'sse', 'role:ask'],
    async check({ open }) {
      const session = await open()
      const asking = await beginAsk(session)
      const answers = ['first', 'second', 'third'].map((answer) => answerWith(asking, answer))
      for (const answer of answers) {
        const exchange = await session.post(answer)
        expectThat(exchange.ok || exchange.refused, `Expected 2xx or 4xx for an answer, got ${exchange.status}`)
      }
      expectAnswer(await (await asking.call()).text(), 'first')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'response/reaches-its-own-call',
    title: 'Answers that come in another order reach the calls that asked.',
    rows: ['R068'],
    level: 'HARD',
    spec: '2025-11-25/basic/index#requests',
    because: 'The id of a request, unique among those in flight, is what an answer names.',
    needs: ['sessions', 'sse', 'role:ask'],
    async check({ open }) {
      const session = await open()
      const answers = ['one', 'two', 'three']
      const calls: Asking[] = []
      for (const _ of answers) calls.push(await beginAsk(session))
      const ids = calls.map(({ askedId }) => askedId)
      expectEqual(new Set(ids).size, ids.length, 'the number of distinct ids of server requests in flight')
      for (const index of [2, 0, 1]) {
        const asking = calls[index]
        if (asking !== undefined) await session.post(answerWith(asking, answers[index] ?? ''))
      }
      for (const [index, asking] of calls.entries()) {
        expectAnswer(await (await asking.call()).text(), answers[index] ?? '')
      }
    },
  }),
]
