import { AsyncLocalStorage } from 'node:async_hooks'
import { channel, tracingChannel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openSession, TestClient, toInitializeParams, toJson } from '../../../test-support/in-process/test-client.ts'
import { TestCluster } from '../../../test-support/in-process/test-cluster.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import { TestRequest } from '../../../test-support/in-process/test-request.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { waitFor } from '../../../test-support/waiting.ts'
import {
  type CallMessage,
  type Endpoint,
  type EndpointOptions,
  type Observer,
  observe,
  type RefusalMessage,
  type TracedMessage,
  type TracedMessages,
} from '../src/index.ts'
import { createModernEndpoint, createServer, ModernClient, modernVersion, toMeta } from './modern-client.ts'

const moments = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const
const names = ['request', 'session', 'call', 'question', 'stream', 'replay', 'forward', 'takeover'] as const

interface Seen {
  /** What was published, in order: `call:start`. */
  readonly events: string[]
  of<Name extends keyof TracedMessages>(name: Name): TracedMessages[Name][]
}

/** Everything that an endpoint publishes of these kinds. */
function record(endpoint: Endpoint, ...kinds: (keyof TracedMessages)[]): Seen {
  const events: string[] = []
  const messages = new Map<string, Set<TracedMessage>>()
  const observer = Object.fromEntries(
    (kinds.length > 0 ? kinds : names).map((name) => {
      messages.set(name, new Set())
      const listen = (moment: string) => (message: TracedMessage) => {
        events.push(`${name}:${moment}`)
        messages.get(name)?.add(message)
      }
      return [name, Object.fromEntries(moments.map((moment) => [moment, listen(moment)]))]
    }),
  )
  onTestFinished(observe(endpoint, observer as Observer))
  return { events, of: (name) => [...(messages.get(name) ?? [])] as never }
}

function start(handlers: Handlers = {}, options: Partial<EndpointOptions> = {}) {
  const built = createTestEndpoint(handlers, options)
  onTestFinished(() => built.endpoint.close({ drainMs: 0 }))
  return built
}

const wait: Handlers = { wait: ({ signal }) => once(signal, 'abort') }

