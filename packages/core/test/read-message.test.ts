import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openSession, TestClient, toInitializeParams, toJson } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'

const call = { jsonrpc: '2.0', id: 1, method: 'ping' }
const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

test.each<[string, unknown, number, number | string | undefined]>([
  ['no JSON', '{"jsonrpc":', -32700, undefined],
  ['a trailing comma', '{"jsonrpc":"2.0",}', -32700, undefined],
  ['two objects', '{}{}', -32700, undefined],
  ['nothing', '', -32700, undefined],
  [
    'invalid UTF-8',
    Uint8Array.from([...Buffer.from('{"jsonrpc":"2.0","id":1,"method":"pi'), 0xff, ...Buffer.from('ng"}')]),
    -32700,
    undefined,
  ],
  ['UTF-16', Buffer.from(JSON.stringify(call), 'utf16le'), -32700, undefined],
  ['null', null, -32600, undefined],
  ['a number', 5, -32600, undefined],
  ['a string', '"x"', -32600, undefined],
  ['an empty batch', [], -32600, undefined],
  ['a depth of 20,000', `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${deep(20_000)}}}`, -32600, undefined],
  ['a depth of 100,000 without anything else', deep(100_000), -32600, undefined],
  ['jsonrpc 1.0', { ...call, jsonrpc: '1.0' }, -32600, 1],
  ['jsonrpc 2', { ...call, jsonrpc: 2 }, -32600, 1],
  ['no jsonrpc', { id: 1, method: 'ping' }, -32600, 1],
  ['id null', { ...call, id: null }, -32600, undefined],
  ['a fractional id', { ...call, id: 1.5 }, -32600, undefined],
  ['an id that JSON rounds', '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}', -32600, undefined],
  ['a boolean id', { ...call, id: true }, -32600, undefined],
  ['an id of 257 characters', { ...call, id: 'x'.repeat(257) }, -32600, undefined],
  ['an object id', { ...call, id: {} }, -32600, undefined],
  ['a method that is no string', { ...call, method: 7 }, -32600, 1],
  ['a method and a result', { ...call, result: {} }, -32600, 1],
  ['neither method nor result', { jsonrpc: '2.0', id: 1 }, -32600, undefined],
  ['result and error', { jsonrpc: '2.0', id: 1, result: {}, error: { code: 1, message: '' } }, -32600, undefined],
  ['a response without id', { jsonrpc: '2.0', result: {} }, -32600, undefined],
  ['a result that is no object', { jsonrpc: '2.0', id: 's1-1', result: 5 }, -32600, undefined],
  ['an error without code', { jsonrpc: '2.0', id: 's1-1', error: {} }, -32600, undefined],
  ['params that are an array', { ...call, params: [] }, -32602, 1],
  ['_meta that is no object', { ...call, params: { _meta: 1 } }, -32602, 1],
  ['a progress token that is an object', { ...call, params: { _meta: { progressToken: {} } } }, -32602, 1],
])('%s is refused with 400 and a JSON-RPC error', async (_, body, code, id) => {
  const { endpoint, errors, servers } = createTestEndpoint()
  const client = await openSession(endpoint)
  const heard = servers[0]?.received.length
  const reply = await client.post(body)
  expect(reply).toMatchObject({
    status: 400,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  })
  const { error, ...rest } = toJson(reply) as { error: { code: number; message: string }; id?: unknown }
  expect(error.code).toBe(code)
  expect(error.message.length).toBeLessThan(120)
  expect(rest).toEqual(id === undefined ? { jsonrpc: '2.0' } : { jsonrpc: '2.0', id })
  expect(servers[0]?.received).toHaveLength(heard ?? -1)
  expect((await client.call('ping')).status).toBe(200)
  expect(errors).toEqual([])
})

test('params that are null count as absent, also where a parser has read them', async () => {
  const { endpoint, servers } = createTestEndpoint({ tell: ({ params }) => ({ params }) })
  const client = await openSession(endpoint)
  const message = { jsonrpc: '2.0', id: 1, method: 'tell', params: null }
  // A server object that checks what it gets would drop a message with null.
  expect(toJson(await client.post(message)).result).toEqual({ params: {} })
  expect(toJson(await client.post('', { parsedBody: message })).result).toEqual({ params: {} })
  expect(message.params).toBeNull()
  const note = { jsonrpc: '2.0', method: 'notifications/roots/list_changed', params: null }
  expect((await client.post(note)).status).toBe(202)
  expect(servers[0]?.received.at(-1)).toBe('notifications/roots/list_changed')
})

test('members that JSON-RPC does not know are left out, duplicate and hostile keys do no harm', async () => {
  const { endpoint } = createTestEndpoint({ echo: ({ params }) => ({ params }) })
  const client = await openSession(endpoint)
  expect((await client.post({ ...call, foo: 1, meta: {} })).status).toBe(200)
  const hostile =
    '{"jsonrpc":"2.0","id":0,"id":4,"method":"x","method":"echo","params":{"__proto__":{"polluted":1},"constructor":1}}'
  expect(toJson(await client.post(hostile)).id).toBe(4)
  expect(({} as { polluted?: number }).polluted).toBeUndefined()
  expect((await client.post(`\ufeff${JSON.stringify(call)}`)).status).toBe(200)
})

test('no body whatever causes a 5xx', { retry: 0 }, async () => {
  const { endpoint, errors } = createTestEndpoint()
  const client = await openSession(endpoint)
  const member = fc.oneof(
    fc.constant(undefined),
    fc.jsonValue(),
    fc.constantFrom('2.0', 'ping', 1, 'initialize', 'notifications/cancelled'),
  )
  const message = fc.record(
    {
      jsonrpc: fc.oneof(fc.constant('2.0'), member),
      id: member,
      method: member,
      params: member,
      result: member,
      error: member,
    },
    { requiredKeys: [] },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(message, fc.jsonValue(), fc.array(message, { maxLength: 3 }), fc.string(), fc.uint8Array()),
      async (body) => {
        const { status } = await client.post(body ?? null)
        expect(status).toBeLessThan(500)
      },
    ),
    { numRuns: 1_000 },
  )
  expect(errors).toEqual([])
})

test('only initialize may come without a session, and a batch with it never', async () => {
  const { endpoint } = createTestEndpoint()
  const client = new TestClient(endpoint)
  const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: toInitializeParams() }
  for (const body of [
    call,
    { jsonrpc: '2.0', method: 'notifications/initialized' },
    { jsonrpc: '2.0', id: 1, result: {} },
    [initialize, call],
  ]) {
    expect((await client.post(body)).status).toBe(400)
  }
  expect(endpoint.stats().sessions).toBe(0)
})

test('a body that was read before, as text or bytes, is held to the same limit', async () => {
  const { endpoint } = createTestEndpoint({}, { maxBodyBytes: 200 })
  const client = await openSession(endpoint)
  const post = (parsedBody: unknown) => client.post(undefined, { parsedBody })
  expect((await post(JSON.stringify(call))).status).toBe(200)
  expect((await post(new TextEncoder().encode(JSON.stringify(call)))).status).toBe(200)
  expect((await post(JSON.stringify({ ...call, params: { filler: 'x'.repeat(200) } }))).status).toBe(413)
  expect((await post(new Uint8Array(201))).status).toBe(413)
})
