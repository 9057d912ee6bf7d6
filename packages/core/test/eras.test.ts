import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { openSession, toInitializeParams } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestServer } from '../../../test-support/in-process/test-server.ts'
import { decide, everyKindOfBody, everyNamed, type Signals, verdicts } from '../src/eras/verdicts.ts'
import { createEndpoint, type Endpoint, type HttpReply } from '../src/index.ts'
import { createModernEndpoint, ModernClient, modernVersion, toMeta } from './modern-client.ts'

const sessions = [true, false]

const everySignal: Signals[] = [
  ...everyNamed.flatMap((header) =>
    sessions.flatMap((session) =>
      everyNamed.flatMap((claim) => everyKindOfBody.map((kind) => ({ kind, header, session, claim }))),
    ),
  ),
  ...(['GET', 'DELETE'] as const).flatMap((kind) =>
    everyNamed.flatMap((header) => sessions.map((session) => ({ kind, header, session, claim: 'none' as const }))),
  ),
]

const versions = { none: undefined, '2025': '2025-11-25', '2026': modernVersion, unknown: '2099-01-01' }

const methods = { initialize: 'initialize', request: 'tools/list', notification: 'notifications/roots/list_changed' }

function toBody({ kind, claim }: Signals): unknown {
  const version = versions[claim]
  const params = {
    ...(kind === 'initialize' && toInitializeParams()),
    ...(version !== undefined && { _meta: toMeta(version) }),
  }
  if (kind === 'response') return { jsonrpc: '2.0', id: 1, result: {} }
  if (kind === 'batch') return [{ jsonrpc: '2.0', id: 1, method: methods.request, params }]
  const id = kind === 'notification' ? {} : { id: 1 }
  return { jsonrpc: '2.0', ...id, method: methods[kind as keyof typeof methods], params }
}

async function send(endpoint: Endpoint, signals: Signals): Promise<HttpReply> {
  const client = signals.session ? await openSession(endpoint) : new ModernClient(endpoint)
  const version = versions[signals.header]
  const method = methods[signals.kind as keyof typeof methods]
  const headers = {
    ...(version !== undefined && { 'mcp-protocol-version': version }),
    ...(method && signals.header === '2026' && { 'mcp-method': method }),
  }
  const { kind } = signals
  if (kind === 'GET' || kind === 'DELETE') return endpoint.handle(client.request(kind, { headers }))
  return client.post(toBody(signals), { headers })
}

/** What a client sees, in a word. */
function seen({ status, headers, body }: HttpReply): string {
  const type = headers['content-type']
  if (type === 'text/event-stream') return `${status} stream`
  if (typeof body !== 'string') return `${status} nothing`
  const { error, result } = JSON.parse(body) as { error?: { code: number }; result?: { resultType?: string } }
  if (error) return `${status} ${error.code}`
  return `${status} ${result?.resultType === undefined ? 'result of 2025' : 'result of 2026'}`
}

/** By the specifications of both eras, and by what real clients mix: written without a look at the table. */
function expected({ kind, header, session, claim }: Signals): string {
  if (kind === 'GET' || kind === 'DELETE') {
    if (header === '2026' && !session) return '405 -32000'
    if (header === 'unknown' || !session) return '400 -32000'
    return kind === 'GET' ? '200 stream' : '204 nothing'
  }
  if (kind === 'initialize') {
    if (header === '2026' && claim === '2026') return '404 -32601'
    if (session) return header === 'unknown' ? '400 -32000' : '400 -32600'
    return '200 result of 2025'
  }
  if (kind === 'response') {
    if (session) return header === 'unknown' ? '400 -32000' : '400 -32600'
    return header === '2026' ? '400 -32600' : header === 'unknown' ? '400 -32000' : '400 -32000'
  }
  const isModern = session
    ? header === '2026' && claim !== 'none'
    : header === '2026' || claim === '2026' || claim === 'unknown'
  if (kind === 'batch') {
    if (isModern) return '400 -32600'
    if (session) return header === 'unknown' ? '400 -32000' : '400 -32600'
    return header === 'none' ? '400 -32000' : '400'
  }
  if (!isModern) {
    if (session && header !== 'unknown') return kind === 'request' ? '200 result of 2025' : '202 nothing'
    return '400 -32000'
  }
  if (claim === 'none') return kind === 'request' ? '400 -32602' : '202 nothing'
  if (header !== claim && header !== 'none') return '400 -32020'
  if (claim === 'unknown') return '400 -32022'
  if (kind === 'notification') return '202 nothing'
  return header === 'none' ? '400 -32020' : '200 result of 2026'
}