describe('a call', () => {
  test('is published from its start to its answer, as one message', async () => {
    const { endpoint } = start({ add: async ({ params }) => ({ sum: params.n }) })
    const client = await openSession(endpoint)
    const seen = record(endpoint, 'call')
    await client.call('add', { n: 1 }, 'mine', { clientAddress: '192.0.2.1' })
    expect(seen.events).toEqual(['call:start', 'call:end', 'call:asyncStart', 'call:asyncEnd'])
    expect(seen.of('call')).toEqual([
      expect.objectContaining({
        ...{ version: 1, endpoint, method: 'add', requestId: 'mine', params: { n: 1 }, protocolVersion: '2025-11-25' },
        ...{ outcome: 'result', response: expect.objectContaining({ result: { sum: 1 } }), isForwarded: false },
        ...{ clientAddress: '192.0.2.1', durationMs: expect.any(Number), sessionKey: expect.any(String) },
      }),
    ])
  })

  test('tells how it ended', async () => {
    const { endpoint } = start({
      ...wait,
      fail: () => {
        throw new Error('no')
      },
    })
    const client = await openSession(endpoint)
    const seen = record(endpoint, 'call')
    await client.call('fail')
    const cancelled = client.call('wait', {}, 2)
    await waitFor(() => endpoint.stats().calls === 1)
    await client.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 2 } })
    await cancelled
    const ended = client.call('wait', {}, 3)
    await waitFor(() => endpoint.stats().calls === 1)
    await client.delete()
    await ended
    expect(seen.of('call').map(({ method, requestId, outcome, error }) => [method, requestId, outcome, error])).toEqual(
      [
        ['fail', 1, 'error', { code: -32603, message: 'no' }],
        ['wait', 2, 'cancelled', undefined],
        ['notifications/cancelled', undefined, 'result', undefined],
        ['wait', 3, 'abandoned', { code: -32000, message: 'The client ended the session' }],
      ],
    )
    expect(seen.events.filter((event) => event === 'call:error')).toHaveLength(2)
  })

  const circular: Record<string, unknown> = {}
  circular.itself = circular
  test.each([
    ['nothing', undefined],
    ['null', null],
    ['a list', []],
    ['what has no JSON', { n: 10n }],
    ['what is in itself', circular],
  ])('is an error, as for its client, where the handler gives %s', async (_what, result) => {
    const { endpoint } = start({ broken: () => result })
    const client = await openSession(endpoint)
    const seen = record(endpoint, 'call')
    const { error } = toJson(await client.call('broken'))
    expect(error).toMatchObject({ code: -32603 })
    expect(seen.of('call')).toMatchObject([{ outcome: 'error', error, response: { error } }])
    expect(seen.events).toEqual(['call:start', 'call:end', 'call:error', 'call:asyncStart', 'call:asyncEnd'])
  })

  test('is an error where the answer to initialize is none', async () => {
    const { endpoint } = start({ initialize: () => undefined })
    const seen = record(endpoint, 'call')
    expect((await new TestClient(endpoint).call('initialize', toInitializeParams())).status).toBe(500)
    expect(seen.of('call')).toMatchObject([{ outcome: 'error', error: { code: -32603 } }])
  })

  test('of initialize is one as well, and so are notifications; a handshake that is replayed is none', async () => {
    const cluster = new TestCluster(2)
    onTestFinished(() => cluster.close())
    const seen = cluster.nodes.map(({ endpoint }) => record(endpoint, 'call', 'takeover'))
    const client = await cluster.open(0)
    expect(seen[0]?.of('call').map(({ method }) => method)).toEqual(['initialize', 'notifications/initialized'])
    cluster.kill(0)
    await cluster.on(1, client).call('ping')
    expect(seen[1]?.of('call').map(({ method }) => method)).toEqual(['ping'])
    expect(seen[1]?.of('takeover')).toMatchObject([{ term: 2, outcome: 'taken', from: expect.stringMatching(/./) }])
  })

  test('of 2025 without sessions is published too', async () => {
    const { endpoint } = start({}, { sessions: false })
    const seen = record(endpoint)
    const client = await openSession(endpoint, { initialized: false })
    await client.call('ping')
    expect(seen.of('call').map(({ method, sessionKey }) => [method, sessionKey])).toEqual([
      ['initialize', undefined],
      ['ping', undefined],
    ])
  })

  test('is none that is refused before it reaches the server object, whatever it would run within', async () => {
    const { endpoint } = start()
    const client = await openSession(endpoint)
    const seen = record(endpoint, 'call')
    const within: Observer = {
      call: {
        start: (message) => {
          message.within = (work) => work()
        },
      },
    }
    onTestFinished(observe(endpoint, within))
    const params = { uri: 'x'.repeat(10_000) }
    const { status } = await client.post({ jsonrpc: '2.0', method: 'resources/subscribe', params })
    expect(status).toBe(400)
    expect(seen.events).toEqual([])
  })

  test('each of a batch has its own', async () => {
    const { endpoint } = start()
    const client = await openSession(endpoint, { version: '2025-03-26' })
    const seen = record(endpoint, 'call')
    await client.post([1, 2].map((id) => ({ jsonrpc: '2.0', id, method: 'ping' })))
    expect(seen.of('call').map(({ requestId, outcome }) => [requestId, outcome])).toEqual([
      [1, 'result'],
      [2, 'result'],
    ])
  })

  test('is none whose client left before it reached the server object', async () => {
    const leaving: TestRequest[] = []
    const server = () => {
      for (const request of leaving) request.leave()
      return createServer()
    }
    const { endpoint } = createModernEndpoint(undefined, { server })
    const seen = record(endpoint, 'call')
    const headers = { 'mcp-protocol-version': modernVersion, 'mcp-method': 'ping' }
    const body = { jsonrpc: '2.0', id: 1, method: 'ping', params: { _meta: toMeta() } }
    leaving.push(new TestRequest('POST', { headers, body }))
    await endpoint.handle(leaving[0] as TestRequest)
    expect(seen.events).toEqual([])
  })
})

