import { describe, expect, test } from 'vitest'
import { collectGarbage } from '../../../test-support/collect-garbage.ts'
import { openSession, TestClient, toInitializeParams, toJson } from '../../../test-support/in-process/test-client.ts'
import { createTestDatabase } from '../../../test-support/in-process/test-cluster.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import { TestRequest } from '../../../test-support/in-process/test-request.ts'
import { TestServer } from '../../../test-support/in-process/test-server.ts'
import { stopClock } from '../../../test-support/stop-clock.ts'
import { sleep, waitFor } from '../../../test-support/waiting.ts'
import {
  type AuthInfo,
  createMemoryBackplane,
  type MessageBus,
  Rejection,
  type SessionStore,
  sessionKey,
} from '../src/index.ts'
import { createSessionId } from '../src/session/session-id.ts'

const empty = { sessions: 0, connections: 0, streams: 0, calls: 0, questions: 0, detachedCalls: 0 }
const emptyLog = { sessions: 0, streams: 0, events: 0, bytes: 0 }

function user(sub: string, token = sub): AuthInfo {
  return { token, clientId: 'client', scopes: [], extra: { iss: 'https://issuer.example', sub } }
}

test('session ids never repeat: the pool of random bytes they are made of is filled anew', () => {
  const ids = Array.from({ length: 1_000 }, createSessionId)
  expect(new Set(ids).size).toBe(1_000)
  for (const sessionId of ids) expect(sessionId).toMatch(/^[\w-]{32}$/)
})

