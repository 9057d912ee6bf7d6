import { expect, onTestFinished, test, vi } from 'vitest'
import { toJson } from '../../../test-support/in-process/test-client.ts'
import { TestCluster, testLeaseMs } from '../../../test-support/in-process/test-cluster.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import { TestRequest } from '../../../test-support/in-process/test-request.ts'
import { type Handlers, TestServer } from '../../../test-support/in-process/test-server.ts'
import { deferred, sleep, waitFor, within } from '../../../test-support/waiting.ts'
import { type BodySink, type EndpointOptions, Rejection, sessionKey } from '../src/index.ts'

// What is rare between nodes, each by itself.

function createCluster(count: number, handlers: Handlers = {}, options: Partial<EndpointOptions> = {}): TestCluster {
  const cluster = new TestCluster(count, handlers, options)
  onTestFinished(() => cluster.close())
  return cluster
}

const park = (): Promise<never> => new Promise(() => undefined)

test('a client whose node takes its session over counts as connected there, until it leaves', async () => {
  const cluster = createCluster(2, {}, { hibernateAfterMs: 300 })
  const client = await cluster.open(0)
  const key = await sessionKey(client.sessionId)
  const reader = await cluster.on(1, client).read()
  cluster.kill(0)
  const { endpoint } = cluster.node(1)
  await waitFor(() => endpoint.stats().sessions === 1)
  await sleep(600)
  expect(reader.ended).toBe(false)
  expect((await endpoint.sessions.get(key))?.activity).toMatchObject({ connections: 1 })
  reader.leave()
  await waitFor(() => endpoint.stats().sessions === 0)
})

const updated = { jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'a://b' } }

test('a client that reads on another node hears of what it has subscribed to since, when the owner dies', async () => {
  const cluster = createCluster(2)
  const client = await cluster.open(0)
  const there = cluster.on(1, client)
  const reader = await there.read()
  await there.call('resources/subscribe', { uri: 'a://b' })
  cluster.kill(0)
  await reader.until(() => reader.messages.some(({ method }) => method === 'notifications/tools/list_changed'))
  await reader.until(() => reader.messages.length === 3)
  expect(reader.messages).toContainEqual(updated)
})

test('a client that comes back by another node hears of what it has subscribed to since, when events are gone', async () => {
  const cluster = createCluster(2, {
    push: async ({ push, params }) => {
      for (let i = 0; i < Number(params.count); i++) await push('notifications/message', { data: i })
      return {}
    },
  })
  const client = await cluster.open(0)
  const there = cluster.on(1, client)
  const reader = await there.read()
  await there.call('resources/subscribe', { uri: 'a://b' })
  await client.call('push', { count: 1 })
  await reader.until(() => reader.messages.length === 1)
  reader.leave()
  await client.call('push', { count: 10_100 })
  await waitFor(() => cluster.node(0).endpoint.stats().calls === 0)
  const again = await there.read(reader.lastEventId)
  await again.until(() => again.messages.length > 3)
  expect(again.reply.headers).toMatchObject({ 'mcp-resume': 'gap' })
  expect(again.messages).toContainEqual(updated)
})

test('a session that is handed over while a body comes in takes the request all the same', async () => {
  const cluster = createCluster(2, { park })
  const [busy, client] = [await cluster.open(0), await cluster.open(0)]
  void busy.call('park', {}, 5)
  await sleep(20)
  const request = client.request('POST', { body: { jsonrpc: '2.0', id: 1, method: 'ping' } })
  const slow = Object.assign(request, {
    readBody: (sink: BodySink) => void setTimeout(() => TestRequest.prototype.readBody.call(request, sink), 250),
  })
  const answering = cluster.node(0).endpoint.handle(slow)
  const closing = cluster.node(0).endpoint.close({ drainMs: 1_000 })
  expect((await answering).status).toBe(200)
  await closing
})

test('a refusal with any header that HTTP allows comes through', async () => {
  let refuses = false
  const headers = { 'Retry-After': '7', 'x-why': 'n\u00e9ant' }
  const server = (): TestServer => {
    if (refuses) throw new Rejection('too_many_sessions', { headers })
    return new TestServer()
  }
  const cluster = createCluster(2, {}, { server, hibernateAfterMs: 100, leaseMs: 8_000 })
  const client = await cluster.open(0)
  expect((await cluster.on(1, client).call('ping')).status).toBe(200)
  await waitFor(() => cluster.node(0).endpoint.stats().sessions === 0)
  refuses = true
  const reply = await within(3_000, cluster.on(1, client).call('ping'))
  expect(reply.status).toBe(503)
  expect(reply.headers).toMatchObject(headers)
})

