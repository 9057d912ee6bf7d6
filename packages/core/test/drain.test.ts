import { expect, test } from 'vitest'
import { openSession, TestClient, toInitializeParams, toJson } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import { TestServer } from '../../../test-support/in-process/test-server.ts'
import { sleep, waitFor } from '../../../test-support/waiting.ts'

test('close with 50 calls in flight: none hangs, what can finish finishes, the rest gets an error at the deadline', async () => {
  const { endpoint, servers } = createTestEndpoint({
    wait: ({ params }) => sleep(Number(params.ms)).then(() => ({ waited: true })),
  })
  const clients = [await openSession(endpoint), await openSession(endpoint)]
  const calls = Array.from({ length: 50 }, (_, i) =>
    (clients[i % 2] as TestClient).call('wait', { ms: i < 25 ? 200 + i : 60_000 }, i).then(async (reply) => {
      if (typeof reply.body === 'string') return toJson(reply)
      const reader = await TestReader.open(reply)
      await reader.until(() => reader.ended)
      return reader.messages[0]
    }),
  )
  const standalone = await (clients[0] as TestClient).read()
  await waitFor(() => endpoint.stats().calls === 50)

  const started = Date.now()
  const closing = endpoint.close({ drainMs: 600 })
  // Official clients that lose this stream while the server refuses everything never listen again.
  expect(standalone.ended).toBe(false)
  const refused = await new TestClient(endpoint).call('initialize', toInitializeParams())
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': expect.any(String) } })
  expect((await (clients[0] as TestClient).call('ping')).status).toBe(503)
  // One that lost it already, as to a proxy, is kept for as long, and told the same.
  const reconnected = await (clients[1] as TestClient).read()
  expect(reconnected.ended).toBe(false)
  await closing
  expect(Date.now() - started).toBeLessThan(1_500)
  for (const { ended, text } of [standalone, reconnected]) {
    expect(ended).toBe(true)
    expect(text).toMatch(/retry: (?:[5-9]\d{3}|10000)\n\n$/)
  }

  const answers = await Promise.all(calls)
  expect(answers.slice(0, 25)).toEqual(
    answers.slice(0, 25).map((_, id) => ({ jsonrpc: '2.0', id, result: { waited: true } })),
  )
  for (const [i, answer] of answers.slice(25).entries()) {
    expect(answer).toMatchObject({ id: i + 25, error: { message: 'The server is shutting down' } })
  }
  expect(servers.every(({ closed }) => closed)).toBe(true)
  expect(endpoint.stats()).toMatchObject({ sessions: 0, calls: 0, connections: 0 })
  expect(endpoint.closing).toBe(true)
})

test('while draining, a question can be answered and both streams resumed', async () => {
  const { endpoint } = createTestEndpoint({ ask: async ({ ask }) => ({ got: await ask('roots/list') }) })
  const client = await openSession(endpoint)
  const first = await TestReader.open(await client.call('ask'))
  first.leave()
  const standalone = await client.read()
  const closing = endpoint.close({ drainMs: 5_000 })
  const listening = await client.read(standalone.lastEventId)
  const again = await client.read(first.lastEventId)
  await client.post({ jsonrpc: '2.0', id: first.messages[0]?.id, result: { roots: [] } })
  await again.until(() => again.ended)
  expect(again.messages).toMatchObject([{ result: { got: { roots: [] } } }])
  await closing
  expect(listening.ended).toBe(true)
  expect(listening.text).toMatch(/retry: \d+\n\n$/)
})

test('closing an endpoint that holds nothing takes no time, and closing twice is closing once', async () => {
  const { endpoint } = createTestEndpoint()
  await openSession(endpoint)
  const started = Date.now()
  await Promise.all([endpoint.close(), endpoint.close({ drainMs: 5 })])
  expect(Date.now() - started).toBeLessThan(500)
})

test.each([Number.NaN, '10s', 10_000n, -1, 1.5, null])('drainMs %s is refused, and ends nothing', async (drainMs) => {
  const { endpoint } = createTestEndpoint()
  const client = await openSession(endpoint)
  await expect(endpoint.close({ drainMs: drainMs as number })).rejects.toThrow(
    /^Expected drainMs to be a whole number from 0 to 2147483647, got /,
  )
  await expect(endpoint.close({ drain: 5 } as object)).rejects.toThrow('Unknown option: drain (known are drainMs)')
  expect(endpoint.closing).toBe(false)
  expect((await client.call('ping')).status).toBe(200)
  await endpoint.close({ drainMs: 0 })
})

test('a request that comes after the end builds no server object', async () => {
  const { endpoint, servers } = createTestEndpoint()
  const client = await openSession(endpoint)
  await endpoint.close({ drainMs: 0 })
  expect((await client.call('ping')).status).toBe(503)
  expect((await client.get()).status).toBe(503)
  expect(servers).toHaveLength(1)
  expect(endpoint.stats().sessions).toBe(0)
})

test('a session that is being opened when the endpoint closes is not left behind', async () => {
  const build: (() => void)[] = []
  const server = new TestServer()
  const { endpoint } = createTestEndpoint(
    {},
    { server: () => new Promise((resolve) => build.push(() => resolve(server))) },
  )
  const opening = new TestClient(endpoint).call('initialize', toInitializeParams())
  await waitFor(() => build.length === 1)
  await endpoint.close({ drainMs: 0 })
  build[0]?.()
  expect((await opening).status).toBe(503)
  expect(server.closed).toBe(true)
  expect(endpoint.stats().sessions).toBe(0)
})

test('a session whose handshake ends after the endpoint has closed is not left behind, nor told 404 for its body', async () => {
  let answer: () => void = () => undefined
  const { endpoint } = createTestEndpoint({
    initialize: async () => {
      await new Promise<void>((resolve) => {
        answer = resolve
      })
      return { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'late', version: '1' } }
    },
  })
  const opening = new TestClient(endpoint).call('initialize', toInitializeParams())
  await sleep(20)
  await endpoint.close({ drainMs: 0 })
  answer()
  expect((await opening).status).toBe(503)
  expect(endpoint.stats().sessions).toBe(0)

  const other = createTestEndpoint()
  const client = await openSession(other.endpoint)
  const request = client.request('POST', { body: { jsonrpc: '2.0', id: 1, method: 'ping' } })
  let send: () => void = () => undefined
  const { readBody } = request
  request.readBody = (sink) => {
    send = () => readBody.call(request, sink)
  }
  const posting = other.endpoint.handle(request)
  await sleep(20)
  await other.endpoint.close({ drainMs: 0 })
  send()
  expect((await posting).status).toBe(503)
})
