import { expect, test } from 'vitest'
import { openSession, TestClient, toJson } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import type { HandlerContext, Handlers } from '../../../test-support/in-process/test-server.ts'
import { stopClock } from '../../../test-support/stop-clock.ts'
import { sleep, waitFor } from '../../../test-support/waiting.ts'

interface Probe {
  readonly handlers: Handlers
  readonly aborted: unknown[]
  readonly running: () => number
  /** Sends progress for the call of `late`, which was answered before. */
  readonly sendLate: () => Promise<void>
}

function createProbe(): Probe {
  const aborted: unknown[] = []
  let running = 0
  let sendLate = async (): Promise<void> => {
    throw new Error('Expected a call of `late` before')
  }
  const park = ({ signal, params }: HandlerContext): Promise<unknown> =>
    new Promise((resolve) => {
      running++
      signal.addEventListener('abort', () => {
        running--
        aborted.push(params.name)
        resolve({})
      })
    })
  const handlers: Handlers = {
    park,
    echo: async ({ params }) => {
      await sleep(Number(params.ms ?? 0))
      return { text: params.text }
    },
    ask: async ({ ask }) => ({ answer: String(await ask('elicitation/create', { message: '?' })) }),
    askApart: async ({ ask }) => ({ answer: String(await ask('roots/list', {}, false)) }),
    workApart: async ({ push, params }) => {
      await push('notifications/progress', { progressToken: params.named, progress: 1 })
      await sleep(Number(params.ms ?? 0))
      return {}
    },
    late: ({ notify, params }) => {
      sendLate = () =>
        notify('notifications/progress', { progressToken: 'old', progress: 9, ...(params.more as object) })
      return {}
    },
    circular: () => {
      const result: Record<string, unknown> = {}
      result.self = result
      return result
    },
    nothing: () => undefined,
    text: () => 'text',
    list: () => [1],
    unspoken: () => ({ toJSON: () => undefined }),
    throwsNoText: () => {
      throw { message: 5 }
    },
    poll: async ({ extra, notify }) => {
      await notify('notifications/progress', { progressToken: 1, progress: 1 })
      extra.closeSSEStream?.()
      await sleep(20)
      await notify('notifications/progress', { progressToken: 1, progress: 2 })
      return { polled: true }
    },
    pollAtOnce: async ({ extra }) => {
      extra.closeSSEStream?.()
      await sleep(20)
      return { polled: true }
    },
  }
  return { handlers, aborted, running: () => running, sendLate: () => sendLate() }
}

function cancel(requestId: unknown): unknown {
  return { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId, reason: 'test' } }
}

test.each([12, 200])('%i concurrent calls that all carry id 1 each get their own answer', async (count) => {
  const { endpoint } = createTestEndpoint(createProbe().handlers, { upgradeAfterMs: 10_000 })
  const client = await openSession(endpoint)
  const replies = await Promise.all(
    Array.from({ length: count }, (_, i) => client.call('echo', { text: `own ${i}`, ms: Math.random() * 30 }, 1)),
  )
  expect(replies.map(toJson)).toEqual(replies.map((_, i) => ({ jsonrpc: '2.0', id: 1, result: { text: `own ${i}` } })))
})

test.each([0, '', -1, '0', 'ü', Number.MAX_SAFE_INTEGER])(
  'a call with id %j is answered, polled and cancelled',
  async (id) => {
    const probe = createProbe()
    const { endpoint } = createTestEndpoint(probe.handlers)
    const client = await openSession(endpoint)
    expect(toJson(await client.call('echo', { text: 'x' }, id)).id).toBe(id)

    const first = await TestReader.open(await client.call('poll', {}, id))
    await first.until(() => first.ended)
    const second = await client.read(first.lastEventId)
    await second.until(() => second.ended)
    expect(second.messages.at(-1)).toEqual({ jsonrpc: '2.0', id, result: { polled: true } })

    const parked = client.call('park', { name: 'falsy' }, id)
    await waitFor(() => probe.running() === 1)
    expect((await client.post(cancel(id))).status).toBe(202)
    expect(probe.aborted).toEqual(['falsy'])
    const ended = await TestReader.open(await parked)
    await ended.until(() => ended.ended)
    expect(ended.events).toEqual([])
  },
)