describe('the context of a call', () => {
  const storage = new AsyncLocalStorage<string>()
  const read: Handlers = { read: async () => ({ text: storage.getStore() ?? 'none' }) }

  async function textOf(endpoint: Endpoint): Promise<unknown> {
    const client = await openSession(endpoint)
    return toJson(await client.call('read')).result
  }

  test('is that of a store which is bound to `start`', async () => {
    const { start: started } = tracingChannel<unknown, CallMessage>('throughline.call')
    started.bindStore(storage, (message) => (message as CallMessage).method)
    onTestFinished(() => void started.unbindStore(storage))
    expect(await textOf(start(read).endpoint)).toEqual({ text: 'read' })
  })

  test('is the one that a subscriber runs it within', async () => {
    const { endpoint } = start(read)
    onTestFinished(
      observe(endpoint, {
        call: {
          start: (message) => {
            message.within = (work) => storage.run(`within ${message.method}`, work)
          },
        },
      }),
    )
    expect(await textOf(endpoint)).toEqual({ text: 'within read' })
  })

  test.each([
    ['does nothing', () => undefined],
    [
      'runs it twice',
      (work: () => void) => {
        work()
        work()
      },
    ],
  ])('the handler runs once when `within` %s', async (_what, within) => {
    const ran: string[] = []
    const { endpoint } = start({ ran: async () => ({ ran: ran.push('ran') }) })
    onTestFinished(
      observe(endpoint, {
        call: {
          start: (message) => {
            message.within = within
          },
        },
      }),
    )
    const client = await openSession(endpoint)
    expect(toJson(await client.call('ran')).result).toEqual({ ran: 1 })
  })
})

describe('a subscriber that throws', () => {
  const fault = new Error('of a subscriber')
  const fail = (): never => {
    throw fault
  }

  test('harms no request, and is told to `onError` where it observes', async () => {
    const { endpoint, errors } = start()
    const observed = { start: fail, end: fail, asyncStart: fail, asyncEnd: fail, error: fail }
    onTestFinished(observe(endpoint, { request: observed, call: observed, session: observed, refusal: fail }))
    const client = await openSession(endpoint)
    expect((await client.call('ping')).status).toBe(200)
    expect((await client.post('{')).status).toBe(400)
    expect(new Set(errors)).toEqual(new Set([fault]))
  })

  test('and one whose promise rejects: no rejection is left to end the process', async () => {
    const { endpoint, errors } = start()
    onTestFinished(observe(endpoint, { call: { asyncEnd: async () => fail() }, refusal: async () => fail() }))
    const client = await openSession(endpoint, { initialized: false })
    expect((await client.post('{')).status).toBe(400)
    expect(errors).toEqual([fault, fault])
  })

  test('is an uncaught exception on a bare channel, as with every module that publishes, and harms no request', async () => {
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    const uncaught: unknown[] = []
    process.on('uncaughtException', (error) => uncaught.push(error))
    onTestFinished(() => {
      process.removeAllListeners('uncaughtException')
      for (const listener of others) process.on('uncaughtException', listener)
    })
    const { asyncEnd } = tracingChannel('throughline.call')
    const { endpoint } = start()
    const client = await openSession(endpoint)
    asyncEnd.subscribe(fail)
    expect((await client.call('ping')).status).toBe(200)
    asyncEnd.unsubscribe(fail)
    await waitFor(() => uncaught.length > 0)
    expect(uncaught).toEqual([fault])
  })
})

