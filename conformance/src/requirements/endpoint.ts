import { expectAccepted, expectRefused, expectStatus, expectThat, notTestable } from '../client/expect.ts'
import { freshPing } from '../client/probes.ts'
import { requirement } from '../requirement.ts'

const transport = '2025-11-25/basic/transports#streamable-http'

/** A. Endpoint and HTTP methods. */
export const endpointRequirements = [
  requirement({
    id: 'endpoint/get-is-event-stream-or-405',
    rows: ['R001', 'R002', 'R102'],
    level: 'MUST',
    spec: '2025-11-25/basic/transports#listening-for-messages-from-the-server',
    async check({ open }) {
      const exchange = await (await open()).get()
      expectStatus(exchange, [200, 405], 'a GET of a live session')
      if (exchange.status === 200) {
        expectThat(exchange.isEventStream, `Expected text/event-stream in answer to GET, got ${exchange.contentType}`)
      }
    },
  }),
  requirement({
    id: 'endpoint/405-lists-allowed-methods',
    rows: ['R003'],
    level: 'RFC-MUST',
    spec: 'RFC 9110 §15.5.6',
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
    rows: ['R004', 'T42'],
    level: 'SHOULD',
    spec: 'RFC 9110 §9.1',
    async check({ open, request }) {
      const session = await open()
      for (const method of ['PUT', 'PATCH', 'PROPFIND']) {
        expectStatus(await request(method), [405, 501], method)
        expectStatus(await session.send(method), [405, 501], `${method} in a session`)
        const withBody = { body: freshPing(), headers: { 'Content-Type': 'application/json' } }
        expectStatus(await session.send(method, withBody), [405, 501], `${method} with a body`)
      }
    },
  }),
  requirement({
    id: 'endpoint/head-opens-no-stream',
    rows: ['R005'],
    level: 'HARD',
    spec: 'RFC 9110 §9.3.2',
    async check({ open }) {
      const session = await open()
      const head = await session.send('HEAD', { headers: { Accept: 'text/event-stream' } })
      const body = await head.bytes(1_000)
      expectThat(body.length === 0, `Expected HEAD to have no body, got ${body.length} bytes`)
      expectStatus(await session.get(), [200, 405], 'the GET after a HEAD')
    },
  }),
  requirement({
    id: 'endpoint/query-string-is-ignored',
    rows: ['R008'],
    level: 'HARD',
    spec: transport,
    async check({ open }) {
      const session = await open()
      expectAccepted(await session.post(freshPing(), { query: '?x=1&y=%20' }), 'a POST with a query string')
    },
  }),
  requirement({
    id: 'endpoint/query-string-carries-no-session-id',
    rows: ['R008'],
    level: 'HARD',
    spec: '2025-11-25/basic/transports#session-management',
    needs: ['sessions'],
    async check({ open, get, post }) {
      const session = await open()
      for (const name of ['mcp-session-id', 'Mcp-Session-Id', 'sessionId', 'session_id']) {
        const query = `?${name}=${encodeURIComponent(session.id ?? '')}`
        expectRefused(await get({ query }), `GET with ${name} only in the query string`)
        expectRefused(await post(freshPing(), { query }), `POST with ${name} only in the query string`)
      }
    },
  }),
  requirement({
    id: 'endpoint/header-names-are-case-insensitive',
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
    rows: ['R010'],
    level: 'HARD',
    spec: 'RFC 9110 §5.3',
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
    rows: ['R010'],
    level: 'HARD',
    spec: 'RFC 9110 §5.3',
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
]