describe('which answer a session id gets', () => {
  test.each(['GET', 'DELETE', 'POST'])('%s: none is 400, an unknown one 404', async (method) => {
    const { endpoint } = createTestEndpoint()
    const client = new TestClient(endpoint)
    const request = (sessionId: string) =>
      client.request(method, {
        headers: sessionId ? { 'mcp-session-id': sessionId } : {},
        body: { jsonrpc: '2.0', id: 1, method: 'ping' },
      })
    expect((await endpoint.handle(request(''))).status).toBe(400)
    const { sessionId } = await openSession(endpoint)
    const unknown = [
      '__proto__',
      'constructor',
      'toString',
      'x'.repeat(65_536),
      sessionId.toLowerCase(),
      `${sessionId}x`,
      sessionId.slice(1),
    ]
    for (const id of unknown) expect((await endpoint.handle(request(id))).status).toBe(404)
  })

  test('a session that ended is 404 for every method and kind of message', async () => {
    const { endpoint, servers } = createTestEndpoint()
    const client = await openSession(endpoint)
    const open = await client.read()
    expect(await client.delete()).toMatchObject({ status: 204, body: undefined })
    expect(open.ended).toBe(true)
    expect(servers[0]?.closed).toBe(true)
    const messages = [
      { jsonrpc: '2.0', id: 1, method: 'ping' },
      { jsonrpc: '2.0', method: 'notifications/x' },
      { jsonrpc: '2.0', id: 's1-1', result: {} },
    ]
    for (const message of messages) expect((await client.post(message)).status).toBe(404)
    expect((await client.get()).status).toBe(404)
    expect((await client.get(open.lastEventId)).status).toBe(404)
    expect((await client.delete()).status).toBe(404)
    expect(endpoint.stats()).toMatchObject({ ...empty, log: emptyLog })
  })

  // Mastra starts anew on exactly these words: official clients of 2.x show it the body, not the status.
  test('the refusal of an unknown session names its status', async () => {
    const client = await openSession(createTestEndpoint().endpoint)
    client.sessionId = 'x'.repeat(32)
    expect(toJson(await client.call('ping')).error).toMatchObject({
      code: -32001,
      message: expect.stringMatching(/http 404/i),
    })
  })

  test('an initialize that still names a session which has ended opens a new one', async () => {
    const { endpoint } = createTestEndpoint()
    const client = await openSession(endpoint)
    await client.delete()
    for (const stale of [client.sessionId, 'x'.repeat(32), 'malformed']) {
      const again = new TestClient(endpoint)
      again.sessionId = stale
      const reply = await again.call('initialize', toInitializeParams())
      expect(reply.status).toBe(200)
      again.sessionId = reply.headers['mcp-session-id'] as string
      expect(again.sessionId).toMatch(/^[\w-]{32}$/)
      expect(again.sessionId).not.toBe(stale)
      expect((await again.call('ping')).status).toBe(200)
    }
    expect(endpoint.stats().sessions).toBe(3)
  })

  test("so does one that names another principal's session, which lives on", async () => {
    const { endpoint } = createTestEndpoint()
    const alice = await openSession(endpoint, { auth: user('alice') })
    const mallory = new TestClient(endpoint)
    Object.assign(mallory, { auth: user('mallory'), sessionId: alice.sessionId })
    const reply = await mallory.call('initialize', toInitializeParams())
    expect([reply.status, reply.headers['mcp-session-id'] === alice.sessionId]).toEqual([200, false])
    expect((await alice.call('ping')).status).toBe(200)
    expect((await mallory.call('ping')).status).toBe(404)
  })

  test.each<[string, unknown]>([
    ['a request', { jsonrpc: '2.0', id: 1, method: 'ping' }],
    ['a batch with initialize', [{ jsonrpc: '2.0', id: 1, method: 'initialize', params: toInitializeParams() }]],
    ['an initialize without an id', { jsonrpc: '2.0', method: 'initialize', params: toInitializeParams() }],
    ['an initialize whose params are no object', { jsonrpc: '2.0', id: 1, method: 'initialize', params: [] }],
    ['what is no JSON', '{'],
    ['what is no JSON-RPC', 5],
    ['what is too large', 'x'.repeat(300)],
  ])('anything else in an unknown session gets the same 404: %s', async (_what, body) => {
    const { endpoint } = createTestEndpoint({}, { maxBodyBytes: 200 })
    const client = new TestClient(endpoint)
    client.sessionId = 'x'.repeat(32)
    const reply = await client.post(body)
    expect(reply.status).toBe(404)
    expect(toJson(reply)).toEqual({
      jsonrpc: '2.0',
      error: { code: -32001, message: 'Session not found (HTTP 404): start anew with initialize' },
    })
    expect(endpoint.stats()).toMatchObject({ sessions: 0, bodyBytes: 0 })
  })

  test('of a request for an unknown session nothing is read before auth, nor but for a POST', async () => {
    const refuse = () => {
      throw new Rejection('unauthorized')
    }
    const stale = {
      headers: { 'mcp-session-id': 'x'.repeat(32) },
      body: { jsonrpc: '2.0', id: 1, method: 'initialize' },
    }
    const post = new TestRequest('POST', stale)
    expect((await createTestEndpoint({}, { auth: refuse }).endpoint.handle(post)).status).toBe(401)
    const listening = new TestRequest('GET', stale)
    expect((await createTestEndpoint().endpoint.handle(listening)).status).toBe(404)
    expect([post.bodyRead, listening.bodyRead]).toEqual([false, false])
  })

  test('a second initialize is refused and the session lives on', async () => {
    const { endpoint } = createTestEndpoint()
    const client = await openSession(endpoint)
    expect((await client.call('initialize', toInitializeParams())).status).toBe(400)
    expect((await client.call('ping')).status).toBe(200)
  })

  test('an initialize that the server refuses leaves no session', async () => {
    const { endpoint, servers } = createTestEndpoint()
    const reply = await new TestClient(endpoint).call('initialize', {})
    expect(reply.headers['mcp-session-id']).toBeUndefined()
    expect(toJson(reply).error).toBeDefined()
    expect(servers[0]?.closed).toBe(true)
    expect(endpoint.stats()).toMatchObject({ ...empty, log: emptyLog })
  })
})

