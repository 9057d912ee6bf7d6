import {
  bearerChallenge,
  expectScopeChallenge,
  expectUnauthorized,
  invalidToken,
  unsignedLike,
  withoutToken,
  withToken,
} from '../client/bearer.ts'
import type { CheckContext } from '../client/context.ts'
import type { Exchange } from '../client/exchange.ts'
import { expectEqual, expectRefused, expectStatus, expectThat, notTestable } from '../client/expect.ts'
import { initialize, notification, request, resultFor, toolCall } from '../client/json-rpc.ts'
import { expectAlive, freshPing } from '../client/probes.ts'
import { postHeaders } from '../client/session.ts'
import { requirement } from '../requirement.ts'
import { discoveryRequirements } from './authorization-discovery.ts'
import { sessionOwnerRequirements } from './session-owner.ts'

const tokens = '2025-11-25/basic/authorization#access-token-usage'
const handling = '2025-11-25/basic/authorization#token-handling'
const hijacking = '2025-11-25/basic/security_best_practices#session-hijacking'
const everyRequest = 'A token belongs to every request, also within one session, so each without one is answered 401.'
const foreign = 'https://evil.example.com'

/** A session id of the same form as `id` that was never issued. */
function strangerTo(id: string): string {
  const turn = (digit: string) =>
    /\d/.test(digit) ? String(9 - Number(digit)) : 'abcdef'.charAt(102 - digit.charCodeAt(0))
  const stranger = id.slice(0, -12) + id.slice(-12).replace(/[0-9a-f]/g, turn)
  return stranger === id ? `${id.slice(0, -4)}0000` : stranger
}

/** What a client without a token is told about a session id. */
async function refusalsOf(context: CheckContext, sessionId: string): Promise<Map<string, Exchange>> {
  const options = { ...withoutToken, sessionId }
  return new Map([
    ['POST', await context.post({ jsonrpc: '2.0', id: 'who', method: 'ping' }, options)],
    ['GET', await context.get(options)],
    ['DELETE', await context.delete(options)],
  ])
}

/** A raw POST that would carry a body: headers of the run without its token. */
function headWithoutToken({ target }: CheckContext): Record<string, string> {
  const all = { ...target.client.headers, ...postHeaders(), 'Content-Length': '100' }
  const isSent = ([name, value]: [string, unknown]) =>
    typeof value === 'string' && name.toLowerCase() !== 'authorization'
  return Object.fromEntries(Object.entries(all).filter(isSent)) as Record<string, string>
}

/** How `initialize` with the token that lacks a scope is refused. */
async function refusedForScope({ post, version, target }: CheckContext): Promise<Exchange> {
  const exchange = await post(initialize(version), withToken(target.credentials.weak))
  expectRefused(exchange, 'initialize with a token that lacks the scope')
  return exchange
}