test('a request that has no JSON is refused, and nothing of it is left', async () => {
  const cluster = createCluster(2)
  const extra = { iss: 'i', sub: 'alice', tenantId: 1n }
  const client = await cluster.open(0, { auth: { token: 't', clientId: 'c', scopes: [], extra } })
  const { endpoint, errors } = cluster.node(1)
  expect((await cluster.on(1, client).call('ping')).status).toBe(500)
  expect(errors).toMatchObject([{ message: expect.stringContaining('BigInt') }])
  const since = performance.now()
  await endpoint.close({ drainMs: 4_000 })
  expect(performance.now() - since).toBeLessThan(2_000)
})

const waitForAbort: Handlers = {
  park: ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(isAborted(signal)))),
}
const aborted = new Set<AbortSignal>()
const isAborted = (signal: AbortSignal): object => aborted.add(signal)

test.each([
  ['before it is asked', 0, false],
  ['and the word of it is lost', 100, true],
])(
  'a call that is answered in JSON is abandoned when its client has left another node %s',
  async (_when, ms, isLost) => {
    aborted.clear()
    const cluster = createCluster(2, waitForAbort, { response: 'json', abandonAfterMs: 200 })
    const client = await cluster.open(0)
    const { link, endpoint } = cluster.node(1)
    let lost = 0
    link.loses = (message) => isLost && message.includes('"left"') && lost++ === 0
    const request = client.request('POST', { body: { jsonrpc: '2.0', id: 1, method: 'park' } })
    const answering = endpoint.handle(request)
    if (ms > 0) await sleep(ms)
    request.leave()
    await waitFor(() => aborted.size === 1)
    await answering
  },
)

test('a node that closes does not ask to try again what runs on another', async () => {
  const cluster = createCluster(2, { park }, { response: 'json' })
  const client = await cluster.open(0)
  const parked = cluster.on(1, client).call('park', {}, 5)
  await sleep(100)
  await cluster.node(1).endpoint.close({ drainMs: 50 })
  const reply = await parked
  expect(reply.status).toBe(200)
  expect(toJson(reply)).toMatchObject({ id: 5, error: { code: -32000 } })
})

test('a node that has closed refuses at once, also what it would ask another', async () => {
  const cluster = createCluster(2)
  const client = await cluster.open(0)
  const there = cluster.on(1, client)
  expect((await there.call('ping')).status).toBe(200)
  await cluster.node(1).endpoint.close({ drainMs: 50 })
  const reply = await within(2_000, there.call('ping'))
  expect(reply.status).toBe(503)
  expect(reply.body).toContain('shutting down')
})

test('a session that its node has no room for lives on another that has', async () => {
  const cluster = createCluster(2, { park }, { maxSessions: 1, hibernateAfterMs: 100, leaseMs: 8_000 })
  const [client, known] = [await cluster.open(0), await cluster.open(1)]
  const idle = (): boolean => cluster.nodes.every(({ endpoint }) => endpoint.stats().sessions === 0)
  await waitFor(idle)
  const busy = await cluster.open(0)
  void busy.call('park', {}, 5)
  await sleep(20)
  expect((await client.call('ping')).status).toBe(503)
  expect((await cluster.on(1, client).call('ping')).status).toBe(200)
  await waitFor(() => cluster.node(1).endpoint.stats().sessions === 0)
  // Also where the other remembers whose it was.
  expect((await known.call('ping')).status).toBe(200)
})

test('a session whose server object one node cannot build lives on another that can', async () => {
  let fails = false
  const server = (): TestServer => {
    if (fails) throw new Error('no connection to the tenant')
    return new TestServer()
  }
  const cluster = createCluster(2, {}, { server, hibernateAfterMs: 100, leaseMs: 8_000 })
  const client = await cluster.open(0)
  const there = cluster.on(1, client)
  expect((await there.call('ping')).status).toBe(200)
  await waitFor(() => cluster.node(0).endpoint.stats().sessions === 0)
  fails = true
  expect((await client.call('ping')).status).toBe(500)
  expect((await there.call('ping')).status).toBe(500)
  fails = false
  expect((await there.call('ping')).status).toBe(200)
  expect(cluster.node(1).endpoint.stats().sessions).toBe(1)
})

