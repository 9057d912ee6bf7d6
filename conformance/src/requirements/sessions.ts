import type { Agent } from 'node:http'
import { orCut } from '../client/bad-input.ts'
import type { CheckContext } from '../client/context.ts'
import type { Exchange } from '../client/exchange.ts'
import {
  errorCode,
  expectAccepted,
  expectEqual,
  expectNoServerError,
  expectRefused,
  expectStatus,
  expectThat,
  notTestable,
} from '../client/expect.ts'
import { initialize, isObject, isResponse, type Json, notification, request, resultFor } from '../client/json-rpc.ts'
import {
  endForGood,
  endSession,
  expectAlive,
  freshPing,
  needEnded,
  numbers,
  progressCall,
  Trace,
} from '../client/probes.ts'
import { estimateBits } from '../client/random-bits.ts'
import { postHeaders, responseIn } from '../client/session.ts'
import { delay, patienceMs } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#session-management'
const needsSessions = ['sessions'] as const

const samples = 24

/** An id of the same form as a real one, so that it is refused for being unknown and for nothing else. */
function unissuedLike(id = ''): string {
  const next: Readonly<Record<string, string>> = { 9: '0', f: 'a', F: 'A', z: 'g', Z: 'G' }
  const turned = [...id].map((character) => {
    if (!/[0-9a-z]/i.test(character)) return character
    return next[character] ?? String.fromCharCode(character.charCodeAt(0) + 1)
  })
  // What tells the version and variant of a UUID stays.
  return /^[0-9a-f]{8}-/i.test(id) ? turned.slice(0, 8).join('') + id.slice(8) : turned.join('')
}

/** A server that serves any id is told so by one requirement: what it does with a particular one shows nothing more. */
async function expectKnownIdsOnly({ post }: CheckContext, issued: string | undefined): Promise<void> {
  const used = await post(freshPing(), { sessionId: unissuedLike(issued) })
  if (used.ok) notTestable('the server serves a session id that it never issued')
}

/** Expects that the server refuses what names no session: the clause is for servers that need a session id. */
async function expectNeeded({ post }: CheckContext): Promise<void> {
  const message = freshPing()
  const exchange = await post(message)
  if (!exchange.ok) return
  const answer = await responseIn(exchange, message.id)
  if (answer.result !== undefined) notTestable('the server needs no session id: it serves a ping without one')
}