describe('whose a session is', () => {
  test.each(['GET', 'DELETE', 'POST'])(
    '%s by another principal is answered like an unknown session, byte for byte',
    async (method) => {
      const { endpoint } = createTestEndpoint()
      const alice = await openSession(endpoint, { auth: user('alice') })
      const body = { jsonrpc: '2.0', id: 1, method: 'ping' }
      const unknown = await endpoint.handle(
        alice.request(method, { body, headers: { 'mcp-session-id': 'A'.repeat(alice.sessionId.length) } }),
      )
      for (const auth of [user('mallory'), undefined, { ...user('alice'), clientId: 'other' }]) {
        expect(await endpoint.handle(alice.request(method, { body, auth }))).toEqual(unknown)
      }
      expect(unknown.status).toBe(404)
      expect((await alice.call('ping')).status).toBe(200)
    },
  )

  test('a token that was refreshed is the same principal', async () => {
    const { endpoint } = createTestEndpoint()
    const client = await openSession(endpoint, { auth: user('alice') })
    for (let i = 0; i < 100; i++) {
      client.auth = user('alice', `token ${i}`)
      expect((await client.call('ping')).status).toBe(200)
    }
  })

  test('what names nobody is an error of the application, not one principal for all', async () => {
    const { endpoint, errors } = createTestEndpoint()
    const client = new TestClient(endpoint)
    client.auth = { userId: 7 } as unknown as AuthInfo
    expect((await client.call('initialize', toInitializeParams())).status).toBe(500)
    expect(String(errors[0])).toContain('Expected auth.clientId to be a string, or the option `principal`')
  })

  test('a session opened without authentication is not for those who have it', async () => {
    const { endpoint } = createTestEndpoint()
    const client = await openSession(endpoint)
    client.auth = user('alice')
    expect((await client.call('ping')).status).toBe(404)
  })
})

describe('how sessions end', () => {
  test('by idleness, but not while a stream is open or a call runs', async () => {
    const { endpoint } = createTestEndpoint({ wait: () => sleep(500).then(() => ({})) }, { sessionIdleMs: 150 })
    const [idle, reading, calling] = [
      await openSession(endpoint),
      await openSession(endpoint),
      await openSession(endpoint),
    ]
    const reader = await reading.read()
    const call = calling.call('wait')
    await sleep(400)
    expect((await idle.call('ping')).status).toBe(404)
    expect((await reading.call('ping')).status).toBe(200)
    const answer = await TestReader.open(await call)
    await answer.until(() => answer.ended)
    expect(answer.messages).toMatchObject([{ result: {} }])
    reader.leave()
    await waitFor(() => endpoint.stats().sessions === 0)
    expect(endpoint.stats()).toMatchObject({ ...empty, log: emptyLog })
  })

  test('when initialized never comes', async () => {
    const { endpoint } = createTestEndpoint({}, { initializeTimeoutMs: 100 })
    const [silent, proper] = [await openSession(endpoint, { initialized: false }), await openSession(endpoint)]
    await waitFor(() => endpoint.stats().sessions === 1)
    expect((await silent.call('ping')).status).toBe(404)
    expect((await proper.call('ping')).status).toBe(200)
  })

  test('by the server object itself', async () => {
    const { endpoint, servers } = createTestEndpoint()
    const client = await openSession(endpoint)
    await servers[0]?.close()
    await waitFor(() => endpoint.stats().sessions === 0)
    expect((await client.call('ping')).status).toBe(404)
  })

  test('by the application, with an error for every running call', async () => {
    const { endpoint } = createTestEndpoint({ park: () => new Promise(() => undefined) })
    const client = await openSession(endpoint)
    const running = client.call('park', {}, 6)
    await waitFor(() => endpoint.stats().calls === 1)
    const key = await sessionKey(client.sessionId)
    expect(await endpoint.sessions.get(key)).toMatchObject({ key, protocolVersion: '2025-11-25', initialized: true })
    const listed: string[] = []
    for await (const session of endpoint.sessions.list()) listed.push(session.key)
    expect(listed).toEqual([key])
    expect(await endpoint.sessions.end(key)).toBe(true)
    expect(toJson(await running)).toMatchObject({ id: 6, error: expect.anything() })
    expect(await endpoint.sessions.end(key)).toBe(false)
    expect(await endpoint.sessions.get(key)).toBeUndefined()
    expect((await client.call('ping')).status).toBe(404)
  })

  test('not while it is in use, though its process stood still for longer than the idle time', async () => {
    const clock = stopClock()
    const { endpoint, errors } = createTestEndpoint(
      { park: () => new Promise(() => undefined) },
      { keepAliveMs: 40, sessionIdleMs: 1_000 },
    )
    const client = await openSession(endpoint)
    void client.call('park', {}, 6)
    await waitFor(() => endpoint.stats().calls === 1)
    for (let i = 0; i < 3; i++) await clock.pass(1_500)
    expect(endpoint.stats()).toMatchObject({ sessions: 1, calls: 1 })
    expect((await client.call('ping')).status).toBe(200)
    expect(errors).toEqual([])
    await endpoint.close({ drainMs: 0 })
  })

  test('10,000 sessions opened and abandoned leave nothing behind', async () => {
    const clock = stopClock()
    const { endpoint, servers } = createTestEndpoint({}, { sessionIdleMs: 1_000, initializeTimeoutMs: 1_000 })
    const openMany = async (count: number) => {
      // None ends before the last was opened, however busy the machine is.
      for (let i = 0; i < count; i++) await openSession(endpoint, { initialized: i % 2 === 0 })
      await clock.pass(1_001)
      await waitFor(() => endpoint.stats().sessions === 0, 20_000)
      servers.splice(0)
      collectGarbage()
      return process.memoryUsage().heapUsed
    }
    // As many as later: tables that have grown once stay as large.
    const before = await openMany(10_000)
    const after = await openMany(10_000)
    expect(endpoint.stats()).toMatchObject({ ...empty, log: emptyLog })
    expect(after / before).toBeLessThan(1.05)
  }, 120_000)
})