test('an HTTP request is published with what came of it, without its query', async () => {
  const { endpoint } = start()
  const client = await openSession(endpoint)
  const seen = record(endpoint, 'request')
  await client.call('ping', {}, 1, { url: '/mcp?key=secret', clientAddress: '192.0.2.1' })
  await client.post({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' })
  await client.get()
  await client.post('{')
  expect(
    seen.of('request').map(({ httpMethod, status, body, refusal }) => [httpMethod, status, body, refusal]),
  ).toEqual([
    ['POST', 200, 'json', undefined],
    ['POST', 202, 'none', undefined],
    ['GET', 200, 'stream', undefined],
    ['POST', 400, 'json', 'parse_error'],
  ])
  expect(seen.of('request')[0]).toMatchObject({ path: '/mcp', clientAddress: '192.0.2.1' })
})

test('a session is published from its opening to its end, and whether it is over', async () => {
  const { endpoint } = start()
  const seen = record(endpoint, 'session')
  const auth = { token: 'secret', clientId: 'c', scopes: [], extra: { iss: 'i', sub: 'alice' } }
  const client = await openSession(endpoint, { auth })
  expect(seen.events).toEqual(['session:start', 'session:end'])
  await client.delete()
  await openSession(endpoint)
  await endpoint.close({ drainMs: 0 })
  expect(seen.of('session')).toMatchObject([
    {
      ...{ protocolVersion: '2025-11-25', term: 1, clientInfo: { name: 'test', version: '1' }, ended: true },
      ...{ principal: expect.stringContaining('alice'), reason: 'The client ended the session' },
    },
    { principal: null, reason: 'The server is shutting down', ended: false },
  ])
})

test('a connection is published from its opening to its last byte', async () => {
  const { endpoint } = start({ tell: ({ notify }) => notify('notifications/message', { data: 1 }).then(() => ({})) })
  const client = await openSession(endpoint)
  const seen = record(endpoint, 'stream', 'replay')
  const call = await TestReader.open(await client.call('tell', {}, 7))
  await call.until(() => call.ended)
  const standalone = await client.read()
  standalone.leave()
  const again = await client.read(call.events[0]?.id)
  await again.until(() => again.ended)
  await waitFor(() => endpoint.stats().connections === 0)
  expect(seen.of('stream')).toMatchObject([
    { kind: 'call', requestIds: [7], from: 0, to: 2, outcome: 'ended' },
    { kind: 'standalone', requestIds: [], from: 0, to: 0, outcome: 'left' },
    { kind: 'call', requestIds: [7], from: 1, to: 2, outcome: 'ended' },
  ])
  expect(seen.of('replay')).toMatchObject([{ eventId: call.events[0]?.id, outcome: 'stream' }])
})

test('a replay that is refused has the error, and one of which the client had everything says so', async () => {
  const { endpoint } = start({}, { response: 'sse' })
  const client = await openSession(endpoint)
  const seen = record(endpoint, 'replay')
  const reader = await TestReader.open(await client.call('ping'))
  await reader.until(() => reader.ended)
  await client.get(reader.lastEventId)
  await client.get('nonsense')
  expect(seen.of('replay')).toMatchObject([
    { outcome: 'complete' },
    { error: expect.objectContaining({ refusal: 'invalid_event_id' }) },
  ])
  expect(seen.events.slice(-4)).toEqual(['replay:end', 'replay:error', 'replay:asyncStart', 'replay:asyncEnd'])
})

test('a node that goes on with what one that is gone has served is no client that comes back', async () => {
  const cluster = new TestCluster(3, wait)
  onTestFinished(() => cluster.close())
  const seen = cluster.nodes.map(({ endpoint }) => record(endpoint, 'takeover', 'replay'))
  const client = await cluster.open(0)
  const readers: TestReader[] = []
  for (const node of [1, 2]) readers.push(await TestReader.open(await cluster.on(node, client).call('wait', {}, node)))
  cluster.kill(0)
  for (const reader of readers) await reader.until(() => reader.ended)
  expect(seen.flatMap(({ of }) => of('takeover')).filter(({ outcome }) => outcome === 'taken')).toHaveLength(1)
  expect(seen.flatMap(({ of }) => of('replay'))).toEqual([])
  // That client does.
  await cluster.on(1, client).get(readers[0]?.events[0]?.id)
  expect(seen.flatMap(({ of }) => of('replay'))).toHaveLength(1)
})

test('a request that another node answers is a forward on one, and a call on the other', async () => {
  const cluster = new TestCluster(2)
  onTestFinished(() => cluster.close())
  const client = await cluster.open(0)
  const [owner, asked] = cluster.nodes.map(({ endpoint }) => record(endpoint, 'request', 'call', 'forward'))
  await cluster.on(1, client).call('ping', {}, 5)
  expect(asked?.of('forward')).toMatchObject([
    { httpMethod: 'POST', outcome: 'answered', owner: expect.any(String), sessionKey: expect.any(String) },
  ])
  expect(asked?.of('request')).toMatchObject([{ status: 200 }])
  expect(asked?.of('call')).toEqual([])
  expect(owner?.of('call')).toMatchObject([{ method: 'ping', requestId: 5, isForwarded: true, outcome: 'result' }])
  expect(owner?.of('request')).toEqual([])
})

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

describe('a question', () => {
  const asking: Handlers = {
    ask: ({ ask }) => ask('sampling/createMessage', { maxTokens: 1 }).then((given) => ({ given: String(given) })),
    apart: ({ ask }) => {
      // Of a call that runs it would be taken for its own.
      setTimeout(() => void ask('roots/list', {}, false), 5)
      return {}
    },
    circular: ({ ask }) => ask('ping', { n: 10n }).then(String, () => ({})),
  }

  async function begin(): Promise<{ client: TestClient; seen: Seen; call(method: string): Promise<TestReader> }> {
    const { endpoint } = start(asking, { response: 'sse' })
    const client = await openSession(endpoint)
    return {
      client,
      seen: record(endpoint, 'question'),
      call: async (method) => TestReader.open(await client.call(method, {}, 'mine')),
    }
  }

  async function questionOn(reader: TestReader): Promise<{ id: string; params?: Record<string, unknown> }> {
    await reader.until(() => reader.messages.length > 0)
    return reader.messages[0] as never
  }

  test('is published until its answer, with the call that it is asked for', async () => {
    const { client, seen, call } = await begin()
    const reader = await call('ask')
    const { id } = await questionOn(reader)
    expect(seen.events).toEqual(['question:start', 'question:end'])
    await client.post({ jsonrpc: '2.0', id, result: {} })
    // Once.
    await client.post({ jsonrpc: '2.0', id, result: {} })
    expect(seen.events).toEqual(['question:start', 'question:end', 'question:asyncStart', 'question:asyncEnd'])
    expect(seen.of('question')).toMatchObject([
      {
        ...{ version: 1, method: 'sampling/createMessage', params: { maxTokens: 1 }, callId: 'mine', requestId: id },
        ...{ protocolVersion: '2025-11-25', sessionKey: expect.any(String), durationMs: expect.any(Number) },
        ...{ outcome: 'result', error: undefined },
      },
    ])
  })

  test('tells how it ended', async () => {
    const { client, seen, call } = await begin()
    const declined = await call('ask')
    const error = { code: -1, message: 'User rejected sampling request' }
    await client.post({ jsonrpc: '2.0', id: (await questionOn(declined)).id, error })
    await declined.until(() => declined.ended)
    const cancelled = await call('ask')
    await questionOn(cancelled)
    await client.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'mine' } })
    await call('circular')
    const listening = await client.read()
    await call('apart')
    await questionOn(listening)
    await client.delete()
    expect(seen.of('question').map(({ outcome, callId, error }) => [outcome, callId, error])).toEqual([
      ['error', 'mine', error],
      ['cancelled', 'mine', { code: -32000, message: 'The call that asked was cancelled' }],
      ['refused', 'mine', expect.any(TypeError)],
      ['abandoned', undefined, undefined],
    ])
    expect(seen.events.filter((event) => event === 'question:asyncEnd')).toHaveLength(4)
  })

  test('that reaches no client is refused', async () => {
    const { endpoint } = start(asking, { response: 'json' })
    const seen = record(endpoint, 'question')
    await (await openSession(endpoint)).call('ask')
    expect(seen.of('question')).toMatchObject([
      { outcome: 'refused', requestId: undefined, error: { message: expect.stringContaining('cannot be asked') } },
    ])
  })

  test.each([
    ['is there', {}, { traceparent, tracestate: 'a=b' }, { traceparent, tracestate: 'a=b' }],
    ['stands beside what the app says', { user: 'u' }, { traceparent }, { user: 'u', traceparent }],
    ['does not take the place of one of the app', { traceparent: 'own' }, { traceparent }, { traceparent: 'own' }],
    ['is left out where it is none', undefined, { traceparent: 'x' }, undefined],
  ])('has the trace context that a subscriber sets: it %s', async (_what, given, traceContext, expected) => {
    const ask: Handlers[string] = ({ ask }) => ask('ping', given && { _meta: given }).then(() => ({}))
    const { endpoint } = start({ ask }, { response: 'sse' })
    const set = (message: TracedMessages['question']) => Object.assign(message, { traceContext })
    onTestFinished(observe(endpoint, { question: { start: set } }))
    const client = await openSession(endpoint)
    const { params } = await questionOn(await TestReader.open(await client.call('ask')))
    expect(params?._meta).toEqual(expected)
  })
})

