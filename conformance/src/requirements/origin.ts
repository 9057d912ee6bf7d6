import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { CheckContext } from '../client/context.ts'
import type { Exchange } from '../client/exchange.ts'
import { expectAccepted, expectRefused, expectStatus, expectThat, notTestable } from '../client/expect.ts'
import type { RequestOptions } from '../client/http.ts'
import { initialize, isObject, notification, resultFor } from '../client/json-rpc.ts'
import { expectAlive, freshPing, Trace } from '../client/probes.ts'
import { plainHeaders, type Session } from '../client/session.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#security-warning'
const foreign = 'http://evil.example.com'
const unrefused = `the server refuses no Origin: ${foreign} is served`
const fromForeign = { headers: { Origin: foreign } }

async function expectOriginRefused({ post, version }: CheckContext, origin: string): Promise<void> {
  const exchange = await post(initialize(version), { headers: { Origin: origin } })
  expectRefused(exchange, `initialize with "Origin: ${origin.slice(0, 80)}"`)
}

async function expectHostRefused({ post, version }: CheckContext, host: string | readonly string[]): Promise<void> {
  const exchange = await post(initialize(version), { headers: { Host: host } })
  expectRefused(exchange, `initialize with "Host: ${host}"`)
}

/** Sends each method as a foreign page could, and then, to compare, as any other client. */
async function fromForeignPage(session: Session): Promise<{ method: string; refused: Exchange; plain: Exchange }[]> {
  const sent = {
    POST: (options?: RequestOptions) => session.post(freshPing(), options),
    GET: (options?: RequestOptions) => session.get(options),
    DELETE: (options?: RequestOptions) => session.delete(options),
  }
  const answers = []
  for (const [method, send] of Object.entries(sent)) {
    answers.push({ method, refused: await send(fromForeign), plain: await send() })
  }
  return answers
}

/** Whether a TCP connection is accepted. The address is one of this machine: what is not refused at once never is. */
function connects(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2_000 })
    const settle = (isAccepted: boolean) => {
      socket.destroy()
      resolve(isAccepted)
    }
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false)).once('timeout', () => settle(false))
  })
}

