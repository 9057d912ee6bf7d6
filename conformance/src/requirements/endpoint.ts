import type { CheckContext } from '../client/context.ts'
import type { Exchange } from '../client/exchange.ts'
import { expectAccepted, expectEqual, expectRefused, expectStatus, expectThat, notTestable } from '../client/expect.ts'
import { initialize } from '../client/json-rpc.ts'
import { expectListening, freshPing } from '../client/probes.ts'
import type { Session } from '../client/session.ts'
import type { Target } from '../client/target.ts'
import { requirement, revisions } from '../requirement.ts'

const transport = '2025-11-25/basic/transports#streamable-http'

const withoutCors = 'the server answers its own origin without CORS headers'

/** Headers that a client of this server sends, of those that a browser asks about first. */
function preflighted({ offers }: Target): string[] {
  return [
    'Content-Type',
    'MCP-Protocol-Version',
    ...(offers.has('sessions') ? ['Mcp-Session-Id'] : []),
    ...(offers.has('resumption') ? ['Last-Event-ID'] : []),
    ...(offers.has('auth') ? ['Authorization'] : []),
  ]
}

/** Asks as a browser does before a page of the server's own origin sends a request. */
async function preflight({ request, target, url }: CheckContext, method: string): Promise<Exchange> {
  const asked = {
    'Access-Control-Request-Method': method,
    'Access-Control-Request-Headers': preflighted(target).join(',').toLowerCase(),
  }
  return await request('OPTIONS', { headers: { Origin: url.origin, Authorization: undefined, ...asked } })
}

/** The query string of `url` with another parameter: what a gateway put there stays. */
function withParameter({ search }: URL, parameter: string): string {
  return search === '' ? `?${parameter}` : `${search}&${parameter}`
}

/** Expects a header that lists each of `names`, in any case. `*` stands for all but Authorization (Fetch, 3.3). */
function expectListed(value: string | undefined, names: readonly string[], header: string): void {
  const listed = (value ?? '').split(',').map((name) => name.trim().toLowerCase())
  for (const name of names) {
    const isListed = listed.includes(name.toLowerCase()) || (listed.includes('*') && name !== 'Authorization')
    expectThat(
      isListed,
      `Expected ${header} to list ${name}, got ${value === undefined ? 'no such header' : `"${value}"`}`,
    )
  }
}

/** Says so where a GET is refused for its version header alone. */
async function versionReason(session: Session): Promise<string> {
  const exchange = await session.get({ headers: { 'MCP-Protocol-Version': undefined } })
  return [200, 405].includes(exchange.status) ? ` (${exchange.status} without MCP-Protocol-Version)` : ''
}