describe('each combination of method, header, session and _meta is answered by one era', () => {
  test.each(everySignal)('$kind, header: $header, session: $session, _meta: $claim', async (signals) => {
    const { endpoint, errors } = createModernEndpoint()
    expect(seen(await send(endpoint, signals))).toMatch(new RegExp(`^${expected(signals)}`))
    expect(errors).toEqual([])
  })

  test('every row of the table decides something', () => {
    const deciding = everySignal.map((signals) => {
      const one = verdicts.filter(({ when }) =>
        Object.entries(when).every(([name, values]) =>
          (values as readonly unknown[]).includes(signals[name as keyof Signals]),
        ),
      )
      expect(one[0]?.verdict).toBe(decide(signals))
      return one[0]
    })
    expect(new Set(deciding).size).toBe(verdicts.length)
  })
})

describe('a factory of another SDK serves sessions alone', () => {
  test.each(everySignal.filter(({ kind }) => kind !== 'GET' && kind !== 'DELETE'))(
    '$kind, header: $header, session: $session, _meta: $claim',
    async (signals) => {
      const { endpoint } = createTestEndpoint({ 'tools/list': () => Promise.resolve({ tools: [] }) })
      const reply = seen(await send(endpoint, signals))
      expect(reply).not.toMatch(/-320(20|22)|of 2026/)
      if (signals.kind === 'initialize' && !signals.session) expect(reply).toBe('200 result of 2025')
      // Once it is known, nothing is built for such requests any more.
      expect(seen(await send(endpoint, { kind: 'request', header: '2026', session: false, claim: '2026' }))).toBe(
        '400 -32000',
      )
    },
  )
})

test.each(['mcp-method', 'mcp-name'])(
  'in a session the header %s of 2026-07-28 must be that of the body',
  async (name) => {
    const { endpoint } = createModernEndpoint()
    const client = await openSession(endpoint)
    const call = (headers: Record<string, string>) =>
      client.call('tools/call', { name: 'plain' }, 1, {
        headers: { 'mcp-protocol-version': modernVersion, ...headers },
      })
    expect(seen(await call({ [name]: 'other' }))).toBe('400 -32020')
    expect(seen(await call({ 'mcp-method': 'tools/call', 'mcp-name': 'plain' }))).toBe('200 result of 2025')
    expect(seen(await call({ 'mcp-name': `=?base64?${btoa('plain')}?=` }))).toBe('200 result of 2025')
  },
)

test('in a session a header of 2026-07-28 mirrors the body in ASCII', async () => {
  const { endpoint } = createModernEndpoint((server) => {
    server.registerTool('café', {}, () => ({ content: [] }))
  })
  const client = await openSession(endpoint)
  const call = (name: string) =>
    client.call('tools/call', { name: 'café' }, 1, {
      headers: { 'mcp-protocol-version': modernVersion, 'mcp-name': name },
    })
  expect(seen(await call('café'))).toBe('400 -32020')
  expect(seen(await call('=?base64?Y2Fmw6k=?='))).toBe('200 result of 2025')
})

test('in a session Mcp-Name that looks encoded is what it encodes, as it is to a gateway', async () => {
  const { endpoint } = createModernEndpoint()
  const client = await openSession(endpoint)
  const literal = '=?base64?b3RoZXI=?='
  const call = (header: string) =>
    client.call('tools/call', { name: literal }, 1, {
      headers: { 'mcp-protocol-version': modernVersion, 'mcp-name': header },
    })
  expect(seen(await call(literal))).toBe('400 -32020')
  expect((await call(`=?base64?${btoa(literal)}?=`)).status).toBe(200)
})