/** P. Authorization at the transport. */
export const authorizationRequirements = [
  requirement({
    id: 'auth/session-id-is-no-credential',
    title: 'A request without a token is refused with 401, whatever session it names.',
    rows: ['R168', 'R236', 'R030'],
    level: 'MUST NOT',
    spec: hijacking,
    because: 'Sessions must not be used for authentication: whoever finds a session id would be its user.',
    needs: ['auth'],
    async check({ open }) {
      const session = await open()
      expectStatus(await session.post(freshPing(), withoutToken), 401, 'a ping without a token')
      expectStatus(await session.post(request('tools/list'), withoutToken), 401, 'tools/list without a token')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'auth/notifications-and-responses-need-the-token',
    title: 'A notification or response without a token is refused with 401.',
    rows: ['R236'],
    level: 'MUST',
    spec: tokens,
    because: everyRequest,
    needs: ['auth'],
    async check({ open }) {
      const session = await open()
      const note = notification('notifications/roots/list_changed')
      expectStatus(await session.post(note, withoutToken), 401, 'a notification without a token')
      expectStatus(await session.post(resultFor('x', {}), withoutToken), 401, 'a response without a token')
    },
  }),
  requirement({
    id: 'auth/get-needs-the-token',
    title: 'A GET without a token is refused with 401, also with a Last-Event-ID.',
    rows: ['R236'],
    level: 'MUST',
    spec: tokens,
    because: everyRequest,
    needs: ['auth'],
    async check({ open }) {
      const session = await open()
      expectStatus(await session.get(withoutToken), [401, 405], 'a GET without a token')
      const resumed = await session.get({ ...withoutToken, lastEventId: '1' })
      expectStatus(resumed, [401, 405], 'a GET with a Last-Event-ID and without a token')
    },
  }),
  requirement({
    id: 'auth/delete-needs-the-token',
    title: 'A DELETE without a token is refused with 401, and the session goes on.',
    rows: ['R236'],
    level: 'MUST',
    spec: tokens,
    because: everyRequest,
    needs: ['auth'],
    async check({ open }) {
      const session = await open()
      expectStatus(await session.delete(withoutToken), [401, 405], 'a DELETE without a token')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'auth/invalid-token-is-401',
    title: 'A token that nobody issued is refused with 401 on POST, GET and DELETE.',
    rows: ['R236'],
    level: 'MUST',
    spec: handling,
    needs: ['auth'],
    async check({ open, post, version }) {
      const refused = await post(initialize(version), withToken(invalidToken))
      // Authorization is optional: whoever shows none of it has tokens, and statuses, of his own.
      if (refused.status === 403 && bearerChallenge(refused) === undefined)
        notTestable('no answer has a Bearer challenge')
      expectStatus(refused, 401, 'initialize with an invalid token')
      await expectUnauthorized(await open(), invalidToken, 'an invalid token')
    },
  }),
  requirement({
    id: 'auth/unsigned-token-is-401',
    title: 'A JWT without a signature, or with one of random bytes, is refused with 401.',
    rows: ['R236'],
    level: 'MUST',
    spec: 'RFC 9068 §4',
    because: 'A token that is not signed by its issuer is not valid, and invalid tokens are answered 401.',
    needs: ['auth'],
    async check({ post, version, target }) {
      const forged = unsignedLike(target.credentials.token ?? '')
      if (forged.length === 0) notTestable('the token is no JWT')
      for (const [index, token] of forged.entries()) {
        const exchange = await post(initialize(version), withToken(token))
        const what = index === 0 ? 'without a signature' : 'with a random signature'
        expectStatus(exchange, 401, `initialize with the claims of the token ${what}`)
      }
    },
  }),
  requirement({
    id: 'auth/expired-token-is-401',
    title: 'An expired token is refused with 401 on POST, GET and DELETE.',
    rows: ['R236'],
    level: 'MUST',
    spec: handling,
    needs: ['auth', 'token:expired'],
    async check({ open, post, version, target }) {
      const { expired } = target.credentials
      expectStatus(await post(initialize(version), withToken(expired)), 401, 'initialize with an expired token')
      await expectUnauthorized(await open(), expired, 'an expired token')
    },
  }),
  ...discoveryRequirements,
  requirement({
    id: 'auth/token-in-query-is-not-accepted',
    title: 'A token in the query string counts for nothing.',
    rows: ['R239'],
    level: 'MUST NOT',
    spec: tokens,
    because:
      'URLs get into logs and histories, so tokens must not be in them; a server that takes them there invites it.',
    needs: ['auth'],
    async check({ open, post, version, target, url }) {
      const session = await open()
      const asked: [string, (query: string) => Promise<Exchange>][] = [
        ['initialize', (query) => post(initialize(version), { ...withoutToken, query })],
        ['a ping', (query) => session.post(freshPing(), { ...withoutToken, query })],
        ['a GET', (query) => session.get({ ...withoutToken, query })],
      ]
      for (const [what, send] of asked) {
        // What needs no token at all is for another requirement to judge.
        if (!(await send(url.search)).refused) continue
        for (const name of ['access_token', 'token']) {
          const query = new URL(url)
          query.searchParams.set(name, target.credentials.token ?? '')
          expectRefused(await send(query.search), `${what} with the token as ?${name}=`)
        }
      }
    },
  }),
  requirement({
    id: 'auth/insufficient-scope-is-403',
    title: 'A valid token without the needed scope is refused with 403.',
    rows: ['R240'],
    level: 'SHOULD',
    spec: '2025-11-25/basic/authorization#error-handling',
    needs: ['auth', 'token:weak'],
    async check(context) {
      expectStatus(await refusedForScope(context), 403, 'initialize with a token that lacks the scope')
    },
  }),
  requirement({
    id: 'auth/insufficient-scope-is-explained',
    title:
      'The refusal of a token without the needed scope says so: error="insufficient_scope", scope, resource_metadata.',
    rows: ['R240'],
    level: 'SHOULD',
    spec: '2025-11-25/basic/authorization#runtime-insufficient-scope-errors',
    since: '2025-11-25',
    needs: ['auth', 'token:weak'],
    async check(context) {
      expectScopeChallenge(await refusedForScope(context))
    },
  }),
  requirement({
    id: 'auth/scope-of-a-tool-is-challenged',
    title:
      'A call of a tool that needs a scope which the token lacks is refused with 403 and told which; the session goes on.',
    rows: ['R240'],
    level: 'SHOULD',
    spec: '2025-11-25/basic/authorization#runtime-insufficient-scope-errors',
    since: '2025-11-25',
    needs: ['auth', 'role:missing_scope'],
    async check({ open }) {
      const session = await open()
      const exchange = await session.post(toolCall('missing_scope'))
      expectStatus(exchange, 403, 'a call of the tool that needs another scope')
      expectScopeChallenge(exchange)
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'auth/foreign-audience-is-401',
    title: 'A token that was issued for another audience is refused with 401 on POST, GET and DELETE.',
    rows: ['R241'],
    level: 'MUST',
    spec: handling,
    needs: ['auth', 'token:foreign'],
    async check({ open, post, version, target }) {
      const exchange = await post(initialize(version), withToken(target.credentials.foreign))
      expectStatus(exchange, 401, 'initialize with a token for another audience')
      await expectUnauthorized(await open(), target.credentials.foreign, 'a token for another audience')
    },
  }),
  requirement({
    id: 'auth/comes-before-the-body-is-parsed',
    title: 'Malformed JSON without a token is refused with 401, not for the JSON.',
    rows: ['R242'],
    level: 'HARD',
    spec: tokens,
    because: 'Whoever has no token should reach no parser.',
    needs: ['auth'],
    async check({ post }) {
      expectStatus(await post('{bad', withoutToken), 401, 'malformed JSON without a token')
    },
  }),
  requirement({
    id: 'auth/comes-before-the-body-is-read',
    title: 'A POST without a token is refused before its body has come.',
    rows: ['R242'],
    level: 'HARD',
    spec: tokens,
    because: 'Whoever has no token should cost no memory, and no time of waiting for the rest.',
    needs: ['auth'],
    async check(context) {
      const connection = await context.raw()
      connection.writeHead('POST', headWithoutToken(context))
      const status = await connection.status(2_000)
      expectThat(status === 401, `Expected 401 before the body came, got ${status ?? 'nothing within 2 s'}`)
    },
  }),
  requirement({
    id: 'auth/refusal-hides-which-sessions-exist',
    title: 'Without a token, a known session and an unknown one are refused alike.',
    rows: ['R242'],
    level: 'HARD',
    spec: hijacking,
    because: 'Otherwise session ids can be tried without a token.',
    needs: ['auth', 'sessions'],
    async check(context) {
      const { id = '' } = await context.open()
      const known = await refusalsOf(context, id)
      const again = await refusalsOf(context, id)
      const unknown = await refusalsOf(context, strangerTo(id))
      for (const [method, exchange] of known) {
        // That it is refused at all is a requirement of its own.
        if (!exchange.refused) continue
        const what = `a ${method} without a token for an unknown session, compared with that for a known one,`
        expectEqual(unknown.get(method)?.status, exchange.status, `the status of ${what}`)
        const body = await exchange.text()
        // A body with a time or a number of its own differs each time.
        if ((await again.get(method)?.text()) !== body) continue
        expectEqual(await unknown.get(method)?.text(), body, `the body of ${what}`)
      }
    },
  }),
  requirement({
    id: 'auth/foreign-origin-is-refused-despite-a-token',
    title: 'An Origin that is not allowed is refused with 403, also with a valid token.',
    rows: ['R243'],
    level: 'MUST',
    spec: '2025-11-25/basic/transports#security-warning',
    since: '2025-11-25',
    because: 'The Origin is to be checked on every connection. A page may have got hold of a token.',
    needs: ['auth'],
    async check({ open, post, version }) {
      const session = await open()
      const options = { headers: { Origin: foreign } }
      const answers: [string, Exchange][] = [
        ['initialize', await post(initialize(version), options)],
        ['a POST', await session.post(freshPing(), options)],
        ['a GET', await session.get(options)],
        ['a DELETE', await session.delete(options)],
      ]
      for (const [what, exchange] of answers) {
        if (exchange.status !== 405) expectStatus(exchange, 403, `${what} of a foreign page with a token`)
      }
      await expectAlive(session)
    },
  }),
  ...sessionOwnerRequirements,
]