test('a session that a closing node brings to life once more is reached from others meanwhile', async () => {
  let delayMs = 0
  const server = async (): Promise<TestServer> => {
    await sleep(delayMs)
    return new TestServer({ park })
  }
  const cluster = createCluster(2, {}, { server })
  const [busy, client] = [await cluster.open(0), await cluster.open(0)]
  expect((await cluster.on(1, client).call('ping')).status).toBe(200)
  void busy.call('park', {}, 5)
  await sleep(20)
  delayMs = 300
  const closing = cluster.node(0).endpoint.close({ drainMs: 1_500 })
  await waitFor(() => cluster.node(0).endpoint.stats().sessions === 1)
  const here = client.call('ping', {}, 2)
  await sleep(100)
  expect((await cluster.on(1, client).call('ping', {}, 3)).status).toBe(200)
  expect((await here).status).toBe(200)
  await closing
})

test('a session that a closing node could not hand over is handed over when another asks for it', async () => {
  const cluster = createCluster(2, { park })
  const [busy, client] = [await cluster.open(0), await cluster.open(0)]
  void busy.call('park', {}, 5)
  await sleep(20)
  const { sessions } = cluster.node(0).link.backplane
  const { update } = sessions
  // It is tried twice.
  let fails = 2
  sessions.update = async (...given) => {
    if (given[2].owner === '' && fails-- > 0) throw new Error('no connection')
    return update(...given)
  }
  const closing = cluster.node(0).endpoint.close({ drainMs: 1_500 })
  await waitFor(() => cluster.node(0).endpoint.stats().sessions === 1 && fails === 0)
  expect((await cluster.on(1, client).call('ping', {}, 3)).status).toBe(200)
  expect(cluster.node(1).endpoint.stats().sessions).toBe(1)
  await closing
})

test('a session is reached from others while its closing node waits for server objects to close', async () => {
  class SlowServer extends TestServer {
    override async close(): Promise<void> {
      await sleep(1_500)
      await super.close()
    }
  }
  const cluster = createCluster(2, {}, { server: () => new SlowServer({ park }) })
  const client = await cluster.open(0)
  void client.call('park', {}, 5)
  await sleep(20)
  let isClosed = false
  const closing = cluster.node(0).endpoint.close({ drainMs: 50 })
  void closing.then(() => {
    isClosed = true
  })
  await sleep(300)
  expect((await cluster.on(1, client).call('ping')).status).toBe(200)
  expect(isClosed).toBe(false)
  await closing
})

test('a closing node hands no session over before the log has what it was sent', async () => {
  const cluster = createCluster(2, {
    push: async ({ push }) => {
      await push('notifications/message', { data: 1 })
      await push('notifications/message', { data: 2 })
      return {}
    },
  })
  const client = await cluster.open(0)
  const { events } = cluster.node(0).link.backplane
  const { append } = events
  events.append = async (...given) => {
    await sleep(100)
    return append(...given)
  }
  expect((await client.call('push')).status).toBe(200)
  const closing = cluster.node(0).endpoint.close({ drainMs: 2_000 })
  await sleep(20)
  const there = cluster.on(1, client)
  const reader = await there.read()
  await closing
  await sleep(100)
  const readers = reader.ended ? [reader, await there.read(reader.lastEventId)] : [reader]
  const pushed = (): unknown[] =>
    readers.flatMap(({ messages }) => messages).filter(({ method }) => method === 'notifications/message')
  await waitFor(() => pushed().length === 2)
})

test('a session that is ended while it comes to life is over', async () => {
  let delayMs = 0
  const server = async (): Promise<TestServer> => {
    await sleep(delayMs)
    return new TestServer()
  }
  const cluster = createCluster(2, {}, { server })
  const client = await cluster.open(0)
  const there = cluster.on(1, client)
  cluster.kill(0)
  await sleep(testLeaseMs + 100)
  delayMs = 300
  const asked = there.call('ping')
  await sleep(100)
  const { endpoint } = cluster.node(1)
  expect(await endpoint.sessions.end(await sessionKey(client.sessionId))).toBe(true)
  expect((await asked).status).toBe(404)
  expect((await there.call('ping')).status).toBe(404)
  expect(endpoint.stats().sessions).toBe(0)
})

test('a session that is ended where the bus fails leaves no events', async () => {
  const cluster = createCluster(2, { push: ({ push }) => push('notifications/message', { data: 1 }) })
  const client = await cluster.open(0)
  const reader = await client.read()
  await client.call('push')
  await reader.until(() => reader.messages.length === 1)
  const key = await sessionKey(client.sessionId)
  const { events } = cluster.database
  expect(await events.read(key, 'g', 0, 10)).toBeDefined()
  const { link, endpoint } = cluster.node(1)
  vi.spyOn(link.backplane.bus, 'publish').mockRejectedValue(new Error('away'))
  await expect(endpoint.sessions.end(key)).rejects.toThrow('away')
  expect(await events.read(key, 'g', 0, 10)).toBeUndefined()
  expect(await endpoint.sessions.get(key)).toBeUndefined()
})