describe('the trace context of a request that another node answers', () => {
  /** What the owner's messages of a call have, when this was set on the other node. */
  async function heard(given: unknown, onTheWay = (message: string): string => message): Promise<unknown> {
    const cluster = new TestCluster(2)
    onTestFinished(() => cluster.close())
    const { bus } = cluster.database
    const { publish } = bus
    bus.publish = (to, message) => publish.call(bus, to, onTheWay(message))
    const [owner, asked] = cluster.nodes.map(({ endpoint }) => endpoint) as [Endpoint, Endpoint]
    const client = await cluster.open(0)
    const seen = record(owner, 'call')
    onTestFinished(observe(asked, { forward: { start: (message) => Object.assign(message, { traceContext: given }) } }))
    const reply = await cluster.on(1, client).call('ping')
    expect([reply.status, toJson(reply)]).toEqual([200, { jsonrpc: '2.0', id: 1, result: {} }])
    return seen.of('call')[0]?.traceContext
  }

  test('is what a subscriber there has set', async () => {
    const given = { traceparent, tracestate: 'vendor=a,other=b' }
    expect(await heard(given)).toEqual(given)
    expect(await heard({ traceparent })).toEqual({ traceparent })
    expect(await heard(undefined)).toBeUndefined()
  })

  const nonsense: [string, unknown, object?][] = [
    ['is text', traceparent],
    ['is a list', [traceparent]],
    ['has none', {}],
    ['has a number', { traceparent: 7 }],
    ['has no trace', { traceparent: traceparent.replace(/-4.{31}-/, `-${'0'.repeat(32)}-`) }],
    ['has no span', { traceparent: traceparent.replace(/-00f.{13}-/, `-${'0'.repeat(16)}-`) }],
    ['has an impossible version', { traceparent: traceparent.replace(/^00/, 'ff') }],
    ['is too long', { traceparent: `${traceparent}-${'0'.repeat(100_000)}` }],
    ['goes on in a further line', { traceparent: `${traceparent}\n` }],
    ['has a state that is too long', { traceparent, tracestate: `a=${'b'.repeat(511)}` }, { traceparent }],
    ['has a state with line breaks', { traceparent, tracestate: 'a=b\r\nc: d' }, { traceparent }],
    ['has a state that is no text', { traceparent, tracestate: { a: 'b' } }, { traceparent }],
    ['has members of its own', { traceparent, secret: 'x', __proto__: { tracestate: 'a=b' } }, { traceparent }],
  ]

  test.each(nonsense.slice(0, -1))('is left out where what was set %s', async (_what, given, kept) => {
    expect(await heard(given)).toEqual(kept)
  })

  test.each(nonsense)(
    'is left out where what comes by the bus %s, and the call is answered',
    async (_what, given, kept) => {
      const forge = (message: string): string =>
        message.replace(`{"traceparent":"${traceparent}"}`, () => JSON.stringify(given))
      expect(await heard({ traceparent }, forge)).toEqual(kept)
    },
  )

  test('is not sent while nobody observes', async () => {
    const cluster = new TestCluster(2)
    onTestFinished(() => cluster.close())
    const client = await cluster.open(0)
    const sent: string[] = []
    const { bus } = cluster.database
    const { publish } = bus
    bus.publish = (to, message) => {
      sent.push(message)
      return publish.call(bus, to, message)
    }
    await cluster.on(1, client).call('ping')
    expect(sent.filter((message) => message.includes('"type":"ask"'))).toHaveLength(1)
    expect(sent.join()).not.toContain('traceContext')
  })
})

