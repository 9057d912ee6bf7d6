import type { CheckContext } from '../client/context.ts'
import type { Exchange } from '../client/exchange.ts'
import { expectAccepted, expectRefused, expectStatus, expectThat } from '../client/expect.ts'
import { initialize, isObject, notification, resultFor } from '../client/json-rpc.ts'
import { expectAlive, freshPing, Trace } from '../client/probes.ts'
import type { Session } from '../client/session.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#security-warning'
const foreign = 'http://evil.example.com'
const fromForeign = { headers: { Origin: foreign } }

async function expectOriginRefused({ post, version }: CheckContext, origin: string): Promise<void> {
  const exchange = await post(initialize(version), { headers: { Origin: origin } })
  expectRefused(exchange, `initialize with "Origin: ${origin.slice(0, 80)}"`)
}

async function expectHostRefused({ post, version }: CheckContext, host: string | readonly string[]): Promise<void> {
  const exchange = await post(initialize(version), { headers: { Host: host } })
  expectRefused(exchange, `initialize with "Host: ${host}"`)
}

/** Sends what a foreign page could send to each method. */
async function fromForeignPage(session: Session): Promise<[string, Exchange][]> {
  return [
    ['POST', await session.post(freshPing(), fromForeign)],
    ['GET', await session.get(fromForeign)],
    ['DELETE', await session.delete(fromForeign)],
  ]
}

function localOrigins(url: URL): string[] {
  const port = url.port === '' ? '' : `:${url.port}`
  return [`${url.protocol}//localhost${port}`, `${url.protocol}//127.0.0.1${port}`]
}

