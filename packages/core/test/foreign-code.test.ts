import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSession, TestClient, toInitializeParams, toJson } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import { type Handlers, TestServer } from '../../../test-support/in-process/test-server.ts'
import { sleep, waitFor } from '../../../test-support/waiting.ts'
import type { ServerTransport } from '../src/index.ts'

const stray: unknown[] = []
const note = (error: unknown): void => void stray.push(error)
beforeAll(() => void process.on('unhandledRejection', note).on('uncaughtException', note))
afterAll(() => void process.off('unhandledRejection', note).off('uncaughtException', note))

/** A server object of which one callback or method misbehaves. */
class BadServer extends TestServer {
  readonly #spoil: (transport: ServerTransport, server: BadServer) => unknown

  constructor(handlers: Handlers, spoil: (transport: ServerTransport, server: BadServer) => unknown) {
    super(handlers)
    this.#spoil = spoil
  }

  override async connect(transport: never): Promise<void> {
    await super.connect(transport)
    this.#spoil(transport, this)
  }
}

function fail(): never {
  throw new Error('a fault of the server object')
}

const handlers: Handlers = {
  park: ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve({}), { once: true })),
}

test.each([
  ['onmessage throws for what is no request', spoilMessages(fail)],
  ['onmessage rejects for what is no request', spoilMessages(async () => fail())],
  ['onclose throws', (transport: ServerTransport) => Object.assign(transport, { onclose: fail })],
  ['close throws', (_transport: ServerTransport, server: BadServer) => Object.assign(server, { close: fail })],
  [
    'close rejects',
    (_transport: ServerTransport, server: BadServer) => Object.assign(server, { close: async () => fail() }),
  ],
  [
    'close never ends',
    (_transport: ServerTransport, server: BadServer) =>
      Object.assign(server, { close: () => new Promise(() => undefined) }),
  ],
])('%s: it is reported, clients are served, and sessions end', async (what, spoil) => {
  const errors: unknown[] = []
  const { endpoint } = createTestEndpoint(handlers, {
    server: () => new BadServer(handlers, spoil),
    onError: async (error) => {
      errors.push(error)
      // Whoever reports elsewhere may fail there.
      throw new Error('the report failed')
    },
    abandonAfterMs: 50,
    keepAliveMs: 40,
  })
  const client = await openSession(endpoint)
  const parked = await TestReader.open(await client.post({ jsonrpc: '2.0', id: 1, method: 'park' }, sse))
  parked.leave()
  await waitFor(() => endpoint.stats().calls === 0)
  expect(toJson(await client.call('ping')).result).toEqual({})
  expect((await client.delete()).status).toBe(204)
  expect((await client.call('ping')).status).toBe(404)
  await waitFor(() => errors.length > 0 || what === 'close never ends')
  await sleep(20)
  expect(stray).toEqual([])
})

const answered = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'odd', version: '1' } }

test.each<[string, () => unknown]>([
  ['nothing', () => undefined],
  ['a text', () => 'text'],
  ['a list', () => [answered]],
  ['a bigint within', () => ({ ...answered, serverInfo: { name: 'odd', version: 1n } })],
  [
    'an error without a message',
    () => {
      throw {}
    },
  ],
])('initialize that is answered with %s opens no session', async (_what, initialize) => {
  const { endpoint, servers, errors } = createTestEndpoint({ initialize })
  const reply = await new TestClient(endpoint).call('initialize', toInitializeParams())
  expect(reply.status).toBe(500)
  expect(toJson(reply)).toMatchObject({ error: { code: -32603 } })
  expect(reply.headers['mcp-session-id']).toBeUndefined()
  expect(errors).toHaveLength(1)
  expect(endpoint.stats().sessions).toBe(0)
  await waitFor(() => servers.every(({ closed }) => closed))
})

const sse = { headers: { accept: 'text/event-stream' } }