test('a connection that is closed before anything was sent starts with the cursor to come back with', async () => {
  const { endpoint } = createTestEndpoint(createProbe().handlers)
  const client = await openSession(endpoint)
  const first = await TestReader.open(await client.call('pollAtOnce'))
  expect(first.ended).toBe(true)
  expect(first.text).toMatch(/^retry: \d+\n\nid: \S+\ndata: \n\n$/)
  const second = await client.read(first.lastEventId)
  await second.until(() => second.ended)
  expect(second.messages).toEqual([{ jsonrpc: '2.0', id: 1, result: { polled: true } }])
})

test('sessions before 2025-11-25 keep the connection until the answer', async () => {
  const { endpoint } = createTestEndpoint(createProbe().handlers)
  const client = await openSession(endpoint, { version: '2025-06-18' })
  const reader = await TestReader.open(await client.call('poll'))
  await reader.until(() => reader.ended)
  expect(reader.messages).toHaveLength(3)
})

test('cancelling 5 does not cancel "5", nor another session\'s 5, and a repeated id cancels nothing', async () => {
  const probe = createProbe()
  const { endpoint } = createTestEndpoint(probe.handlers)
  const [a, b] = [await openSession(endpoint), await openSession(endpoint)]
  void a.call('park', { name: 'number' }, 5)
  void a.call('park', { name: 'string' }, '5')
  void b.call('park', { name: 'other' }, 5)
  void b.call('park', { name: 'twin' }, 5)
  await waitFor(() => probe.running() === 4)
  await b.post(cancel(5))
  expect(probe.aborted).toEqual([])
  await a.post(cancel('5'))
  expect(probe.aborted).toEqual(['string'])
  for (const id of [99, null, {}, undefined]) expect((await a.post(cancel(id))).status).toBe(202)
  expect(probe.aborted).toEqual(['string'])
})

test('a cancelled call of a client that reads only JSON is finished too', async () => {
  const probe = createProbe()
  const { endpoint } = createTestEndpoint(probe.handlers)
  const client = await openSession(endpoint)
  const parked = client.post({ jsonrpc: '2.0', id: 3, method: 'park' }, { headers: { accept: 'application/json' } })
  await waitFor(() => probe.running() === 1)
  await client.post(cancel(3))
  expect(toJson(await parked)).toMatchObject({ id: 3, error: { message: 'Request cancelled' } })
})

test('what a handler sends after its answer reaches nobody, also when its id is used again', async () => {
  const probe = createProbe()
  const { endpoint } = createTestEndpoint(probe.handlers)
  const client = await openSession(endpoint)
  await client.call('late')
  const next = await TestReader.open(await client.call('ask'))
  await probe.sendLate()
  await client.post({ jsonrpc: '2.0', id: next.messages[0]?.id, result: {} })
  await next.until(() => next.ended)
  expect(next.messages).toMatchObject([{ method: 'elicitation/create' }, { id: 1, result: {} }])
  expect(endpoint.stats().undeliveredMessages).toBe(1)
})

test('what a task sends after the call that began it was answered comes on the standalone stream', async () => {
  const probe = createProbe()
  const { endpoint } = createTestEndpoint(probe.handlers)
  const client = await openSession(endpoint)
  const listening = await TestReader.open(await client.get())
  const _meta = { 'io.modelcontextprotocol/related-task': { taskId: 'one' } }
  await client.call('late', { more: { _meta } })
  await probe.sendLate()
  await listening.until(() => listening.messages.length === 1)
  expect(listening.messages).toMatchObject([
    { method: 'notifications/progress', params: { progressToken: 'old', progress: 9, _meta } },
  ])
  expect(endpoint.stats().undeliveredMessages).toBe(0)
})

