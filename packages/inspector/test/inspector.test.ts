import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { openSession } from '../../../test-support/in-process/test-client.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import { TestRequest } from '../../../test-support/in-process/test-request.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { Rejection, sessionKey } from '../../core/src/index.ts'
import { type InspectorOptions, inspector } from '../src/index.ts'
import { commandHeader, type StreamPage } from '../src/protocol.ts'
import { ask, command, start, tell, view } from './start.ts'

describe('allow', () => {
  test('is what it does not start without', () => {
    const { endpoint } = start()
    expect(() => inspector(endpoint, {} as InspectorOptions)).toThrow(/allow/)
    expect(() => inspector(endpoint, { allow: true } as never)).toThrow(/allow/)
    expect(() => inspector({} as never, { allow: () => true })).toThrow(/endpoint/)
    expect(() => inspector(endpoint, { allow: () => true, allowedHosts: ['a b'] })).toThrow(/allowedHosts/)
  })

  test.each([false, undefined, 'yes', 1, {}])(
    'lets nothing pass by %j: neither the page nor what it asks for',
    async (answer) => {
      const { endpoint, mounted } = start({ allow: () => answer as boolean })
      const { sessionId } = await openSession(endpoint)
      const key = await sessionKey(sessionId)
      for (const query of ['', '?view', `?stream=g&session=${key}`]) {
        const { status, body } = await ask(mounted, query)
        expect([status, body]).toEqual([403, '{"error":"Not allowed"}'])
      }
      expect((await tell(mounted, { action: 'end', key })).status).toBe(403)
      expect(await endpoint.sessions.get(key)).toBeDefined()
    },
  )

  test('is asked for each request, and may wait', async () => {
    const asked: string[] = []
    const allow = async ({ method, url }: { method: string; url: string }) => asked.push(`${method} ${url}`) > 0
    const { mounted } = start({ allow })
    await ask(mounted)
    await view(mounted)
    await tell(mounted, { action: 'end', key: 'x' })
    expect(asked).toEqual(['GET /inspector', 'GET /inspector?view', 'POST /inspector'])
  })

  test('may have the browser ask for a password', async () => {
    const headers = { 'www-authenticate': 'Basic realm="inspector"' }
    const { mounted, errors } = start({
      allow: () => {
        throw new Rejection('unauthorized', { headers })
      },
    })
    expect(await ask(mounted)).toMatchObject({ status: 401, headers })
    expect(errors).toEqual([])
  })

  test('may say that it cannot tell at the moment', async () => {
    const allow = () => Promise.reject(new Rejection('auth_unavailable', { headers: { 'retry-after': '5' } }))
    const { status, headers } = await ask(start({ allow }).mounted)
    expect([status, headers['retry-after']]).toEqual([503, '5'])
  })

  test('that fails lets nobody pass, and is reported', async () => {
    const { mounted, errors } = start({ allow: () => Promise.reject(new Error('the directory is away')) })
    const { status, body } = await ask(mounted)
    expect([status, body]).toEqual([500, '{"error":"Internal error"}'])
    expect(errors).toMatchObject([{ message: 'the directory is away' }])
  })

  test('that never settles lets nobody pass either, and keeps nobody waiting', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { mounted, errors } = start({ allow: () => new Promise(() => undefined) })
    const asked = ask(mounted)
    await vi.advanceTimersByTimeAsync(10_000)
    expect((await asked).status).toBe(500)
    expect(errors).toMatchObject([{ message: 'Expected allow to settle within 10000 ms' }])
  })
})

describe('the page', () => {
  test('brings all that it needs, and may run and reach nothing else', async () => {
    const { headers, body } = await ask(start().mounted)
    const html = body as string
    expect(html).not.toMatch(/\b(src|href)="(?!data:,")/)
    expect(html).not.toMatch(/@import|url\((?!data:)/)
    const policy = headers['content-security-policy'] ?? ''
    expect(policy).toMatch(
      /^default-src 'none'; script-src 'sha256-[^' ]+'; style-src 'sha256-[^' ]+'; connect-src 'self';/,
    )
    expect(policy).not.toMatch(/unsafe|\*|https?:/)
    expect(policy).toContain("frame-ancestors 'none'")
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
  })
})

describe('pages of other sites', () => {
  test.each([
    ['another origin', { origin: 'https://evil.example' }],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a rebound name', { host: 'evil.example', 'sec-fetch-site': 'same-origin' }],
  ])('%s: are told nothing, and change nothing', async (_what, headers) => {
    const { endpoint, mounted } = start()
    const key = await sessionKey((await openSession(endpoint)).sessionId)
    expect((await ask(mounted, '?view', headers)).status).toBe(403)
    expect((await ask(mounted, `?stream=g&session=${key}`, headers)).status).toBe(403)
    expect((await tell(mounted, { action: 'end', key }, { ...command, ...headers })).status).toBe(403)
    expect(await endpoint.sessions.get(key)).toBeDefined()
  })

  test('a form cannot end a session: it has not the header', async () => {
    const { endpoint, mounted } = start()
    const key = await sessionKey((await openSession(endpoint)).sessionId)
    const { [commandHeader]: _header, ...without } = command
    expect((await tell(mounted, { action: 'end', key }, without)).status).toBe(400)
    expect(await endpoint.sessions.get(key)).toBeDefined()
  })

  test('under a listed host it is served', async () => {
    const { mounted } = start({ allowedHosts: ['mcp.example.com'] })
    const headers = { host: 'mcp.example.com', 'sec-fetch-site': 'same-origin' }
    expect((await ask(mounted, '?view', headers)).status).toBe(200)
  })
})