describe('how many sessions there are', () => {
  test('at the cap the longest-idle session makes room; when none is idle the newcomer is refused', async () => {
    const { endpoint } = createTestEndpoint({}, { maxSessions: 3 })
    const [a, b, c] = [await openSession(endpoint), await openSession(endpoint), await openSession(endpoint)]
    await a.call('ping')
    const reading = await b.read()
    const d = await openSession(endpoint)
    expect((await c.call('ping')).status).toBe(404)
    for (const client of [a, b, d]) expect((await client.call('ping')).status).toBe(200)
    const readers = [await a.read(), await d.read(), reading]
    const refused = await new TestClient(endpoint).call('initialize', toInitializeParams(), 'new')
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': expect.stringMatching(/^\d+$/) } })
    expect(toJson(refused).id).toBe('new')
    for (const reader of readers) expect(reader.ended).toBe(false)
    expect(endpoint.stats().sessions).toBe(3)
  })

  test('initialize without initialized pushes out no session in use, not even from a socket with an open stream', async () => {
    const { endpoint } = createTestEndpoint({}, { maxSessions: 10, initializeTimeoutMs: 300, keepAliveMs: 40 })
    const used = await Promise.all(Array.from({ length: 10 }, () => openSession(endpoint)))
    for (const client of used) for (let i = 0; i < 3; i++) await client.call('ping')
    for (let i = 0; i < 30; i++) await openSession(endpoint, { initialized: false })
    const idle = await openSession(endpoint, { initialized: false })
    await idle.read()
    for (const client of used) expect((await client.call('ping')).status).toBe(200)
    await waitFor(() => endpoint.stats().sessions === 10)
  })

  test('at the cap clients that open sessions at the same time do not push out each other', async () => {
    const { endpoint } = createTestEndpoint({}, { maxSessions: 200 })
    const [oldest] = [await openSession(endpoint)]
    for (let i = 1; i < 200; i++) await openSession(endpoint)
    const opening = [
      await openSession(endpoint, { initialized: false }),
      await openSession(endpoint, { initialized: false }),
    ]
    for (const client of opening) {
      expect((await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' })).status).toBe(202)
    }
    for (const client of opening) expect((await client.call('ping')).status).toBe(200)
    expect((await oldest.call('ping')).status).toBe(404)
    expect(endpoint.stats().sessions).toBe(200)
  })

  test('at the cap those who come at once each have one make room, however long the store takes', async () => {
    const { sessions: store } = createMemoryBackplane()
    const remove: SessionStore['delete'] = (...given) => sleep(20).then(() => store.delete(...given))
    const sessions = new Proxy(store, {
      get: (_, name) => (name === 'delete' ? remove : store[name as keyof SessionStore].bind(store)),
    })
    const { endpoint } = createTestEndpoint({}, { maxSessions: 1_000, backplane: { sessions } })
    for (let i = 0; i < 1_000; i++) await openSession(endpoint)
    const newcomers = await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        await sleep(i)
        return openSession(endpoint)
      }),
    )
    for (const client of newcomers) expect((await client.call('ping')).status).toBe(200)
    await waitFor(() => endpoint.stats().sessions === 1_000)
    expect((await openSession(endpoint)).sessionId).not.toBe('')
  })

  test('a session that was used once makes room before one that is used', async () => {
    const { endpoint } = createTestEndpoint({}, { maxSessions: 3 })
    const used = await openSession(endpoint)
    for (let i = 0; i < 21; i++) await used.call('ping')
    for (let i = 0; i < 20; i++) await (await openSession(endpoint)).call('ping')
    expect((await used.call('ping')).status).toBe(200)
    expect(endpoint.stats().sessions).toBe(3)
  })

  test('of anonymous sessions those of the address that holds most make room, however new they are', async () => {
    const { endpoint } = createTestEndpoint({}, { maxSessions: 10 })
    const openFrom = async (clientAddress: string): Promise<TestClient> => {
      const client = new TestClient(endpoint)
      const opened = await client.call('initialize', toInitializeParams(), 1, { clientAddress })
      client.sessionId = opened.headers['mcp-session-id'] ?? ''
      await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' })
      for (let i = 0; i < 2; i++) await client.call('ping')
      return client
    }
    const quiet = [await openFrom('192.0.2.1'), await openFrom('192.0.2.2')]
    for (let i = 0; i < 40; i++) await openFrom('198.51.100.7')
    for (const client of quiet) expect((await client.call('ping')).status).toBe(200)
    expect(endpoint.stats().sessions).toBe(10)
  })

  test("a principal at its cap loses its own longest-idle session, nobody else's", async () => {
    const { endpoint } = createTestEndpoint({}, { maxSessionsPerPrincipal: 2 })
    const other = await openSession(endpoint, { auth: user('bob') })
    const first = await openSession(endpoint, { auth: user('alice') })
    await openSession(endpoint, { auth: user('alice') })
    await openSession(endpoint, { auth: user('alice') })
    expect((await first.call('ping')).status).toBe(404)
    expect((await other.call('ping')).status).toBe(200)
    expect(endpoint.stats().sessions).toBe(3)
  })

  test('many of one principal who come at once do not get past its cap', async () => {
    const handlers = {
      initialize: ({ params }: { params: Record<string, unknown> }) =>
        sleep(20).then(() => ({ ...params, serverInfo: {} })),
    }
    const { endpoint } = createTestEndpoint(handlers, { maxSessionsPerPrincipal: 3 })
    const open = () => {
      const client = new TestClient(endpoint)
      client.auth = user('alice')
      return client.call('initialize', toInitializeParams())
    }
    const replies = await Promise.all(Array.from({ length: 10 }, open))
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(3)
    expect(replies.filter(({ status }) => status === 503)).toHaveLength(7)
    expect((await open()).status).toBe(200)
    expect(endpoint.stats().sessions).toBe(3)
  })

  test('many who come at once do not get past the cap', async () => {
    const { endpoint } = createTestEndpoint(
      {
        initialize: ({ params }) =>
          sleep(20).then(() => ({ protocolVersion: params.protocolVersion, capabilities: {}, serverInfo: {} })),
      },
      { maxSessions: 5 },
    )
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => new TestClient(endpoint).call('initialize', toInitializeParams())),
    )
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(5)
    expect(endpoint.stats().sessions).toBe(5)
  })
})