test('a result that cannot be JSON becomes an error for its id', async () => {
  const { endpoint, errors } = createTestEndpoint(createProbe().handlers)
  const client = await openSession(endpoint)
  expect(toJson(await client.call('circular', {}, 4))).toMatchObject({ id: 4, error: { code: -32603 } })
  expect(errors).toHaveLength(1)
})

test.each(['nothing', 'text', 'list', 'unspoken', 'throwsNoText'])(
  'what is no answer becomes an error for its id: %s',
  async (handler) => {
    const { endpoint, errors } = createTestEndpoint(createProbe().handlers)
    const client = await openSession(endpoint)
    expect(toJson(await client.call(handler, {}, 4))).toMatchObject({ id: 4, error: { code: -32603 } })
    expect(toJson(await client.call(handler, {}, 5))).toMatchObject({
      error: { message: 'Internal error: the result is no JSON object' },
    })
    expect(errors).toHaveLength(2)
  },
)

test('a question goes out on the stream of its call, under an id of its own, and the answer comes back', async () => {
  const { endpoint } = createTestEndpoint(createProbe().handlers)
  const client = await openSession(endpoint)
  const readers = [
    await TestReader.open(await client.call('ask', {}, 'a')),
    await TestReader.open(await client.call('ask', {}, 'b')),
  ]
  const ids = readers.map(({ messages }) => messages[0]?.id as string)
  expect(new Set(ids).size).toBe(2)
  for (const [i, id] of ids.toReversed().entries()) {
    expect((await client.post({ jsonrpc: '2.0', id, result: { toString: undefined, n: i } })).status).toBe(202)
    // Once more: late or repeated answers do no harm.
    expect((await client.post({ jsonrpc: '2.0', id, error: { code: 1, message: 'again' } })).status).toBe(202)
  }
  for (const reader of readers) {
    await reader.until(() => reader.ended)
    expect(reader.messages).toHaveLength(2)
  }
  expect(endpoint.stats().questions).toBe(0)
})

test('an answer to a question never put is refused, and no other session can answer one', async () => {
  const { endpoint } = createTestEndpoint(createProbe().handlers)
  const [a, b] = [await openSession(endpoint), await openSession(endpoint)]
  const asking = await TestReader.open(await a.call('ask'))
  const id = asking.messages[0]?.id as string
  const answer = { jsonrpc: '2.0', id, result: { stolen: true } }
  expect((await b.post(answer)).status).toBe(400)
  for (const other of ['s1-9', 's1-0', 's2-1', 's1-01', 1, 'never']) {
    expect([other, (await a.post({ ...answer, id: other })).status]).toEqual([other, 400])
  }
  expect(asking.messages).toHaveLength(1)
  expect((await a.post(answer)).status).toBe(202)
  await asking.until(() => asking.ended)
})

test('a question that names no call goes out on the stream of the one call that runs', async () => {
  const { endpoint } = createTestEndpoint(createProbe().handlers)
  const client = await openSession(endpoint)
  const call = await TestReader.open(await client.call('askApart'))
  await call.until(() => call.messages.length > 0)
  expect(call.messages).toMatchObject([{ method: 'roots/list' }])
  await client.post({ jsonrpc: '2.0', id: call.messages[0]?.id, result: {} })
  await call.until(() => call.ended)
  expect(call.messages.at(-1)).toMatchObject({ id: 1, result: {} })
})

test('progress that names no call goes out on the stream of the call whose token it has', async () => {
  const { endpoint } = createTestEndpoint(createProbe().handlers)
  const client = await openSession(endpoint)
  const callWith = (progressToken: unknown, id: number) =>
    client.call('workApart', { _meta: { progressToken }, named: progressToken, ms: 20 }, id)
  const calls = await Promise.all([callWith('a', 1), callWith(0, 2)])
  const readers = await Promise.all(calls.map((call) => TestReader.open(call)))
  for (const reader of readers) await reader.until(() => reader.ended)
  expect(readers.map(({ messages }) => messages)).toMatchObject([
    [
      { method: 'notifications/progress', params: { progressToken: 'a' } },
      { id: 1, result: {} },
    ],
    [
      { method: 'notifications/progress', params: { progressToken: 0 } },
      { id: 2, result: {} },
    ],
  ])
})