/** J. Session management. */
export const sessionRequirements = [
  requirement({
    id: 'session/id-comes-with-initialize',
    title: 'The answer to initialize gives a session id, in Mcp-Session-Id.',
    rows: ['R145'],
    level: 'MAY',
    spec,
    needs: needsSessions,
    async check({ open }) {
      expectThat((await open()).id !== undefined, 'Expected Mcp-Session-Id in answer to initialize')
    },
  }),
  requirement({
    id: 'session/id-is-visible-ascii',
    title: 'Session ids are of visible ASCII characters only, 0x21 to 0x7E.',
    rows: ['R146'],
    level: 'MUST',
    spec,
    needs: needsSessions,
    async check({ openMany }) {
      for (const { id } of await openMany(8)) {
        expectThat(/^[\x21-\x7e]+$/.test(id ?? ''), `Expected visible ASCII only, got ${JSON.stringify(id)}`)
      }
    },
  }),
  requirement({
    id: 'session/ids-are-unpredictable',
    title: 'Session ids are all different and show no less than 64 random bits.',
    rows: ['R147', 'T4'],
    level: 'dMUST',
    spec: '2025-11-25/basic/security_best_practices#session-hijacking',
    because:
      'The clause asks for secure, non-deterministic ids; 64 bits is what OWASP asks of any session id, and a UUID has more.',
    needs: needsSessions,
    async check({ open }) {
      const ids: string[] = []
      for (let count = 0; count < samples; count++) {
        const session = await open({ initialized: false })
        ids.push(session.id ?? '')
        await session.delete()
      }
      expectEqual(new Set(ids).size, ids.length, 'the number of distinct session ids')
      const bits = Math.round(estimateBits(ids))
      expectThat(bits >= 64, `Expected session ids with 64 random bits or more, ${samples} of them show ${bits}`)
    },
  }),
  requirement({
    id: 'session/failed-initialize-opens-none',
    title: 'An initialize that fails opens no session.',
    rows: ['R148'],
    level: 'HARD',
    spec,
    because: 'A session begins with the result of initialize: without one there is none that an id could name.',
    needs: needsSessions,
    async check({ post, delete: remove }) {
      const broken: (Json | undefined)[] = [undefined, {}, { protocolVersion: 5, capabilities: {}, clientInfo: {} }]
      let failed = 0
      for (const params of broken) {
        const exchange = await post(request('initialize', params))
        const answer = (await exchange.messages()).find(isResponse)
        const id = exchange.header('mcp-session-id')
        if (answer?.result !== undefined) {
          if (id !== undefined) await remove({ sessionId: id })
          continue
        }
        failed += 1
        if (id === undefined) continue
        const used = await post(freshPing(), { sessionId: id })
        expectRefused(used, 'a request in a session whose initialize failed')
      }
      if (failed === 0) notTestable('no initialize fails, however wrong its params are')
    },
  }),
  requirement({
    id: 'session/missing-id-on-request-is-400',
    title: 'A request without a session id is refused with 400, where the server needs one.',
    rows: ['R149'],
    level: 'SHOULD',
    spec,
    needs: needsSessions,
    async check(context) {
      await expectNeeded(context)
      const { post } = context
      expectStatus(await post(freshPing()), 400, 'a ping without a session id')
      expectStatus(await post(request('tools/list')), 400, 'tools/list without a session id')
    },
  }),
  requirement({
    id: 'session/missing-id-on-get-is-400',
    title: 'A GET without a session id is refused with 400, or with 405 where there is no GET.',
    rows: ['R150', 'R113'],
    level: 'SHOULD',
    spec,
    needs: needsSessions,
    async check(context) {
      await expectNeeded(context)
      expectStatus(await context.get(), [400, 405], 'a GET without a session id')
    },
  }),
  requirement({
    id: 'session/missing-id-on-delete-is-400',
    title: 'A DELETE without a session id is refused with 400, or with 405 where there is no DELETE.',
    rows: ['R151'],
    level: 'SHOULD',
    spec,
    needs: needsSessions,
    async check(context) {
      await expectNeeded(context)
      expectStatus(await context.delete(), [400, 405], 'a DELETE without a session id')
    },
  }),
  requirement({
    id: 'session/missing-id-on-notification-is-400',
    title: 'Notifications and responses without a session id are refused with 400, where the server needs one.',
    rows: ['R152'],
    level: 'SHOULD',
    spec,
    needs: needsSessions,
    async check(context) {
      await expectNeeded(context)
      const { post } = context
      const cancel = notification('notifications/cancelled', { requestId: 1 })
      expectStatus(await post(cancel), 400, 'a notification without a session id')
      expectStatus(await post(resultFor(1, {})), 400, 'a response without a session id')
    },
  }),
  requirement({
    id: 'session/ended-is-404-on-request',
    title: 'A request in a session that has ended is answered 404.',
    rows: ['R153'],
    level: 'MUST',
    spec,
    needs: ['sessions', 'delete'],
    async check({ open }) {
      const session = await open()
      await endSession(session)
      expectStatus(await session.post(freshPing()), 404, 'a ping in an ended session')
    },
  }),
  requirement({
    id: 'session/ended-is-404-on-everything-else',
    title: 'Notifications, responses, GET and DELETE in a session that has ended are answered 404.',
    rows: ['R154'],
    level: 'MUST',
    spec,
    needs: ['sessions', 'delete'],
    async check({ open }) {
      const session = await open()
      await endSession(session)
      expectStatus(await session.notify('notifications/roots/list_changed'), 404, 'a notification in an ended session')
      expectStatus(await session.post(resultFor(1, {})), 404, 'a response in an ended session')
      expectStatus(await session.get(), [404, 405], 'a GET in an ended session')
      expectStatus(await session.delete(), 404, 'a second DELETE')
    },
  }),
  requirement({
    id: 'session/unknown-id-is-404',
    title: 'A POST with a session id that was never issued is answered 404.',
    rows: ['R155'],
    level: 'dMUST',
    spec,
    because:
      'A server need not remember what has ended, so an unknown id may name an ended session; and a client starts anew on nothing but a 404.',
    needs: needsSessions,
    async check({ open, post }) {
      const neverIssued = unissuedLike((await open()).id)
      expectStatus(await post(freshPing(), { sessionId: neverIssued }), 404, 'a ping with an unknown session id')
      const note = notification('notifications/roots/list_changed')
      expectStatus(await post(note, { sessionId: neverIssued }), 404, 'a notification with an unknown session id')
      const answer = resultFor(1, {})
      expectStatus(await post(answer, { sessionId: neverIssued }), 404, 'a response with an unknown session id')
    },
  }),
  requirement({
    id: 'session/unknown-id-is-404-on-get-and-delete',
    title: 'GET and DELETE with a session id that was never issued are answered 404.',
    rows: ['R156'],
    level: 'dMUST',
    spec,
    because:
      'A server need not remember what has ended, so an unknown id may name an ended session; and a client starts anew on nothing but a 404.',
    needs: needsSessions,
    async check(context) {
      const neverIssued = unissuedLike((await context.open()).id)
      expectStatus(await context.get({ sessionId: neverIssued }), [404, 405], 'a GET with an unknown session id')
      expectStatus(await context.delete({ sessionId: neverIssued }), [404, 405], 'a DELETE with an unknown session id')
    },
  }),
  requirement({
    id: 'session/chosen-id-is-not-adopted',
    title: 'An initialize that brings a session id of its own does not get a session by that id.',
    rows: ['R157'],
    level: 'dMUST',
    spec,
    because:
      "Ids are assigned by the server; who can choose the id of another client's session can use it (session fixation).",
    needs: needsSessions,
    async check(context) {
      const { post, delete: remove, version } = context
      const chosen = 'chosen-by-an-attacker-0123456789abcdef'
      const exchange = await post(initialize(version), { headers: { 'Mcp-Session-Id': chosen } })
      const minted = exchange.header('mcp-session-id')
      expectThat(minted !== chosen, 'Expected initialize not to adopt a session id the client chose')
      await expectKnownIdsOnly(context, chosen)
      const used = await post(freshPing(), { sessionId: chosen })
      expectThat(!used.ok, `Expected the chosen session id not to work, got status ${used.status}`)
      if (minted !== undefined) await remove({ sessionId: minted })
    },
  }),
  requirement({
    id: 'session/second-initialize-does-no-harm',
    title: 'A second initialize in a session is refused or answered, and the session lives on under its one id.',
    rows: ['R158'],
    level: 'SHOULD',
    spec: '2025-11-25/basic/lifecycle#initialization',
    because:
      'Initialization is the first interaction of a session and happens once; what comes again must not break what is established.',
    needs: needsSessions,
    async check({ open, version }) {
      const session = await open()
      const message = initialize(version)
      const exchange = await session.post(message)
      // A refusal need not be JSON.
      const answer = exchange.refused ? undefined : await responseIn(exchange, message.id)
      const refused = exchange.refused || errorCode(answer) !== undefined
      const other = exchange.header('mcp-session-id')
      expectNoServerError(exchange, 'a second initialize')
      expectThat(refused || other === session.id || other === undefined, `Expected no second session id, got ${other}`)
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'session/hostile-ids-are-refused',
    title: 'Session ids such as __proto__, an empty one and one of 64 KiB are refused with a 4xx status.',
    rows: ['R159', 'T30'],
    level: 'HARD',
    spec,
    because: 'They name no session, and what a client sends is no error of the server.',
    needs: needsSessions,
    abuse: true,
    async check(context) {
      const { post, get, request: send } = context
      await expectKnownIdsOnly(context, (await context.open()).id)
      const hostile = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '*', '{a}', '../x', 'a:b', '']
      for (const sessionId of hostile) {
        expectRefused(await post(freshPing(), { sessionId }), `POST with the session id "${sessionId}"`)
        expectRefused(await get({ sessionId }), `GET with the session id "${sessionId}"`)
        expectRefused(await send('DELETE', { sessionId }), `DELETE with the session id "${sessionId}"`)
      }
      // Longer than the head that Node takes: answered, or cut off.
      const long = await orCut(post(freshPing(), { sessionId: 'x'.repeat(65_536) }))
      if (long !== undefined) expectRefused(long, 'a session id of 64 KiB')
    },
  }),
  requirement({
    id: 'session/id-is-compared-exactly',
    title: 'A session id that differs in case, length or spacing from a real one is refused.',
    rows: ['R160'],
    level: 'HARD',
    spec,
    because: 'An id is an opaque text of visible characters: another text is another id, which was never issued.',
    needs: needsSessions,
    async check(context) {
      const { open, post } = context
      const { id = '' } = await open()
      await expectKnownIdsOnly(context, id)
      const swapped = id === id.toUpperCase() ? id.toLowerCase() : id.toUpperCase()
      for (const sessionId of [swapped, id.slice(0, -1), `${id}x`, `${id},${id}`, `${id} ${id}`]) {
        if (sessionId !== id) expectRefused(await post(freshPing(), { sessionId }), `the session id "${sessionId}"`)
      }
    },
  }),
  requirement({
    id: 'session/delete-ends-it-or-is-405',
    title: 'DELETE ends the session with a 2xx status, or is answered 405.',
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
    title: 'DELETE ends the streams of the session and aborts its calls, and leaves other sessions alone.',
    rows: ['R162', 'T28'],
    level: 'HARD',
    spec,
    because: 'DELETE terminates the session: what still runs for it has nobody left to answer.',
    needs: ['sessions', 'delete', 'role:abort_probe', 'role:abort_query'],
    async check({ open, target }) {
      const [ended, other] = [await open(), await open()]
      const canStream = target.offers.has('sse') && target.roles.has('burst')
      const running = canStream ? await progressCall(ended, { count: 400, delayMs: 20 }) : undefined
      if (running !== undefined) await running.awaitReports(1)
      const trace = new Trace()
      ended.startPost(trace.call(10_000))
      await trace.until(other, ['running'])
      await endSession(ended)
      const state = await trace.until(other, ['aborted', 'finished'])
      if (state !== 'aborted') await needEnded(ended)
      expectEqual(state, 'aborted', 'the state of a call whose session was ended')
      const isOver = running === undefined || (await running.exchange.stream.endsWithin(patienceMs))
      expectThat(isOver, `Expected the stream of a call to end within ${patienceMs} ms after its session`)
      await expectAlive(other)
    },
  }),
  requirement({
    id: 'session/delete-ends-no-other',
    title: 'Of three sessions, a DELETE of one leaves the other two in working order.',
    rows: ['R162', 'T10'],
    level: 'MUST',
    spec: '2025-11-25/basic/security_best_practices#session-hijacking',
    because: 'DELETE ends the session that it names; who can end those of others keeps them from working.',
    needs: ['sessions', 'delete'],
    async check({ openMany }) {
      const [one, ended, other] = await openMany(3)
      if (one === undefined || ended === undefined || other === undefined) return
      await endSession(ended)
      for (const session of [one, other]) {
        expectStatus(await session.post(freshPing()), 200, 'a ping in a session beside the one that was deleted')
      }
    },
  }),
  requirement({
    id: 'session/outlives-its-streams',
    title: 'A session lives on after the client has dropped its stream of GET.',
    rows: ['R111'],
    level: 'HARD',
    spec: '2025-11-25/basic/transports#listening-for-messages-from-the-server',
    because:
      'The client may close the stream at any time; a session that is lost with its connection can be neither used nor resumed.',
    needs: ['sessions', 'get-stream'],
    async check({ open, target }) {
      const session = await open()
      for (let round = 0; round < 2; round++) {
        ;(await session.listen()).abort()
        await delay(150 + target.roundTripMs)
        expectStatus(await session.post(freshPing()), 200, 'a ping after the stream of GET was dropped')
      }
    },
  }),
  requirement({
    id: 'session/delete-may-have-a-body',
    title: 'A DELETE with a body or a Content-Type ends the session like any other.',
    rows: ['R163'],
    level: 'HARD',
    spec,
    because:
      'Such a body has no defined meaning (RFC 9110 §9.3.5), and clients of HTTP libraries send a Content-Type by default.',
    needs: ['sessions', 'delete'],
    async check({ open }) {
      await endSession(await open())
      const headers = { 'Content-Type': 'application/json' }
      expectAccepted(await (await open()).delete({ body: '{}', headers }), 'a DELETE with a body')
      expectAccepted(await (await open()).delete({ headers }), 'a DELETE with a Content-Type and no body')
    },
  }),
  requirement({
    id: 'session/answers-without-one-tell-nothing',
    title: 'A session that has ended and one that never was are answered alike.',
    rows: ['T5', 'R155'],
    level: 'HARD',
    spec: '2025-11-25/basic/security_best_practices#session-hijacking',
    because: 'An answer that differs tells whoever guesses ids which of them were real.',
    needs: ['sessions', 'delete'],
    async check({ open, post }) {
      const session = await open()
      await endForGood(session)
      const neverIssued = unissuedLike(session.id)
      const ended = await post(freshPing(), { sessionId: session.id })
      const unknown = await post(freshPing(), { sessionId: neverIssued })
      expectNoServerError(ended, 'an ended session')
      // That both have the status 404 is a requirement of its own.
      const [told, other] = [await toldBy(ended, session.id), await toldBy(unknown, neverIssued)]
      expectEqual(told, other, 'the body for an ended session, compared with that for an unknown one,')
    },
  }),
  requirement({
    id: 'session/flood-is-survived',
    title: 'A flood of sessions that nobody uses ends in no error: further ones open or are refused with 429 or 503.',
    rows: ['R166', 'T14'],
    level: 'HARD',
    spec: 'CWE-770',
    because:
      'Anybody can send initialize; what it costs must have a bound, and the bound must not fall on other clients.',
    needs: needsSessions,
    abuse: true,
    slow: true,
    async check({ client, open, version }) {
      const session = await open()
      const opened: string[] = []
      const flood = async (): Promise<void> => {
        const agent = client.keepAlive()
        while (opened.length < floodSize) {
          const exchange = await client.send('POST', { body: initialize(version), headers: postHeaders(), agent })
          expectStatus(exchange, [200, 429, 503], 'one initialize of very many')
          await exchange.bytes()
          const id = exchange.header('mcp-session-id')
          if (!exchange.ok || id === undefined) return
          opened.push(id)
        }
      }
      await Promise.all(numbers(1, 8).map(flood))
      const used = await session.post(freshPing())
      // The oldest may have had to make room.
      expectStatus(used, [200, 404], 'a ping in a session that was open before the flood')
      const headers = { 'MCP-Protocol-Version': version }
      const end = async (agent: Agent): Promise<void> => {
        for (let id = opened.pop(); id !== undefined; id = opened.pop()) {
          await (await client.send('DELETE', { headers: { ...headers, 'Mcp-Session-Id': id }, agent })).bytes()
        }
      }
      await Promise.all(numbers(1, 8).map(() => end(client.keepAlive())))
    },
  }),
  requirement({
    id: 'stateless/ignores-a-session-id',
    title: 'A server without sessions answers a request that names one as any other.',
    rows: ['R169'],
    level: 'HARD',
    spec,
    because:
      'A server that gives no session ids keeps nothing that an id could name, so that there is none to be missing.',
    needs: ['stateless'],
    async check({ open }) {
      const session = await open()
      const exchange = await session.post(freshPing(), { headers: { 'Mcp-Session-Id': 'of-an-earlier-deployment' } })
      expectAccepted(exchange, 'a ping that names a session')
      expectEqual(exchange.header('mcp-session-id'), undefined, 'the session id in the answer')
    },
  }),
  requirement({
    id: 'stateless/has-nothing-to-delete',
    title: 'A server without sessions answers DELETE with 405.',
    rows: ['R169'],
    level: 'HARD',
    spec,
    because:
      'By 405 the server says that it does not let clients end sessions; where there are none there is nothing to end.',
    needs: ['stateless'],
    async check({ open }) {
      expectStatus(await (await open()).delete(), 405, 'DELETE')
    },
  }),
  requirement({
    id: 'stateless/tells-clients-apart',
    title: 'Clients of a server without sessions whose requests have equal ids each get their own answer.',
    rows: ['R169', 'T11'],
    level: 'HARD',
    spec: 'JSON-RPC 2.0 §5',
    because: 'Ids are unique for one client only; where no session tells clients apart, the connection has to.',
    needs: ['stateless'],
    async check({ openMany }) {
      const clients = await openMany(10)
      const methods = clients.map((_, index) => (index % 2 === 0 ? 'ping' : 'no/such/method'))
      const answers = await Promise.all(clients.map((one, index) => one.request(methods[index] ?? '', {}, 'equal')))
      const kinds = answers.map(({ result }) => (result === undefined ? 'no/such/method' : 'ping'))
      expectEqual(kinds, methods, 'the methods whose answers came, client by client,')
    },
  }),
]

const floodSize = 2_000

/** What the body tells, beside what was sent: the code and the text of the error. */
async function toldBy(exchange: Exchange, sessionId = ''): Promise<unknown> {
  const body = await exchange.json()
  const { error } = isObject(body) ? body : {}
  if (!isObject(error)) return undefined
  return { code: error.code, message: String(error.message).replaceAll(sessionId, '') }
}