describe('what the application gives', () => {
  test('ids of its own are checked: grammar, and no reuse', async () => {
    for (const bad of [
      'short',
      'with space and more than 22 chars',
      `${'x'.repeat(30)}\r\nset-cookie: a=b`,
      'x'.repeat(129),
    ]) {
      const { endpoint, errors } = createTestEndpoint({}, { generateSessionId: () => bad })
      const reply = await new TestClient(endpoint).call('initialize', toInitializeParams())
      expect(reply.status).toBe(500)
      expect(String(errors[0])).toContain('generateSessionId')
      expect(endpoint.stats()).toMatchObject(empty)
    }
    const { endpoint } = createTestEndpoint({}, { generateSessionId: () => 'x'.repeat(30) })
    await openSession(endpoint)
    expect((await new TestClient(endpoint).call('initialize', toInitializeParams())).status).toBe(500)
    expect(endpoint.stats().sessions).toBe(1)
  })

  test('one server object for two sessions is refused', async () => {
    const shared = new TestServer()
    const { endpoint, errors } = createTestEndpoint({}, { server: () => shared })
    await openSession(endpoint)
    const reply = await new TestClient(endpoint).call('initialize', toInitializeParams())
    expect(reply.status).toBe(500)
    expect(String(errors[0])).toContain('build a new MCP server object for each session')
  })

  test('a factory that throws is a 500 without its message, and nothing is left', async () => {
    const { endpoint, errors } = createTestEndpoint(
      {},
      { server: () => Promise.reject(new Error('db password is wrong')) },
    )
    const reply = await new TestClient(endpoint).call('initialize', toInitializeParams(), 3)
    expect(toJson(reply)).toEqual({ jsonrpc: '2.0', id: 3, error: { code: -32603, message: 'Internal error' } })
    expect(String(errors[0])).toContain('db password')
    expect(endpoint.stats()).toMatchObject(empty)
  })

  test.each([
    ['a factory that never ends', { server: () => new Promise<never>(() => undefined) }, {}],
    ['a server object that never answers', {}, { initialize: () => new Promise(() => undefined) }],
  ])('%s is given up, and takes no place away', async (_, options, handlers) => {
    const { endpoint, errors, servers } = createTestEndpoint(handlers, {
      ...options,
      initializeTimeoutMs: 100,
      maxSessions: 1,
    })
    for (let i = 0; i < 3; i++) {
      expect((await new TestClient(endpoint).call('initialize', toInitializeParams())).status).toBe(500)
    }
    expect(errors.map(String)).toEqual(Array(3).fill(expect.stringContaining('within 100 ms')))
    expect(servers.every(({ closed }) => closed)).toBe(true)
    expect(endpoint.stats()).toMatchObject(empty)
  })

  test('a session store that fails costs the request, not the process', async () => {
    const { sessions } = createMemoryBackplane()
    const create = () => Promise.reject(new Error('store is down'))
    const broken = Object.assign(Object.create(sessions) as typeof sessions, { create })
    const { endpoint, servers } = createTestEndpoint({}, { backplane: { sessions: broken } })
    expect((await new TestClient(endpoint).call('initialize', toInitializeParams())).status).toBe(503)
    expect(servers[0]?.closed).toBe(true)
    expect(endpoint.stats()).toMatchObject(empty)
  })
})