test.each([
  ['of a token that no call has', [{ _meta: { progressToken: 'a' }, named: 'b' }]],
  [
    'of a token that two calls have',
    [{ _meta: { progressToken: 'a' }, named: 'a' }, { _meta: { progressToken: 'a' } }],
  ],
  ['without a token', [{}]],
])('progress %s goes to who listens', async (_, [first, ...others]) => {
  const { endpoint } = createTestEndpoint(createProbe().handlers)
  const client = await openSession(endpoint)
  const listener = await client.read()
  for (const params of others) void client.call('park', params, 2)
  expect(toJson(await client.call('workApart', first, 1))).toMatchObject({ id: 1, result: {} })
  await listener.until(() => listener.messages.length > 0)
  expect(listener.messages).toMatchObject([{ method: 'notifications/progress' }])
})

test('without sessions progress that names no call reaches its client', async () => {
  const { endpoint } = createTestEndpoint(createProbe().handlers, { sessions: false })
  const params = { _meta: { progressToken: 7 }, named: 7 }
  const reader = await TestReader.open(await new TestClient(endpoint).call('workApart', params))
  await reader.until(() => reader.ended)
  expect(reader.messages).toMatchObject([{ method: 'notifications/progress' }, { id: 1, result: {} }])
})

test.each([
  ['json mode', { response: 'json' as const }, 'application/json, text/event-stream'],
  ['a client that reads only JSON', {}, 'application/json'],
])('with %s a question fails at once', async (_, options, accept) => {
  const { endpoint } = createTestEndpoint(createProbe().handlers, options)
  const client = await openSession(endpoint)
  const reply = await client.post({ jsonrpc: '2.0', id: 1, method: 'ask' }, { headers: { accept } })
  expect(toJson(reply).result).toEqual({ answer: expect.stringContaining('cannot be asked') })
})

test('cancelling a call withdraws its question', async () => {
  const { endpoint } = createTestEndpoint(createProbe().handlers)
  const client = await openSession(endpoint)
  const asking = await TestReader.open(await client.call('ask', {}, 8))
  const id = asking.messages[0]?.id
  await client.post(cancel(8))
  await asking.until(() => asking.ended)
  expect(asking.messages.slice(1)).toMatchObject([{ method: 'notifications/cancelled', params: { requestId: id } }])
  expect(endpoint.stats()).toMatchObject({ calls: 0, questions: 0 })
})

test('a call whose client left runs on, and is cancelled when nobody comes back', async () => {
  const clock = stopClock()
  const probe = createProbe()
  const { endpoint } = createTestEndpoint(probe.handlers, { abandonAfterMs: 40, response: 'sse' })
  const client = await openSession(endpoint)
  const reader = await TestReader.open(await client.call('park', { name: 'abandoned' }, 2))
  reader.leave()
  await clock.pass(39)
  expect(probe.aborted).toEqual([])
  await clock.pass(2)
  expect(probe.aborted).toEqual(['abandoned'])
  const again = await client.read(reader.lastEventId)
  expect(again.ended).toBe(true)
  expect(again.messages).toMatchObject([{ id: 2, error: { message: 'Nobody was connected to read the answer' } }])
  expect(endpoint.stats()).toMatchObject({ calls: 0, detachedCalls: 0, connections: 0 })
})

test('a client that leaves before it was sent anything leaves nothing behind', async () => {
  const probe = createProbe()
  const { endpoint } = createTestEndpoint(probe.handlers, { abandonAfterMs: 200 })
  const client = await openSession(endpoint)
  const request = client.request('POST', { body: { jsonrpc: '2.0', id: 1, method: 'park', params: { name: 'left' } } })
  void endpoint.handle(request)
  await waitFor(() => probe.running() === 1)
  request.leave()
  expect(endpoint.stats().detachedCalls).toBe(1)
  await waitFor(() => probe.aborted.length === 1)
  expect(endpoint.stats()).toMatchObject({ calls: 0, detachedCalls: 0, streams: 1 })
})