function spoilMessages(misbehave: () => unknown) {
  return (transport: ServerTransport): void => {
    const receive = transport.onmessage as ((message: { id?: unknown }, extra: unknown) => void) | undefined
    transport.onmessage = ((message: { id?: unknown }, extra: unknown) => {
      receive?.(message, extra)
      return message.id === undefined ? misbehave() : undefined
    }) as never
  }
}

test.each([
  ['for a client that reads JSON only', { headers: { accept: 'application/json' } }, true],
  ['on a standalone stream that nobody reads', {}, false],
])('a handler that sends without end %s holds up nobody', async (_where, options, related) => {
  const endless: Handlers = {
    endless: async ({ notify, push }) => {
      let isOver = false
      setTimeout(() => {
        isOver = true
      }, 20)
      while (!isOver) await (related ? notify('notifications/progress') : push('notifications/message'))
      return { done: true }
    },
  }
  // However busy the machine, the answer is no stream.
  const { endpoint } = createTestEndpoint(endless, { upgradeAfterMs: 20_000 })
  const client = await openSession(endpoint)
  expect(toJson(await client.post({ jsonrpc: '2.0', id: 1, method: 'endless' }, options)).result).toEqual({
    done: true,
  })
})

// Up to 2025-11-25 leaving is no cancelling (Sending Messages 6), also where nobody can come back.
test('without sessions a handler hears in the end that its client left, and refused calls leave no server object', async () => {
  let aborted = false
  const waiting: Handlers = {
    park: ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          aborted = true
          resolve({})
        })
      }),
  }
  const { endpoint, servers } = createTestEndpoint(waiting, {
    ...{ sessions: false, maxCallsPerSession: 1, abandonAfterMs: 200 },
  })
  const client = new TestClient(endpoint)
  const reader = await TestReader.open(await client.post({ jsonrpc: '2.0', id: 1, method: 'park' }, sse))
  reader.leave()
  expect(endpoint.stats().detachedCalls).toBe(1)
  expect(aborted).toBe(false)
  await waitFor(() => aborted)
  const batch = [1, 2].map((id) => ({ jsonrpc: '2.0', id, method: 'ping' }))
  const old = { headers: { 'mcp-protocol-version': '2025-03-26' } }
  expect((await client.post(batch, old)).status).toBe(429)
  await waitFor(() => servers.every(({ closed }) => closed))
  const started = Date.now()
  await endpoint.close({ drainMs: 5_000 })
  expect(Date.now() - started).toBeLessThan(4_000)
})

test('where several calls run, a question that names none goes to the standalone stream, or fails at once with a hint', async () => {
  const asking: Handlers = {
    ...handlers,
    ask: async ({ ask }) => ({ answer: String(await ask('roots/list', {}, false)) }),
  }
  const { endpoint } = createTestEndpoint(asking)
  const client = await openSession(endpoint)
  void client.call('park', {}, 1)
  const refused = toJson(await client.call('ask', {}, 2))
  expect(refused.result).toEqual({ answer: expect.stringContaining('relatedRequestId') })
  const standalone = await client.read()
  const asked = client.call('ask', {}, 3)
  await standalone.until(() => standalone.messages.length > 0)
  await client.post({ jsonrpc: '2.0', id: standalone.messages[0]?.id, result: {} })
  await expect(asked).resolves.toMatchObject({ status: 200 })
  await endpoint.close({ drainMs: 0 })
})

test('questions of a session have a bound, and thousands of them end at once with their session', async () => {
  const many: Handlers = {
    many: async ({ ask, signal }) => {
      const answers = Array.from({ length: 1_500 }, () => ask('roots/list'))
      void Promise.all(answers)
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    },
  }
  const { endpoint } = createTestEndpoint(many)
  const client = await openSession(endpoint)
  await client.post({ jsonrpc: '2.0', id: 1, method: 'many' }, sse)
  await waitFor(() => endpoint.stats().questions > 0)
  expect(endpoint.stats().questions).toBe(1_000)
  expect((await client.delete()).status).toBe(204)
  expect(endpoint.stats()).toMatchObject({ questions: 0, calls: 0 })
})