test.each([
  ['tools/call', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
])('in a session Mcp-Name of %s mirrors params.%s', async (method, member) => {
  const { endpoint } = createModernEndpoint()
  const client = await openSession(endpoint)
  const call = (name: string) =>
    client.call(method, { name: 'not', uri: 'these', taskId: 'either', [member]: 'one' }, 1, {
      headers: { 'mcp-protocol-version': modernVersion, 'mcp-method': method, 'mcp-name': name },
    })
  expect((await call('one')).status).toBe(200)
  for (const other of ['other', 'not', 'these', 'either']) expect(seen(await call(other))).toBe('400 -32020')
})

test('an era that is not asked for is not served', async () => {
  const modern = { kind: 'request', header: '2026', session: false, claim: '2026' } as const
  const initialize = { kind: 'initialize', header: 'none', session: false, claim: 'none' } as const
  const only2025 = createModernEndpoint(undefined, { eras: ['2025'] }).endpoint
  expect(seen(await send(only2025, modern))).toBe('400 -32000')
  expect(seen(await send(only2025, initialize))).toBe('200 result of 2025')
  const only2026 = createModernEndpoint(undefined, { eras: ['2026'] }).endpoint
  expect(seen(await send(only2026, modern))).toBe('200 result of 2026')
  expect(seen(await send(only2026, initialize))).toBe('400 -32022')
  for (const kind of ['GET', 'DELETE'] as const) {
    expect(seen(await send(only2026, { kind, header: 'none', session: false, claim: 'none' }))).toBe('405 -32000')
  }
})

test('a bad choice of eras fails at start-up', () => {
  for (const eras of [[], ['2024'], '2025', null]) {
    expect(() => createTestEndpoint({}, { eras: eras as never })).toThrow(/eras/)
  }
})

test('an endpoint of 2026-07-28 alone whose factory is of another SDK says so, to its operator', async () => {
  const { endpoint, errors } = createTestEndpoint({}, { eras: ['2026'] })
  const reply = await new ModernClient(endpoint).ask('tools/list')
  expect(seen(reply)).toBe('500 -32603')
  expect(String(errors[0])).toContain('@modelcontextprotocol/server 2.x')
})

test('a server object of another SDK that never closes holds up no request of 2026-07-28', async () => {
  const endpoint = createEndpoint({
    server: () => Object.assign(new TestServer(), { close: () => new Promise<void>(() => undefined) }),
  })
  const reply = await new ModernClient(endpoint).ask('tools/list')
  expect(seen(reply)).toBe('400 -32000')
})

test('docs/eras.md shows the table', () => {
  const cells = verdicts.map(({ when, verdict, because }, index) => {
    const cell = (name: keyof Signals, words: Record<string, string> = {}): string =>
      when[name]?.map((value) => words[String(value)] ?? String(value)).join(', ') ?? 'any'
    const named = { '2026': '2026-07-28', '2025': 'of a session', none: 'none', unknown: 'unknown' }
    const outcome = { '2025': 'sessions', '2026': '2026-07-28', method_not_allowed: '405' }[verdict]
    const session = cell('session', { true: 'yes', false: 'no' })
    const row = [index + 1, cell('kind'), cell('header', named), session, cell('claim', named), outcome, because]
    return `| ${row.join(' | ')} |`
  })
  const head =
    '| | message | version header | session header | version in `_meta` | era | because |\n|---|---|---|---|---|---|---|'
  const docs = readFileSync(new URL('../../../docs/eras.md', import.meta.url), 'utf8')
  const shown = /<!-- verdicts -->\n([\s\S]*?)<!-- \/verdicts -->/.exec(docs)?.[1]
  expect(shown).toBe(`${head}\n${cells.join('\n')}\n`)
})