test('a session that was ended while the bus was away ends when it is back', async () => {
  const cluster = createCluster(2)
  const [client, other] = [await cluster.open(0), await cluster.open(0)]
  const reader = await client.read()
  const { link, endpoint } = cluster.node(0)
  link.loses = () => true
  expect(await cluster.node(1).endpoint.sessions.end(await sessionKey(client.sessionId))).toBe(true)
  await sleep(20)
  link.loses = () => false
  for (const missed of link.missed) missed()
  await reader.until(() => reader.ended)
  await waitFor(() => endpoint.stats().sessions === 1)
  expect((await client.call('ping')).status).toBe(404)
  expect((await other.call('ping')).status).toBe(200)
})

test('a call that is answered in JSON is abandoned when the node that asked for it has not heard that it runs', async () => {
  aborted.clear()
  const cluster = createCluster(2, waitForAbort, { response: 'json', abandonAfterMs: 200 })
  const client = await cluster.open(0)
  cluster.node(0).link.loses = (message) => message.includes('"taken"')
  expect((await cluster.on(1, client).call('park', {}, 5)).status).toBe(503)
  await waitFor(() => aborted.size === 1)
}, 15_000)

test('a session that lives nowhere is ended though it could not live', async () => {
  let fails = false
  const server = (): TestServer => {
    if (fails) throw new Error('no connection to the tenant')
    return new TestServer({ park, push: ({ push }) => push('notifications/message') })
  }
  const cluster = createCluster(2, {}, { server, maxSessions: 2, hibernateAfterMs: 100, leaseMs: 8_000 })
  const [one, other] = [await cluster.open(0), await cluster.open(0)]
  await one.call('push')
  await cluster.on(1, other).call('ping')
  await waitFor(() => cluster.node(0).endpoint.stats().sessions === 0)
  for (const busy of [await cluster.open(0), await cluster.open(0)]) void busy.call('park', {}, 5)
  await sleep(20)
  fails = true
  expect((await one.delete()).status).toBe(204)
  expect((await cluster.on(1, other).delete()).status).toBe(204)
  expect((await one.call('ping')).status).toBe(404)
  expect((await cluster.on(1, other).call('ping')).status).toBe(404)
  expect(cluster.database.events.stats().sessions).toBe(0)
})

test('a session is ended whose owner stood still, and is back before the store hears of the end', async () => {
  const cluster = createCluster(2)
  const client = await cluster.open(0)
  const [goesOn, isBack] = [deferred(), deferred()]
  const { link } = cluster.node(0)
  link.held = goesOn.promise
  await sleep(testLeaseMs + 100)
  const { sessions } = cluster.database
  const [takeOver, remove] = [sessions.takeOver.bind(sessions), sessions.delete.bind(sessions)]
  const slow = vi
    .spyOn(sessions, 'takeOver')
    .mockImplementation((...given) => isBack.promise.then(() => takeOver(...given)))
  const slowDelete = vi
    .spyOn(sessions, 'delete')
    .mockImplementation((...given) => isBack.promise.then(() => remove(...given)))
  const ending = cluster.on(1, client).delete()
  await waitFor(() => slow.mock.calls.length + slowDelete.mock.calls.length > 0)
  link.held = undefined
  goesOn.resolve()
  expect((await client.call('ping')).status).toBe(200)
  isBack.resolve()
  expect((await ending).status).toBe(204)
  expect((await client.call('ping')).status).toBe(404)
})

test.each([0, 1])('what a client does not read of its session keeps few connections open, of node %i', async (node) => {
  const data = 'x'.repeat(100_000)
  const big: Handlers = {
    big: async ({ notify }) => {
      for (let i = 0; i < 3; i++) await notify('notifications/message', { data })
      return {}
    },
  }
  const cluster = createCluster(2, big, { response: 'sse' })
  const client = await cluster.open(0)
  const ids: string[] = []
  for (let i = 0; i < 40; i++) {
    const reader = await TestReader.open(await client.call('big', {}, i))
    await reader.until(() => reader.ended)
    ids.push(reader.blocks[0]?.id ?? '')
  }
  const there = cluster.on(node, client)
  for (const id of ids) await TestReader.open(await there.get(id), true)
  expect(cluster.node(node).endpoint.stats().connections).toBe(32)
})