/** B. Origin and Host. */
export const originRequirements = [
  requirement({
    id: 'origin/foreign-origin-cannot-initialize',
    rows: ['R011', 'T1'],
    level: 'MUST',
    spec,
    async check(context) {
      await expectOriginRefused(context, foreign)
    },
  }),
  requirement({
    id: 'origin/foreign-origin-cannot-post',
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
    rows: ['R013', 'T2'],
    level: 'MUST',
    spec,
    async check({ open }) {
      const exchange = await (await open()).get(fromForeign)
      expectRefused(exchange, 'GET of a foreign page')
    },
  }),
  requirement({
    id: 'origin/foreign-origin-cannot-delete',
    rows: ['R014', 'T2'],
    level: 'MUST',
    spec,
    needs: ['sessions'],
    async check({ open }) {
      const session = await open()
      expectRefused(await session.delete(fromForeign), 'DELETE of a foreign page')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'origin/foreign-origin-gets-no-cors-headers',
    rows: ['R015', 'T3'],
    level: 'MUST',
    spec,
    async check({ request }) {
      for (const method of ['OPTIONS', 'HEAD', 'PUT', 'PATCH']) {
        const preflight = { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type' }
        const exchange = await request(method, { headers: { Origin: foreign, ...preflight } })
        const allowed = exchange.header('access-control-allow-origin')
        expectThat(
          allowed === undefined || (allowed !== '*' && !allowed.includes(foreign)),
          `Expected no CORS permission for ${foreign} in answer to ${method}, got "${allowed}"`,
        )
        if (method !== 'OPTIONS') expectRefused(exchange, `${method} of a foreign page`)
      }
    },
  }),
  requirement({
    id: 'origin/refusal-is-403',
    rows: ['R016'],
    level: 'MUST',
    spec,
    since: '2025-11-25',
    async check({ open }) {
      for (const [method, exchange] of await fromForeignPage(await open())) {
        if (exchange.ok || exchange.status === 405) continue
        expectStatus(exchange, 403, `${method} of a foreign page`)
      }
    },
  }),
  requirement({
    id: 'origin/null-is-refused',
    rows: ['R017', 'T2'],
    level: 'MUST',
    spec,
    async check(context) {
      await expectOriginRefused(context, 'null')
    },
  }),
  requirement({
    id: 'origin/look-alikes-are-refused',
    rows: ['R018'],
    level: 'MUST',
    spec,
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
    rows: ['R019'],
    level: 'MUST',
    spec,
    async check(context) {
      for (const origin of ['garbage', 'http://', '//x', ':', `http://${'x'.repeat(8_192)}`]) {
        await expectOriginRefused(context, origin)
      }
      const headers = { Origin: [context.url.origin, foreign] }
      const twice = await context.post(initialize(context.version), { headers })
      expectRefused(twice, 'initialize with two Origin lines')
    },
  }),
  requirement({
    id: 'origin/is-checked-before-the-body-is-parsed',
    rows: ['R020'],
    level: 'MUST',
    spec,
    async check({ open }) {
      const session = await open()
      const wellFormed = await session.post(freshPing(), fromForeign)
      const malformed = await session.post('{bad', fromForeign)
      expectRefused(malformed, 'malformed JSON of a foreign page')
      // Whatever a foreign origin is answered: a body must not change it.
      expectStatus(malformed, wellFormed.status, 'malformed JSON of a foreign page')
    },
  }),
  requirement({
    id: 'origin/is-checked-before-the-body-is-read',
    rows: ['R021', 'T17'],
    level: 'HARD',
    spec,
    async check({ raw }) {
      const connection = await raw()
      connection.writeHead('POST', {
        Accept: 'application/json, text/event-stream',
        'Content-Type': 'application/json',
        'Content-Length': '100',
        Origin: foreign,
      })
      const status = await connection.status(2_000)
      expectThat(
        status !== undefined && status >= 400 && status < 500,
        `Expected a foreign origin to be refused before the body came, got ${status ?? 'nothing within 2 s'}`,
      )
    },
  }),
  requirement({
    id: 'origin/refusal-changes-nothing',
    rows: ['R022', 'T2'],
    level: 'MUST',
    spec,
    needs: ['role:abort_probe', 'role:abort_query'],
    async check({ open, post, version }) {
      const session = await open()
      const trace = new Trace()
      await (await session.post(trace.call(), fromForeign)).bytes()
      await trace.expectUntouched(session, 'a call of a foreign page')
      const refused = await post(initialize(version), fromForeign)
      const id = refused.header('mcp-session-id')
      expectThat(refused.ok || id === undefined, `Expected no session for a foreign page, got ${id}`)
    },
  }),
  requirement({
    id: 'origin/refusal-has-no-id',
    rows: ['R023'],
    level: 'MAY',
    spec,
    async check({ open }) {
      const exchange = await (await open()).post(freshPing(), fromForeign)
      const body = await exchange.json()
      if (!exchange.refused || !isObject(body) || body.jsonrpc === undefined) return
      expectThat(!('id' in body), `Expected a refusal of the origin without id, got ${JSON.stringify(body)}`)
    },
  }),
  requirement({
    id: 'origin/absent-origin-is-accepted',
    rows: ['R024'],
    level: 'HARD',
    spec,
    async check({ post, version }) {
      expectAccepted(await post(initialize(version)), 'initialize without an Origin')
    },
  }),
  requirement({
    id: 'origin/own-origin-is-accepted',
    rows: ['R025'],
    level: 'SHOULD',
    spec,
    needs: ['localhost'],
    async check({ post, url, version }) {
      for (const origin of localOrigins(url)) {
        const headers = { Origin: origin, Host: new URL(origin).host }
        expectAccepted(await post(initialize(version), { headers }), `initialize of the server's own page ${origin}`)
      }
    },
  }),
  requirement({
    id: 'origin/foreign-host-cannot-post',
    rows: ['R026', 'T1'],
    level: 'SHOULD',
    spec: 'GHSA-w48q-cv73-mx4w',
    needs: ['localhost'],
    async check(context) {
      await expectHostRefused(context, 'evil.example.com')
      await expectHostRefused(context, `evil.example.com:${context.url.port}`)
    },
  }),
  requirement({
    id: 'origin/foreign-host-cannot-get-or-delete',
    rows: ['R027', 'T1'],
    level: 'SHOULD',
    spec: 'GHSA-w48q-cv73-mx4w',
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
    rows: ['R028', 'T1'],
    level: 'SHOULD',
    spec: 'GHSA-w48q-cv73-mx4w',
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
    rows: ['R028'],
    level: 'SHOULD',
    spec: 'GHSA-w48q-cv73-mx4w',
    needs: ['localhost'],
    async check({ post, url, version }) {
      const port = url.port === '' ? '' : `:${url.port}`
      for (const name of ['localhost', 'LOCALHOST', '127.0.0.1', '[::1]']) {
        const headers = { Host: `${name}${port}` }
        expectAccepted(await post(initialize(version), { headers }), `initialize with the Host ${name}${port}`)
      }
    },
  }),
  requirement({
    id: 'origin/cross-site-fetch-is-refused',
    rows: ['T2'],
    level: 'HARD',
    spec: 'W3C Fetch Metadata §2.3',
    async check({ open }) {
      const session = await open()
      const options = { headers: { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' } }
      expectRefused(await session.post(freshPing(), options), 'a cross-site POST without an Origin')
      expectRefused(await session.get(options), 'a cross-site GET without an Origin')
    },
  }),
]