describe('a session store that outlives the process', () => {
  test('a session goes on after a restart, with everything its server object had heard', async () => {
    const { sessions } = createMemoryBackplane()
    const before = createTestEndpoint({}, { backplane: { sessions } })
    const client = await openSession(before.endpoint, { auth: user('alice') })
    await client.call('logging/setLevel', { level: 'debug' })
    await client.call('resources/subscribe', { uri: 'test://a' })
    await client.call('resources/subscribe', { uri: 'test://b' })
    await client.call('resources/unsubscribe', { uri: 'test://a' })
    await before.endpoint.close({ drainMs: 0 })

    const contexts: unknown[] = []
    const server = new TestServer()
    const { endpoint } = createTestEndpoint(
      {},
      {
        backplane: { sessions },
        server: (context) => {
          contexts.push(context)
          return server
        },
      },
    )
    const after = new TestClient(endpoint)
    Object.assign(after, { sessionId: client.sessionId, auth: user('mallory') })
    expect((await after.call('ping')).status).toBe(404)
    after.auth = user('alice')
    // Both ask at once: the server object is built once.
    const replies = await Promise.all([after.call('ping', {}, 'a'), after.call('ping', {}, 'b')])
    expect(replies.map(toJson)).toEqual([expect.objectContaining({ id: 'a' }), expect.objectContaining({ id: 'b' })])
    expect(contexts).toEqual([
      expect.objectContaining({
        resumed: true,
        sessionId: client.sessionId,
        clientInfo: { name: 'test', version: '1' },
      }),
    ])
    expect(server.received).toEqual([
      'initialize',
      'notifications/initialized',
      'logging/setLevel',
      'resources/subscribe',
      'ping',
      'ping',
    ])
    expect((await sessions.get(await sessionKey(client.sessionId)))?.term).toBe(2)
  })

  test('a client resumes its standalone stream after a restart and is told that history is gone', async () => {
    const { sessions } = createMemoryBackplane()
    const push = async ({ push: send }: { push: (method: string) => Promise<void> }) => {
      await send('notifications/message')
      return {}
    }
    const before = createTestEndpoint({ push }, { backplane: { sessions } })
    const client = await openSession(before.endpoint)
    const reader = await client.read()
    await client.call('push')
    await before.endpoint.close({ drainMs: 0 })
    const { endpoint } = createTestEndpoint({ push }, { backplane: { sessions } })
    const after = new TestClient(endpoint)
    after.sessionId = client.sessionId
    const reply = await after.get(reader.lastEventId)
    expect(reply).toMatchObject({ status: 200, headers: { 'mcp-resume': 'gap' } })
    const again = await TestReader.open(reply)
    await after.call('push')
    expect(again.messages.map(({ method }) => method)).toEqual([
      'notifications/tools/list_changed',
      'notifications/resources/list_changed',
      'notifications/message',
    ])
  })

  test('a session store alone, which looks as if several nodes could share it, is told of when the endpoint starts', () => {
    const { sessions, events, bus } = createMemoryBackplane()
    const own = { ...toMethods(sessions) }
    const alone = createTestEndpoint({}, { backplane: { sessions: own } }).errors
    expect(alone.map(String)).toEqual([expect.stringContaining('serve them from one node at a time')])
    const shared: MessageBus = {
      publish: (...said) => bus.publish(...said),
      subscribe: (...heard) => bus.subscribe(...heard),
    }
    expect(createTestEndpoint({}, { backplane: { sessions: own, bus: shared } }).errors).toHaveLength(1)
    for (const backplane of [{ sessions }, { events }, createTestDatabase()]) {
      expect(createTestEndpoint({}, { backplane }).errors).toEqual([])
    }
  })

  test('a node whose session was taken over stops serving it and leaves the record alone', async () => {
    const { sessions } = createMemoryBackplane()
    const { endpoint, servers, errors } = createTestEndpoint({}, { backplane: { sessions }, sessionIdleMs: 400 })
    const client = await openSession(endpoint)
    await client.read()
    const key = await sessionKey(client.sessionId)
    await sessions.takeOver(key, { expectedTerm: 1, owner: 'another node', ttlMs: 60_000 })
    await waitFor(() => endpoint.stats().sessions === 0)
    expect(servers[0]?.closed).toBe(true)
    expect((await sessions.get(key))?.owner).toBe('another node')
    expect(errors.map(String)).toEqual([
      expect.stringContaining('Another node has taken over a session that lived here'),
    ])
  })
})