/** Closes by itself after a time. */
class ClosingServer extends TestServer {
  static afterMs: number | undefined

  override async connect(transport: never): Promise<void> {
    await super.connect(transport)
    const { afterMs } = ClosingServer
    if (afterMs !== undefined) setTimeout(() => void this.close(), afterMs)
  }
}

test('a server object that closes while its session comes to life leaves none', async () => {
  ClosingServer.afterMs = undefined
  let delayMs = 0
  const server = (): TestServer => new ClosingServer({ 'resources/subscribe': () => sleep(delayMs).then(() => ({})) })
  const cluster = createCluster(1, {}, { server, hibernateAfterMs: 100 })
  const client = await cluster.open(0)
  await client.call('resources/subscribe', { uri: 'a://b' })
  const { endpoint } = cluster.node(0)
  await waitFor(() => endpoint.stats().sessions === 0)
  ClosingServer.afterMs = 50
  delayMs = 200
  expect((await client.call('ping')).status).toBe(404)
  expect(endpoint.stats().sessions).toBe(0)
})

test('a server object that closes while its session is stored leaves none', async () => {
  ClosingServer.afterMs = 50
  const cluster = createCluster(1, {}, { server: () => new ClosingServer() })
  const { endpoint, link } = cluster.node(0)
  const { create } = link.backplane.sessions
  link.backplane.sessions.create = async (...given) => {
    await sleep(200)
    return create(...given)
  }
  await expect(cluster.open(0)).rejects.toThrow('500')
  expect(endpoint.stats().sessions).toBe(0)
  for await (const { key } of cluster.database.sessions.list()) expect(key).toBe('gone')
})

test('a session that is ended while it is opened is over', async () => {
  const cluster = createCluster(2)
  const { sessions } = cluster.node(0).link.backplane
  const { create } = sessions
  const stored = deferred()
  sessions.create = async (...given) => {
    const created = await create(...given)
    stored.resolve()
    await sleep(100)
    return created
  }
  const opening = cluster.open(0, { initialized: false })
  await stored.promise
  const { endpoint } = cluster.node(1)
  for await (const { key } of endpoint.sessions.list()) expect(await endpoint.sessions.end(key)).toBe(true)
  expect((await (await opening).call('ping')).status).toBe(404)
  expect(cluster.node(0).endpoint.stats().sessions).toBe(0)
})

test('a notification that the bus has lost is made up for when it is back, on every node', async () => {
  const cluster = createCluster(2)
  const [client, away] = [await cluster.open(0), await cluster.open(0)]
  const relayed = await cluster.open(0)
  const readers = [await client.read(), await cluster.on(1, relayed).read()]
  const { link } = cluster.node(0)
  link.loses = () => true
  await cluster.node(1).endpoint.notify({ method: 'notifications/tools/list_changed' })
  await sleep(20)
  link.loses = () => false
  for (const missed of link.missed) missed()
  await sleep(20)
  readers.push(await away.read())
  const changed = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' }
  for (const reader of readers) {
    await reader.until(() => reader.messages.length > 0)
    expect(reader.messages).toContainEqual(changed)
  }
})

test('what the bus has lost is made up for a few clients at a time, and for those left when the node drains', async () => {
  const cluster = createCluster(2)
  const clients = await Promise.all(Array.from({ length: 70 }, () => cluster.open(0)))
  const readers = await Promise.all(clients.map((client) => client.read()))
  const told = (least: number): number => readers.filter(({ messages }) => messages.length >= least).length
  const { endpoint, link } = cluster.node(0)
  const tellMissed = (): void => link.missed.forEach((missed) => void missed())
  tellMissed()
  await waitFor(() => told(1) > 0)
  expect(told(1)).toBeLessThan(70)
  await waitFor(() => told(1) === 70)
  const once = readers[0]?.messages.length ?? 0
  tellMissed()
  const closing = endpoint.close({ drainMs: 1_000 })
  await waitFor(() => told(2 * once) === 70)
  await closing
})

test('a call that is answered in JSON is abandoned when the node that asked for it has been silent for long', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  aborted.clear()
  const cluster = createCluster(2, waitForAbort, { response: 'json', abandonAfterMs: 200 })
  const client = await cluster.open(0)
  void cluster.on(1, client).call('park', {}, 5)
  await sleep(100)
  cluster.kill(1)
  for (let seconds = 0; seconds < 60 && aborted.size === 0; seconds += 5) {
    vi.advanceTimersByTime(5_000)
    await sleep(20)
    if (seconds < 40) expect(aborted.size).toBe(0)
  }
  expect(aborted.size).toBe(1)
})