/** A. Endpoint and HTTP methods. */
export const endpointRequirements = [
  requirement({
    id: 'endpoint/get-is-event-stream-or-405',
    title: 'A GET of a live session opens an event stream or is answered 405.',
    rows: ['R001', 'R002', 'R102'],
    level: 'MUST',
    spec: '2025-11-25/basic/transports#listening-for-messages-from-the-server',
    async check({ open, target }) {
      // The newest first, as clients ask for it: what is negotiated then may be another.
      for (const asked of new Set([...revisions.slice(-1), ...target.versions])) {
        const session = await open({ version: asked })
        const exchange = await session.get()
        const reason = [200, 405].includes(exchange.status) ? '' : await versionReason(session)
        const what = `a GET of a live session of ${session.version}, with ${asked} asked for${reason}`
        expectStatus(exchange, [200, 405], what)
        if (exchange.status !== 200) continue
        expectEqual(exchange.contentType, 'text/event-stream', 'the Content-Type of the stream of GET')
        exchange.abort()
      }
    },
  }),
  requirement({
    id: 'endpoint/405-lists-allowed-methods',
    title: 'A 405 lists the methods that are allowed, POST among them.',
    rows: ['R003'],
    level: 'RFC-MUST',
    spec: 'RFC 9110 §15.5.6',
    because: 'A server that answers 405 MUST generate an Allow header in it.',
    async check({ open }) {
      const session = await open()
      let seen = 0
      for (const method of ['PUT', 'PATCH', 'PROPFIND', 'GET']) {
        const exchange = method === 'GET' ? await session.get() : await session.send(method)
        if (exchange.status !== 405) continue
        seen += 1
        const allow = exchange.header('allow')
        expectThat(allow !== undefined, `Expected an Allow header with the 405 to ${method}`)
        const listed = allow.split(',').map((name) => name.trim())
        expectThat(!listed.includes(method), `Expected Allow not to list the refused ${method}, got "${allow}"`)
        expectThat(listed.includes('POST'), `Expected Allow to list POST, got "${allow}"`)
      }
      if (seen === 0) notTestable('no method was answered 405')
    },
  }),
  requirement({
    id: 'endpoint/unsupported-methods-are-405',
    title: 'Methods that the transport does not use are answered 405 or 501.',
    rows: ['R004', 'T42'],
    level: 'SHOULD',
    spec: 'RFC 9110 §9.1',
    because: 'The transport defines GET, POST and DELETE; any other method is not allowed on its endpoint.',
    async check({ open }) {
      const session = await open()
      for (const method of ['PUT', 'PATCH', 'PROPFIND']) {
        const plain = await session.send(method)
        // Frameworks and gateways hand on the methods they know; of others the endpoint hears nothing.
        if (method === 'PROPFIND' && plain.refused && plain.status !== 405) {
          notTestable(`${method} does not reach the endpoint: it is answered ${plain.status}`)
        }
        expectStatus(plain, [405, 501], method)
        const withBody = { body: freshPing(), headers: { 'Content-Type': 'application/json' } }
        expectStatus(await session.send(method, withBody), [405, 501], `${method} with a body`)
      }
    },
  }),
  requirement({
    id: 'endpoint/head-opens-no-stream',
    title: 'HEAD is answered without a body, and leaves the stream of the session free.',
    rows: ['R005'],
    level: 'HARD',
    spec: 'RFC 9110 §9.3.2',
    because: 'HEAD is GET without content: it must not take the place of a client that reads.',
    async check({ open }) {
      const session = await open()
      const head = await session.send('HEAD', { headers: { Accept: 'text/event-stream' } })
      const body = await head.bytes()
      expectThat(body.length === 0, `Expected HEAD to have no body, got ${body.length} bytes`)
      await expectListening(await session.get(), open, 'the GET after a HEAD')
    },
  }),
  requirement({
    id: 'endpoint/query-string-is-ignored',
    title: 'A query string on the URL of the endpoint changes nothing.',
    rows: ['R008'],
    level: 'HARD',
    spec: transport,
    because: 'The endpoint is one path; gateways and clients add parameters of their own.',
    async check({ open, url }) {
      const session = await open()
      const query = withParameter(url, 'x=1&y=%20')
      expectAccepted(await session.post(freshPing(), { query }), 'a POST with a query string')
    },
  }),
  requirement({
    id: 'endpoint/query-string-carries-no-session-id',
    title: 'A session id counts in its header only, never in the query string.',
    rows: ['R008'],
    level: 'HARD',
    spec: '2025-11-25/basic/transports#session-management',
    because: 'URLs end up in logs and histories, and the specification names the header alone.',
    needs: ['sessions'],
    async check({ open, get, post, url }) {
      const session = await open()
      const without = [await get(), await post(freshPing())]
      if (without.some(({ ok }) => ok)) notTestable('the server also serves requests without a session id')
      for (const name of ['mcp-session-id', 'Mcp-Session-Id', 'sessionId', 'session_id']) {
        const query = withParameter(url, `${name}=${encodeURIComponent(session.id ?? '')}`)
        expectRefused(await get({ query }), `GET with ${name} only in the query string`)
        expectRefused(await post(freshPing(), { query }), `POST with ${name} only in the query string`)
      }
    },
  }),
  requirement({
    id: 'endpoint/header-names-are-case-insensitive',
    title: 'Header names are read in any case.',
    rows: ['R009'],
    level: 'MUST',
    spec: 'RFC 9110 §5.1',
    async check({ open, request }) {
      const { id, version } = await open()
      const spell = [(name: string) => name.toUpperCase(), (name: string) => name.toLowerCase()]
      for (const spelled of spell) {
        const headers = {
          [spelled('Content-Type')]: 'application/json',
          [spelled('Accept')]: 'application/json, text/event-stream',
          [spelled('Mcp-Session-Id')]: id,
          [spelled('MCP-Protocol-Version')]: version,
        }
        expectStatus(await request('POST', { body: freshPing(), headers }), 200, `headers such as ${spelled('Accept')}`)
      }
    },
  }),
  requirement({
    id: 'endpoint/repeated-session-id-is-refused',
    title: 'A request with two session ids is refused.',
    rows: ['R010'],
    level: 'HARD',
    spec: 'RFC 9110 §5.3',
    because: 'The header has one value; which of two a proxy and the server believe would differ.',
    needs: ['sessions'],
    async check({ openMany }) {
      const [one, other] = await openMany(2)
      const headers = { 'Mcp-Session-Id': [one?.id ?? '', other?.id ?? ''] }
      const exchange = await one?.post(freshPing(), { headers })
      if (exchange !== undefined) expectRefused(exchange, 'a request with two Mcp-Session-Id lines')
    },
  }),
  requirement({
    id: 'endpoint/repeated-content-type-is-refused',
    title: 'A request with two different content types is refused.',
    rows: ['R010'],
    level: 'HARD',
    spec: 'RFC 9110 §5.3',
    because: 'The header has one value; which of two a proxy and the server believe would differ.',
    async check({ open }) {
      const session = await open()
      for (const types of [
        ['application/json', 'text/plain'],
        ['text/plain', 'application/json'],
      ]) {
        const exchange = await session.post(freshPing(), { headers: { 'Content-Type': types } })
        expectRefused(exchange, `a request with the Content-Type lines ${types.join(' and ')}`)
      }
    },
  }),
  requirement({
    id: 'endpoint/preflight-allows-what-clients-send',
    title:
      'With CORS on, a preflight is answered without a session, and allows the methods and headers of the transport.',
    rows: ['R006'],
    level: 'HARD',
    spec: 'WHATWG Fetch §3.3',
    because: 'Browsers ask first, without the headers that they ask for; what is not allowed they do not send.',
    async check(context) {
      const { target } = context
      for (const method of target.offers.has('delete') ? ['POST', 'DELETE'] : ['POST']) {
        const exchange = await preflight(context, method)
        if (exchange.header('access-control-allow-origin') === undefined) notTestable(withoutCors)
        expectAccepted(exchange, `a preflight for ${method}`)
        const headers = exchange.header('access-control-allow-headers')
        expectListed(headers, preflighted(target), 'Access-Control-Allow-Headers')
        // GET and POST need no permission (Fetch, CORS-safelisted method).
        if (method !== 'DELETE') continue
        expectListed(exchange.header('access-control-allow-methods'), [method], 'Access-Control-Allow-Methods')
      }
    },
  }),
  requirement({
    id: 'endpoint/cors-exposes-the-session-id',
    title: 'With CORS on, pages may read the session id.',
    rows: ['R007'],
    level: 'HARD',
    spec: 'WHATWG Fetch §3.3',
    because: 'A page that cannot read the header cannot send it back, so that it has no session.',
    needs: ['sessions'],
    async check({ post, url, version }) {
      const exchange = await post(initialize(version), { headers: { Origin: url.origin } })
      const allowed = exchange.header('access-control-allow-origin')
      if (!exchange.ok || allowed === undefined) notTestable(withoutCors)
      expectListed(
        exchange.header('access-control-expose-headers'),
        ['Mcp-Session-Id'],
        'Access-Control-Expose-Headers',
      )
    },
  }),
  requirement({
    id: 'endpoint/cors-answers-vary-by-origin',
    title:
      'With CORS on, no permission is for every origin with credentials, and one that depends on the Origin says so in Vary.',
    rows: ['R007'],
    level: 'HARD',
    spec: 'WHATWG Fetch §3.3',
    because:
      'A cached answer for one origin would be given to another; "*" with credentials opens the server to any page.',
    async check({ post, url, version }) {
      const exchange = await post(initialize(version), { headers: { Origin: url.origin } })
      const allowed = exchange.header('access-control-allow-origin')
      if (!exchange.ok || allowed === undefined) notTestable(withoutCors)
      const hasCredentials = exchange.header('access-control-allow-credentials') === 'true'
      expectThat(allowed !== '*' || !hasCredentials, 'Expected no "*" together with credentials')
      // The same permission for everybody, asked for or not, depends on nothing.
      const withoutOrigin = (await post(initialize(version))).header('access-control-allow-origin')
      if (allowed !== '*' && allowed !== withoutOrigin) expectListed(exchange.header('vary'), ['Origin'], 'Vary')
    },
  }),
]