/** B. Origin and Host. */
export const originRequirements = [
  requirement({
    id: 'origin/foreign-origin-cannot-initialize',
    title: 'An initialize from an Origin that is not allowed is refused.',
    rows: ['R011', 'T1'],
    level: 'MUST',
    spec,
    async check(context) {
      await expectOriginRefused(context, foreign)
    },
  }),
  requirement({
    id: 'origin/foreign-origin-cannot-post',
    title:
      'Requests, notifications and responses from an Origin that is not allowed are refused, also in a live session.',
    rows: ['R012', 'T2'],
    level: 'MUST',
    spec,
    async check({ open }) {
      const session = await open()
      expectRefused(await session.post(freshPing(), fromForeign), 'a request of a foreign page')
      const note = notification('notifications/roots/list_changed')
      expectRefused(await session.post(note, fromForeign), 'a notification of a foreign page')
      // An id that is not pending may be refused for itself, so the same message without an Origin is no comparison.
      expectRefused(await session.post(resultFor('x', {}), fromForeign), 'a response of a foreign page')
    },
  }),
  requirement({
    id: 'origin/foreign-origin-cannot-listen',
    title: 'A GET from an Origin that is not allowed is refused.',
    rows: ['R013', 'T2'],
    level: 'MUST',
    spec,
    because: 'The Origin is to be validated on all incoming connections.',
    async check({ open }) {
      const exchange = await (await open()).get(fromForeign)
      expectRefused(exchange, 'GET of a foreign page')
    },
  }),
  requirement({
    id: 'origin/foreign-origin-cannot-delete',
    title: 'A DELETE from an Origin that is not allowed is refused, and the session lives on.',
    rows: ['R014', 'T2'],
    level: 'MUST',
    spec,
    because: 'The Origin is to be validated on all incoming connections.',
    needs: ['sessions'],
    async check({ open }) {
      const session = await open()
      expectRefused(await session.delete(fromForeign), 'DELETE of a foreign page')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'origin/foreign-origin-gets-no-cors-headers',
    title: 'An Origin that is not allowed gets no permission by CORS, whatever the method.',
    rows: ['R015', 'T3'],
    level: 'dMUST',
    spec,
    because: 'A permission for any page undoes the validation of the Origin.',
    async check({ request, post, version }) {
      // A gateway may give "*" to all: of no use to a page whose requests are refused.
      const isRefused = (await post(initialize(version), fromForeign)).refused
      for (const method of ['OPTIONS', 'HEAD', 'PUT', 'PATCH']) {
        const preflight = { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type' }
        const exchange = await request(method, { headers: { Origin: foreign, ...preflight } })
        const allowed = exchange.header('access-control-allow-origin')
        expectThat(
          allowed === undefined || (allowed === '*' ? isRefused : !allowed.includes(foreign)),
          `Expected no CORS permission for ${foreign} in answer to ${method}, got "${allowed}"`,
        )
        // What HEAD is answered tells a page nothing without a permission.
        if (method === 'OPTIONS' || method === 'HEAD') continue
        const isKept = exchange.refused || exchange.status === 501
        expectThat(isKept, `Expected ${method} of a foreign page to be refused, got status ${exchange.status}`)
      }
    },
  }),
  requirement({
    id: 'origin/refusal-is-403',
    title: 'An Origin that is not allowed is refused with 403.',
    rows: ['R016'],
    level: 'MUST',
    spec,
    since: '2025-11-25',
    async check({ open }) {
      // What is refused to everybody is not refused for its Origin; and to refuse at all is another requirement.
      const answers = (await fromForeignPage(await open())).filter(({ refused, plain }) => plain.ok && !refused.ok)
      if (answers.length === 0) notTestable(unrefused)
      for (const { method, refused } of answers) expectStatus(refused, 403, `a ${method} from ${foreign}`)
    },
  }),
  requirement({
    id: 'origin/null-is-refused',
    title: 'The Origin "null" is refused.',
    rows: ['R017', 'T2'],
    level: 'dMUST',
    spec,
    because: 'Sandboxed frames and local files have it, so that it stands for any page.',
    async check(context) {
      await expectOriginRefused(context, 'null')
    },
  }),
  requirement({
    id: 'origin/look-alikes-are-refused',
    title: 'Origins that only contain an allowed name are refused.',
    rows: ['R018'],
    level: 'dMUST',
    spec,
    because: 'An Origin is allowed or not as a whole: scheme, host and port.',
    async check(context) {
      const { host, hostname, port } = context.url
      const lookAlikes = [
        'http://localhost.evil.example.com',
        `http://localhost.evil.example.com:${port}`,
        'http://127.0.0.1.evil.example.com',
        'http://evil.example.com/?localhost',
        `http://evil.example.com#${host}`,
        'http://localhost@evil.example.com',
        `http://${host}@evil.example.com`,
        `http://${host}.evil.example.com`,
        `http://x${hostname}:${port}`,
        `http://evil-localhost:${port}`,
      ]
      for (const origin of lookAlikes) await expectOriginRefused(context, origin)
    },
  }),
  requirement({
    id: 'origin/unparseable-is-refused',
    title: 'An Origin that is none, and two at once, are refused.',
    rows: ['R019'],
    level: 'dMUST',
    spec,
    because: 'What cannot be validated is not valid.',
    async check(context) {
      for (const origin of ['garbage', 'http://', '//x', ':', `http://${'x'.repeat(4_096)}`]) {
        await expectOriginRefused(context, origin)
      }
      const headers = { Origin: [context.url.origin, foreign] }
      const twice = await context.post(initialize(context.version), { headers })
      expectRefused(twice, 'initialize with two Origin lines')
    },
  }),
  requirement({
    id: 'origin/is-checked-before-the-body-is-parsed',
    title: 'Malformed JSON from an Origin that is not allowed gets the same refusal as anything else from there.',
    rows: ['R020'],
    level: 'dMUST',
    spec,
    because: 'An answer that depends on the body shows that a foreign page reached the parser.',
    async check({ open }) {
      const session = await open()
      const wellFormed = await session.post(freshPing(), fromForeign)
      if (wellFormed.ok) notTestable(unrefused)
      const malformed = await session.post('{bad', fromForeign)
      expectThat(
        malformed.status === wellFormed.status,
        `Expected the Origin to be checked first: from ${foreign} a ping is answered ${wellFormed.status}, and a body ` +
          `that is no JSON ${malformed.status}`,
      )
    },
  }),
  requirement({
    id: 'origin/is-checked-before-the-body-is-read',
    title: 'An Origin that is not allowed is refused before the body has come.',
    rows: ['R021', 'T17'],
    level: 'HARD',
    spec,
    because: 'The head of the request tells all that is needed; reading on is work for an attacker.',
    async check({ open, raw }) {
      const session = await open()
      if ((await session.post(freshPing(), fromForeign)).ok) notTestable(unrefused)
      const connection = await raw()
      connection.writeHead('POST', { ...plainHeaders(session), 'Content-Length': '100', Origin: foreign })
      const status = await connection.status()
      // 408 tells of the body that did not come.
      const isRefused = status !== undefined && status >= 400 && status < 500 && status !== 408
      const got = status ?? 'no answer in time (so does a proxy in front that gathers the body first)'
      expectThat(isRefused, `Expected a foreign origin to be refused before the body came, got ${got}`)
    },
  }),
  requirement({
    id: 'origin/refusal-changes-nothing',
    title: 'A request from an Origin that is not allowed opens no session and runs no tool.',
    rows: ['R022', 'T2'],
    level: 'dMUST',
    spec,
    because: 'A refusal after the effect protects nobody: a page need not see the answer.',
    needs: ['role:abort_probe', 'role:abort_query'],
    async check({ open, post, version }) {
      const session = await open()
      const trace = new Trace()
      const answer = await session.post(trace.call(), fromForeign)
      if (answer.ok) notTestable(unrefused)
      await answer.bytes()
      await trace.expectUntouched(session, 'a call of a foreign page')
      const refused = await post(initialize(version), fromForeign)
      const id = refused.header('mcp-session-id')
      expectThat(refused.ok || id === undefined, `Expected no session for a foreign page, got ${id}`)
    },
  }),
  requirement({
    id: 'origin/refusal-has-no-id',
    title: 'The refusal of an Origin is an error without an id, where it is JSON-RPC.',
    rows: ['R023'],
    level: 'MAY',
    spec,
    async check({ open }) {
      const exchange = await (await open()).post(freshPing(), fromForeign)
      if (!exchange.refused) notTestable(unrefused)
      const body = await exchange.json()
      if (!isObject(body) || body.jsonrpc === undefined) return
      expectThat(!('id' in body), `Expected a refusal of the origin without id, got ${JSON.stringify(body)}`)
    },
  }),
  requirement({
    id: 'origin/absent-origin-is-accepted',
    title: 'A request without an Origin is served.',
    rows: ['R024'],
    level: 'HARD',
    spec,
    because: 'Only browsers send one: the requirement is for an Origin that is present and invalid.',
    async check({ post, version }) {
      expectAccepted(await post(initialize(version)), 'initialize without an Origin')
    },
  }),
  requirement({
    id: 'origin/own-origin-is-accepted',
    title: 'On a loopback server, its own origin is accepted.',
    rows: ['R025'],
    level: 'SHOULD',
    spec,
    because: 'A page that the server itself delivers is no attacker.',
    needs: ['localhost'],
    async check({ post, url, version }) {
      const exchange = await post(initialize(version), { headers: { Origin: url.origin } })
      expectAccepted(exchange, `initialize of the server's own page ${url.origin}`)
    },
  }),
  requirement({
    id: 'origin/foreign-host-cannot-post',
    title: 'A loopback server refuses a POST for a host name that is not local.',
    rows: ['R026', 'T1'],
    level: 'SHOULD',
    spec: 'GHSA-w48q-cv73-mx4w',
    because: "After DNS rebinding the browser sends the name of the attacker's page as Host.",
    needs: ['localhost'],
    async check(context) {
      await expectHostRefused(context, 'evil.example.com')
      await expectHostRefused(context, `evil.example.com:${context.url.port}`)
    },
  }),
  requirement({
    id: 'origin/foreign-host-cannot-get-or-delete',
    title: 'A loopback server refuses GET and DELETE for a host name that is not local.',
    rows: ['R027', 'T1'],
    level: 'SHOULD',
    spec: 'GHSA-w48q-cv73-mx4w',
    because: "After DNS rebinding the browser sends the name of the attacker's page as Host.",
    needs: ['localhost'],
    async check({ open }) {
      const session = await open()
      const options = { headers: { Host: 'evil.example.com' } }
      expectRefused(await session.get(options), 'GET with a foreign Host')
      expectRefused(await session.delete(options), 'DELETE with a foreign Host')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'origin/look-alike-hosts-are-refused',
    title:
      'A loopback server refuses host names that only contain a local name, two at once, and one from X-Forwarded-Host.',
    rows: ['R028', 'T1'],
    level: 'SHOULD',
    spec: 'GHSA-w48q-cv73-mx4w',
    because: 'Whoever rebinds a name may choose it, and may add headers.',
    needs: ['localhost'],
    async check(context) {
      const lookAlikes = ['localhost.evil.example.com', '127.0.0.1.evil.example.com', 'localhost@evil.example.com']
      for (const host of [...lookAlikes, 'xlocalhost']) await expectHostRefused(context, host)
      await expectHostRefused(context, [context.url.host, 'evil.example.com'])
      const forwarded = { Host: 'evil.example.com', 'X-Forwarded-Host': context.url.host }
      const exchange = await context.post(initialize(context.version), { headers: forwarded })
      expectRefused(exchange, 'a foreign Host with a local X-Forwarded-Host')
    },
  }),
  requirement({
    id: 'origin/loopback-hosts-are-accepted',
    title: 'A loopback server accepts localhost and 127.0.0.1, in any case and with its port.',
    rows: ['R028'],
    level: 'SHOULD',
    spec: 'GHSA-w48q-cv73-mx4w',
    because: 'These names cannot be rebound, and clients use each of them.',
    needs: ['localhost'],
    async check({ post, url, version }) {
      const port = url.port === '' ? '' : `:${url.port}`
      for (const name of ['localhost', 'LOCALHOST', '127.0.0.1']) {
        const headers = { Host: `${name}${port}` }
        expectAccepted(await post(initialize(version), { headers }), `initialize with the Host ${name}${port}`)
      }
    },
  }),
  requirement({
    id: 'origin/cross-site-fetch-is-refused',
    title: 'A request that a browser marks as cross-site is refused, also without an Origin.',
    rows: ['T2'],
    level: 'HARD',
    spec: 'W3C Fetch Metadata §2.3',
    because: 'Some requests of foreign pages carry no Origin; browsers mark them by Sec-Fetch-Site.',
    async check({ open }) {
      const session = await open()
      const options = { headers: { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' } }
      expectRefused(await session.post(freshPing(), options), 'a cross-site POST without an Origin')
      expectRefused(await session.get(options), 'a cross-site GET without an Origin')
    },
  }),
  requirement({
    id: 'origin/loopback-server-listens-on-loopback',
    title: "A server on a loopback address is not reached by the machine's other addresses.",
    rows: ['R029'],
    level: 'SHOULD',
    spec,
    needs: ['localhost'],
    async check({ url }) {
      const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
      const outside = addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address
      if (outside === undefined) notTestable('this machine has no address but loopback')
      const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
      const isReached = await connects(outside, port)
      expectThat(!isReached, `Expected the port ${port} to be closed on ${outside}, a connection was accepted`)
    },
  }),
]