test.each([
  ['GET', '?view&since=-1'],
  ['GET', '?view&page=x'],
  ['GET', '?view&session=%00'],
  ['GET', '?stream=g'],
  ['POST', 'no json'],
  ['POST', { action: 'drop', key: 'x' }],
  ['POST', { action: 'end', key: 7 }],
])('answers 400 to what is no question of the page: %s %j', async (method, what) => {
  const { mounted, errors } = start()
  const reply = method === 'GET' ? await ask(mounted, what as string) : await tell(mounted, what)
  expect(reply.status).toBe(400)
  expect(errors).toEqual([])
})

test('answers 413 to a large command, and 405 to other methods', async () => {
  const { mounted } = start()
  expect((await tell(mounted, { action: 'end', key: 'x'.repeat(2_000) })).status).toBe(413)
  expect(await mounted.handle(new TestRequest('DELETE', { url: '/inspector' }))).toMatchObject({
    status: 405,
    headers: { allow: 'GET, HEAD, POST' },
  })
})

test('lists sessions by text and order, in pages', async () => {
  const { endpoint, mounted } = start({}, { handlers: { park: () => new Promise(() => undefined) } })
  for (let i = 0; i < 60; i++) await openSession(endpoint)
  const busy = await openSession(endpoint)
  await TestReader.open(await busy.call('park'))
  const key = await sessionKey(busy.sessionId)
  const first = await view(mounted, '&sort=calls')
  expect(first).toMatchObject({
    total: 61,
    matching: 61,
    page: 0,
    isPartial: false,
    counts: { sessions: 61, calls: 1 },
  })
  expect(first.rows).toHaveLength(50)
  expect(first.rows[0]).toMatchObject({ key, client: 'test 1', runningCalls: 1, connections: 1, principal: null })
  expect((await view(mounted, '&page=9')).rows).toHaveLength(11)
  expect(await view(mounted, `&q=${key.slice(0, 20)}`)).toMatchObject({ total: 61, matching: 1, rows: [{ key }] })
})

test('tells of a session, of its calls and of what its streams carry, without a secret', async () => {
  const auth = { token: 'the-bearers-token', clientId: 'app', scopes: [], extra: { iss: 'https://id', sub: 'alice' } }
  const handlers: Handlers = {
    tell: async ({ notify }) => {
      await notify('notifications/message', { data: 'on the way', password: 'hunter2' })
      return { apiKey: 'k-123', text: `Bearer ${'x'.repeat(20)}`, long: 'y'.repeat(50_000) }
    },
  }
  const { endpoint, mounted } = start({}, { handlers, response: 'sse' })
  const client = await openSession(endpoint, { auth })
  const key = await sessionKey(client.sessionId)
  const { lastSeq } = await view(mounted, `&session=${key}`)
  const reader = await TestReader.open(await client.call('tell', { city: 'Lisbon', token: 'secret-argument' }, 'one'))
  await reader.until(() => reader.ended)
  const after = await view(mounted, `&session=${key}&since=${lastSeq}`)
  expect(after.session).toMatchObject({ row: { key, client: 'test 1' }, initialized: true })
  expect(after.session?.row.principal).toContain('alice')
  expect(after.session?.streams?.[1]).toMatchObject({ kind: 'call', requestIds: ['one'], head: 2, ended: true })
  expect(after.happenings.map(({ kind, phase, outcome }) => [kind, phase, outcome])).toEqual([
    ['call', 'start', undefined],
    // It had its answer before its connection was open.
    ['call', 'end', 'result'],
    ['stream', 'start', undefined],
    ['stream', 'end', 'ended'],
  ])
  expect(after.happenings[0]?.text).toContain('Lisbon')
  const { body } = await ask(mounted, `?stream=${after.session?.streams?.[1]?.streamTag}&session=${key}`)
  const page = JSON.parse(body as string) as NonNullable<StreamPage>
  expect(page.events.map(({ index, kind, last }) => [index, kind, last])).toEqual([
    [1, 'notification', false],
    [2, 'message', true],
  ])
  expect(page.events[0]?.text).toContain('on the way')
  const everything = JSON.stringify([after, page])
  for (const secret of [client.sessionId, auth.token, 'secret-argument', 'hunter2', 'k-123', 'xxxxxxxx']) {
    expect(everything).not.toContain(secret)
  }
  expect(everything.length).toBeLessThan(20_000)
})

test('keeps what calls carry of sessions that are looked at, and of no others', async () => {
  const { endpoint, mounted } = start({}, { handlers: { add: () => ({ sum: 3 }) } })
  const [client, other] = [await openSession(endpoint), await openSession(endpoint)]
  const key = await sessionKey(client.sessionId)
  await view(mounted, `&session=${key}`)
  await other.call('add', { a: 1 })
  await client.call('add', { a: 2 }, 'seventh')
  const { happenings } = await view(mounted)
  expect(happenings.map(({ text }) => text !== undefined)).toEqual([false, false, true, true])
  // As the client has it, not as the server object does.
  expect(JSON.parse(happenings.at(-1)?.text ?? '')).toMatchObject({ id: 'seventh', result: { sum: 3 } })
})

test('ends a session, and says that it is gone', async () => {
  const { endpoint, mounted } = start()
  const client = await openSession(endpoint)
  const key = await sessionKey(client.sessionId)
  expect((await view(mounted)).total).toBe(1)
  expect((await tell(mounted, { action: 'end', key })).body).toBe('{"ended":true}')
  expect((await client.call('ping')).status).toBe(404)
  expect(await view(mounted, `&session=${key}`)).toMatchObject({ total: 0, session: null })
  expect((await tell(mounted, { action: 'end', key })).body).toBe('{"ended":false}')
})