test('a refusal is published with its code, and without secrets', async () => {
  const { endpoint } = start()
  const refused: unknown[] = []
  onTestFinished(observe(endpoint, { refusal: (message) => refused.push(message) }))
  const client = new TestClient(endpoint)
  await client.call('initialize', toInitializeParams(), 1, {
    headers: { origin: 'https://evil.example', 'content-type': 'application/json' },
    url: 'https://mcp.example/mcp?key=secret#top',
  })
  await client.post('{', { headers: { authorization: 'secret' } })
  expect(refused).toMatchObject([
    {
      version: 1,
      code: 'origin_not_allowed',
      status: 403,
      origin: 'https://evil.example',
      path: '/mcp',
      cause: undefined,
    },
    { code: 'parse_error', status: 400, httpMethod: 'POST', host: 'localhost:3000' },
  ])
  expect(JSON.stringify(refused.map((message) => ({ ...(message as object), endpoint: '' })))).not.toContain('secret')
})

test('what the SDK refuses of 2026-07-28 is a refusal as well, with its own words', async () => {
  const { endpoint } = createModernEndpoint()
  const told: unknown[] = []
  const tell = ({ code, status, message }: RefusalMessage) => told.push([code, status, message])
  onTestFinished(observe(endpoint, { refusal: tell }))
  const seen = record(endpoint, 'request')
  const client = new ModernClient(endpoint)
  const named = { headers: { 'mcp-method': 'tools/call' } }
  const unknown = { headers: { 'mcp-protocol-version': '2099-01-01' } }
  const messages = [
    await client.ask('tools/list', {}, named),
    await client.ask('tools/list', { _meta: toMeta('2099-01-01') }, unknown),
    await client.ask('tools/list', { _meta: { ...toMeta(), 'io.modelcontextprotocol/clientCapabilities': 7 } }),
  ].map((reply) => toJson(reply).error?.message)
  expect(told).toEqual([
    ['header_mismatch', 400, messages[0]],
    ['unsupported_version', 400, messages[1]],
    ['invalid_params', 400, messages[2]],
  ])
  expect(seen.of('request').map(({ status, refusal }) => [status, refusal])).toEqual([
    [400, 'header_mismatch'],
    [400, 'unsupported_version'],
    [400, 'invalid_params'],
  ])
})