test('notify reaches every initialized session, also one that is away, and only those', async () => {
  const { endpoint } = createTestEndpoint()
  const [reading, away, silent] = [
    await openSession(endpoint),
    await openSession(endpoint),
    await openSession(endpoint, { initialized: false }),
  ]
  const reader = await reading.read()
  await endpoint.notify({ method: 'notifications/tools/list_changed' })
  await endpoint.notify(
    { method: 'notifications/message', params: { data: 'one' } },
    { sessionKey: await sessionKey(away.sessionId) },
  )
  const changed = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' }
  await reader.until(() => reader.messages.length > 0)
  expect(reader.messages).toEqual([changed])
  expect((await away.read()).messages).toEqual([
    changed,
    { jsonrpc: '2.0', method: 'notifications/message', params: { data: 'one' } },
  ])
  expect((await silent.read()).messages).toEqual([])
})

/** As somebody else's store. */
function toMethods(sessions: SessionStore): SessionStore {
  return {
    create: (...created) => sessions.create(...created),
    get: (...got) => sessions.get(...got),
    update: (...updated) => sessions.update(...updated),
    takeOver: (...taken) => sessions.takeOver(...taken),
    delete: (...deleted) => sessions.delete(...deleted),
    list: () => sessions.list(),
    renewLease: (...renewed) => sessions.renewLease(...renewed),
    hasLease: (node) => sessions.hasLease(node),
  }
}
