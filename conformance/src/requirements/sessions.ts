import {
  errorCode,
  expectAccepted,
  expectEqual,
  expectNoServerError,
  expectRefused,
  expectStatus,
  expectThat,
} from '../client/expect.ts'
import { initialize, type Json, notification, request, resultFor } from '../client/json-rpc.ts'
import { burst, expectAlive, freshPing, Trace } from '../client/probes.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#session-management'
const needsSessions = ['sessions'] as const
const neverIssued = 'never-issued-0123456789abcdef0123456789'

/** A lower bound of the random bits in ids of one generator: what each place of the text is seen to vary by. */
function estimateBits(ids: readonly string[]): number {
  const length = Math.min(...ids.map((id) => id.length))
  let bits = 0
  for (let index = 0; index < length; index++) bits += Math.log2(new Set(ids.map((id) => id[index])).size)
  return bits
}

/** J. Session management. */
export const sessionRequirements = [
  requirement({
    id: 'session/id-comes-with-initialize',
    rows: ['R145'],
    level: 'MAY',
    spec,
    async check({ open }) {
      expectThat((await open()).id !== undefined, 'Expected Mcp-Session-Id in answer to initialize')
    },
  }),
  requirement({
    id: 'session/id-is-visible-ascii',
    rows: ['R146'],
    level: 'MUST',
    spec,
    needs: needsSessions,
    async check({ openMany }) {
      for (const { id } of await openMany(20)) {
        expectThat(/^[\x21-\x7e]+$/.test(id ?? ''), `Expected visible ASCII only, got ${JSON.stringify(id)}`)
      }
    },
  }),
  requirement({
    id: 'session/ids-are-unpredictable',
    rows: ['R147', 'T4'],
    level: 'MUST',
    spec: '2025-11-25/basic/security_best_practices#session-hijacking',
    needs: needsSessions,
    async check({ post, version }) {
      const ids: string[] = []
      for (let count = 0; count < 50; count++) {
        const exchange = await post(initialize(version))
        const id = exchange.header('mcp-session-id') ?? ''
        ids.push(id)
        await exchange.bytes()
      }
      expectEqual(new Set(ids).size, ids.length, 'the number of distinct session ids')
      const sorted = ids.toSorted()
      expectThat(JSON.stringify(sorted) !== JSON.stringify(ids), 'Expected session ids that do not count up')
      // 50 samples show somewhat less than there is: a version 4 UUID has 122 random bits and shows about 115.
      const bits = Math.round(estimateBits(ids))
      expectThat(bits >= 100, `Expected about 128 random bits, 50 session ids show ${bits}`)
    },
  }),
  requirement({
    id: 'session/failed-initialize-opens-none',
    rows: ['R148'],
    level: 'HARD',
    spec,
    needs: needsSessions,
    async check({ post }) {
      const broken: (Json | undefined)[] = [undefined, {}, { protocolVersion: 5, capabilities: {}, clientInfo: {} }]
      for (const params of broken) {
        const exchange = await post(request('initialize', params))
        const [answer] = await exchange.messages()
        const id = exchange.header('mcp-session-id')
        expectThat(answer?.result === undefined, `Expected initialize with params ${JSON.stringify(params)} to fail`)
        if (id === undefined) continue
        const used = await post(freshPing(), { sessionId: id })
        expectRefused(used, 'a request in a session whose initialize failed')
      }
    },
  }),
  requirement({
    id: 'session/missing-id-on-request-is-400',
    rows: ['R149'],
    level: 'SHOULD',
    spec,
    needs: needsSessions,
    async check({ post }) {
      expectStatus(await post(freshPing()), 400, 'a ping without a session id')
      expectStatus(await post(request('tools/list')), 400, 'tools/list without a session id')
    },
  }),
  requirement({
    id: 'session/missing-id-on-get-is-400',
    rows: ['R150', 'R113'],
    level: 'SHOULD',
    spec,
    needs: needsSessions,
    async check({ get }) {
      expectStatus(await get(), [400, 405], 'a GET without a session id')
    },
  }),
  requirement({
    id: 'session/missing-id-on-delete-is-400',
    rows: ['R151'],
    level: 'SHOULD',
    spec,
    needs: needsSessions,
    async check({ request: send }) {
      expectStatus(await send('DELETE'), [400, 405], 'a DELETE without a session id')
    },
  }),
  requirement({
    id: 'session/missing-id-on-notification-is-400',
    rows: ['R152'],
    level: 'SHOULD',
    spec,
    needs: needsSessions,
    async check({ post }) {
      const cancel = notification('notifications/cancelled', { requestId: 1 })
      expectStatus(await post(cancel), 400, 'a notification without a session id')
      expectStatus(await post(resultFor(1, {})), 400, 'a response without a session id')
    },
  }),
  requirement({
    id: 'session/ended-is-404-on-request',
    rows: ['R153'],
    level: 'MUST',
    spec,
    needs: ['sessions', 'delete'],
    async check({ open }) {
      const session = await open()
      await session.delete()
      expectStatus(await session.post(freshPing()), 404, 'a ping in an ended session')
    },
  }),
  requirement({
    id: 'session/ended-is-404-on-everything-else',
    rows: ['R154'],
    level: 'MUST',
    spec,
    needs: ['sessions', 'delete'],
    async check({ open }) {
      const session = await open()
      await session.delete()
      expectStatus(await session.notify('notifications/roots/list_changed'), 404, 'a notification in an ended session')
      expectStatus(await session.post(resultFor(1, {})), 404, 'a response in an ended session')
      expectStatus(await session.get(), [404, 405], 'a GET in an ended session')
      expectStatus(await session.delete(), 404, 'a second DELETE')
    },
  }),
  requirement({
    id: 'session/unknown-id-is-404',
    rows: ['R155'],
    level: 'MUST',
    spec,
    needs: needsSessions,
    async check({ post }) {
      expectStatus(await post(freshPing(), { sessionId: neverIssued }), 404, 'a ping with an unknown session id')
      const note = notification('notifications/roots/list_changed')
      expectStatus(await post(note, { sessionId: neverIssued }), 404, 'a notification with an unknown session id')
      const answer = resultFor(1, {})
      expectStatus(await post(answer, { sessionId: neverIssued }), 404, 'a response with an unknown session id')
    },
  }),
  requirement({
    id: 'session/unknown-id-is-404-on-get-and-delete',
    rows: ['R156'],
    level: 'MUST',
    spec,
    needs: needsSessions,
    async check(context) {
      expectStatus(await context.get({ sessionId: neverIssued }), [404, 405], 'a GET with an unknown session id')
      expectStatus(await context.delete({ sessionId: neverIssued }), [404, 405], 'a DELETE with an unknown session id')
    },
  }),
  requirement({
    id: 'session/chosen-id-is-not-adopted',
    rows: ['R157'],
    level: 'dMUST',
    spec,
    needs: needsSessions,
    async check({ post, version }) {
      const chosen = 'chosen-by-an-attacker-0123456789abcdef'
      const exchange = await post(initialize(version), { headers: { 'Mcp-Session-Id': chosen } })
      const minted = exchange.header('mcp-session-id')
      expectThat(minted !== chosen, 'Expected initialize not to adopt a session id the client chose')
      const used = await post(freshPing(), { sessionId: chosen })
      expectThat(!used.ok, `Expected the chosen session id not to work, got status ${used.status}`)
    },
  }),
  requirement({
    id: 'session/second-initialize-does-no-harm',
    rows: ['R158'],
    level: 'SHOULD',
    spec: '2025-11-25/basic/lifecycle#initialization',
    needs: needsSessions,
    async check({ open, version }) {
      const session = await open()
      const exchange = await session.post(initialize(version))
      const [answer] = await exchange.messages()
      const refused = exchange.refused || errorCode(answer) === -32600
      const other = exchange.header('mcp-session-id')
      expectThat(refused || other === session.id || other === undefined, `Expected no second session id, got ${other}`)
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'session/hostile-ids-are-refused',
    rows: ['R159', 'T30'],
    level: 'HARD',
    spec,
    needs: needsSessions,
    async check({ post, get, request: send }) {
      const hostile = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '*', '{a}', '../x', 'a:b', '']
      for (const sessionId of hostile) {
        expectRefused(await post(freshPing(), { sessionId }), `POST with the session id "${sessionId}"`)
        expectRefused(await get({ sessionId }), `GET with the session id "${sessionId}"`)
        expectRefused(await send('DELETE', { sessionId }), `DELETE with the session id "${sessionId}"`)
      }
      // Longer than the head that Node takes: answered, or cut off.
      const long = await post(freshPing(), { sessionId: 'x'.repeat(65_536) }).catch(() => undefined)
      if (long !== undefined) expectRefused(long, 'a session id of 64 KiB')
    },
  }),
  requirement({
    id: 'session/id-is-compared-exactly',
    rows: ['R160'],
    level: 'HARD',
    spec,
    needs: needsSessions,
    async check({ open, post }) {
      const { id = '' } = await open()
      const swapped = id === id.toUpperCase() ? id.toLowerCase() : id.toUpperCase()
      for (const sessionId of [swapped, id.slice(0, -1), `${id}x`, `${id},${id}`, `${id} ${id}`]) {
        if (sessionId !== id) expectRefused(await post(freshPing(), { sessionId }), `the session id "${sessionId}"`)
      }
    },
  }),
  requirement({
    id: 'session/delete-ends-it-or-is-405',
    rows: ['R161'],
    level: 'MAY',
    spec,
    needs: needsSessions,
    async check({ open }) {
      expectStatus(await (await open()).delete(), [200, 202, 204, 405], 'DELETE')
    },
  }),
  requirement({
    id: 'session/delete-ends-streams-and-handlers',
    rows: ['R162', 'T28'],
    level: 'HARD',
    spec,
    needs: ['sessions', 'delete', 'sse', 'role:burst', 'role:abort_probe', 'role:abort_query'],
    async check({ openMany }) {
      const [ended, other] = await openMany(2)
      if (ended === undefined || other === undefined) return
      const running = await burst(ended, { count: 200, delayMs: 20 })
      const trace = new Trace()
      const probe = ended.startPost(trace.call(8_000))
      probe.exchange.catch(() => undefined)
      await trace.until(other, ['running'])
      await ended.delete()
      const state = await trace.until(other, ['aborted', 'finished'], 2_000)
      expectEqual(state, 'aborted', 'the state of a call whose session was ended')
      expectThat(await running.exchange.stream.endsWithin(2_000), 'Expected the POST stream to end within 2 s')
      await expectAlive(other)
    },
  }),
  requirement({
    id: 'session/delete-may-have-a-body',
    rows: ['R163'],
    level: 'HARD',
    spec,
    needs: ['sessions', 'delete'],
    async check({ open, openMany }) {
      const session = await open()
      const withBody = await session.delete({ body: '{}', headers: { 'Content-Type': 'application/json' } })
      expectAccepted(withBody, 'a DELETE with a body')
      const [typed] = await openMany(1)
      const exchange = await typed?.delete({ headers: { 'Content-Type': 'application/json' } })
      if (exchange !== undefined) expectAccepted(exchange, 'a DELETE with a Content-Type and no body')
    },
  }),
  requirement({
    id: 'session/answers-without-one-tell-nothing',
    rows: ['T5', 'R155'],
    level: 'HARD',
    spec: '2025-11-25/basic/security_best_practices#session-hijacking',
    needs: ['sessions', 'delete'],
    async check({ open, post }) {
      const session = await open()
      await session.delete()
      const ended = await post(freshPing(), { sessionId: session.id })
      const unknown = await post(freshPing(), { sessionId: neverIssued })
      expectNoServerError(ended, 'an ended session')
      const bodies = [await ended.json(), await unknown.json()].map(withoutId)
      expectEqual(bodies[0], bodies[1], 'the body for an ended session, compared with that for an unknown one,')
    },
  }),
]

function withoutId(body: unknown): unknown {
  return typeof body === 'object' && body !== null ? { ...body, id: undefined } : body
}