test('an observer hears of its own endpoint alone, and until it stops', async () => {
  const [one, other] = [start(), start()]
  const heard: string[] = []
  const stop = observe(one.endpoint, { call: { asyncEnd: ({ method }) => heard.push(method) } })
  const clients = await Promise.all([openSession(one.endpoint), openSession(other.endpoint)])
  expect(heard).toEqual(['initialize', 'notifications/initialized'])
  stop()
  for (const client of clients) await client.call('ping')
  expect(heard).toHaveLength(2)
  expect(tracingChannel('throughline.call').asyncEnd.hasSubscribers).toBe(false)
  expect(channel('throughline.refusal').hasSubscribers).toBe(false)
})

test('only an endpoint can be observed', () => {
  expect(() => observe({} as Endpoint, {})).toThrow(/^Expected an endpoint, as createEndpoint returns it/)
})

test('no message has the id of a session', async () => {
  const { endpoint } = start({ tell: ({ notify }) => notify('notifications/message', { data: 1 }).then(() => ({})) })
  const seen = record(endpoint)
  const client = await openSession(endpoint)
  const reader = await TestReader.open(await client.call('tell'))
  await client.get(reader.lastEventId)
  await client.delete()
  const all = names.flatMap((name) => seen.of(name) as TracedMessage[]).map((message) => ({ ...message, endpoint: '' }))
  expect(all.length).toBeGreaterThan(8)
  expect(JSON.stringify(all)).not.toContain(client.sessionId)
})