test('a client that comes back in time keeps its call', async () => {
  const clock = stopClock()
  const probe = createProbe()
  const { endpoint } = createTestEndpoint(probe.handlers, { abandonAfterMs: 40, response: 'sse' })
  const client = await openSession(endpoint)
  let reader = await TestReader.open(await client.call('park', { name: 'kept' }))
  for (let i = 0; i < 3; i++) {
    reader.leave()
    await clock.pass(30)
    reader = await client.read(reader.lastEventId)
    await clock.pass(30)
  }
  expect(probe.aborted).toEqual([])
  reader.leave()
  await clock.pass(41)
  expect(probe.aborted).toEqual(['kept'])
})

test('one call more than allowed is refused with 429, and the others go on', async () => {
  const probe = createProbe()
  const { endpoint } = createTestEndpoint(probe.handlers, { maxCallsPerSession: 2 })
  const client = await openSession(endpoint)
  void client.call('park', { name: 1 })
  void client.call('park', { name: 2 })
  await waitFor(() => probe.running() === 2)
  const reply = await client.call('ping', {}, 'third')
  expect(reply).toMatchObject({ status: 429, headers: { 'retry-after': '1' } })
  expect(toJson(reply).id).toBe('third')
  expect(probe.aborted).toEqual([])
})

test('a batch of 2025-03-26 is answered as one: an array, or a stream that ends with the last answer', async () => {
  const { endpoint } = createTestEndpoint(createProbe().handlers, { upgradeAfterMs: 50 })
  const client = await openSession(endpoint, { version: '2025-03-26' })
  const echo = (id: unknown, ms: number) => ({ jsonrpc: '2.0', id, method: 'echo', params: { text: id, ms } })
  const quick = await client.post([echo('a', 5), { jsonrpc: '2.0', method: 'notifications/x' }, echo('b', 0)])
  expect((toJson(quick) as unknown as { id: string }[]).map(({ id }) => id).toSorted()).toEqual(['a', 'b'])
  const slow = await TestReader.open(await client.post([echo('a', 120), echo('b', 0)]))
  await slow.until(() => slow.ended)
  expect(slow.messages.map(({ id }) => id)).toEqual(['b', 'a'])
  expect((await client.post([{ jsonrpc: '2.0', method: 'notifications/x' }])).status).toBe(202)
  for (const bad of [
    [],
    [echo(1, 0), 1],
    [echo(1, 0), echo(1, 0)],
    Array(101)
      .fill(0)
      .map((_, i) => echo(i, 0)),
  ]) {
    expect((await client.post(bad)).status).toBe(400)
  }
  const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} }
  expect((await client.post([initialize])).status).toBe(400)
  expect((await (await openSession(endpoint)).post([echo(1, 0)])).status).toBe(400)
})

test('without sessions every request has a server object of its own, which is closed', async () => {
  const probe = createProbe()
  const { endpoint, servers } = createTestEndpoint(probe.handlers, { sessions: false })
  const client = await openSession(endpoint)
  expect(client.sessionId).toBe('')
  expect(toJson(await client.call('echo', { text: 'x' })).result).toEqual({ text: 'x' })
  expect(toJson(await client.call('ask')).result).toEqual({ answer: expect.stringContaining('cannot be asked') })
  const streamed = await TestReader.open(await client.call('poll'))
  await streamed.until(() => streamed.ended)
  expect(streamed.messages).toHaveLength(3)
  expect(streamed.text).not.toContain('id:')
  for (const method of ['GET', 'DELETE']) {
    expect(await endpoint.handle(client.request(method))).toMatchObject({ status: 405, headers: { allow: 'POST' } })
  }
  expect(servers).toHaveLength(4)
  await waitFor(() => servers.every(({ closed }) => closed))
  expect(endpoint.stats()).toMatchObject({ sessions: 0, connections: 0, calls: 0 })
})
