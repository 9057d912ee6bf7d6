import { McpServer as McpServer1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { McpServer as McpServer2 } from '@modelcontextprotocol/server'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { openSession, TestClient, toInitializeParams, toJson } from '../../../test-support/in-process/test-client.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import { type HandlerContext, type Handlers, TestServer } from '../../../test-support/in-process/test-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { type AuthInfo, createEndpoint, type Endpoint, type EndpointOptions, sharedServer } from '../src/index.ts'

const endpoints: Endpoint[] = []

afterEach(async () => {
  await Promise.all(endpoints.splice(0).map((endpoint) => endpoint.close({ drainMs: 0 })))
})

/** An endpoint whose sessions share a test server, once the first is open. */
function sharing(handlers: Handlers = {}, options: Partial<EndpointOptions> = {}) {
  const servers: TestServer[] = []
  const errors: unknown[] = []
  const server = sharedServer(() => {
    const built = new TestServer(handlers)
    servers.push(built)
    return built
  })
  const endpoint = createEndpoint({ server, onError: (error) => errors.push(error), ...options })
  endpoints.push(endpoint)
  return { endpoint, servers, errors }
}

const sse = { headers: { accept: 'text/event-stream, application/json;q=0.1' } }

async function callAsStream(client: TestClient, method: string, id: string | number = 1): Promise<TestReader> {
  return TestReader.open(await client.call(method, {}, id, sse))
}

async function openAs(endpoint: Endpoint, params: Record<string, unknown>): Promise<TestClient> {
  const client = new TestClient(endpoint)
  const reply = await client.call('initialize', { ...toInitializeParams(), ...params })
  client.sessionId = reply.headers['mcp-session-id'] ?? ''
  await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' })
  return client
}

const input = z.object({ text: z.string() })

const sdks = {
  'SDK 1.x': () => {
    const server = new McpServer1({ name: 'shared', version: '1' }, { capabilities: { logging: {} } })
    server.registerTool('who', { inputSchema: input }, async ({ text }, extra) => {
      await extra.sendNotification({ method: 'notifications/message', params: { level: 'info', data: text } })
      const said = `${text} ${extra.sessionId} ${extra.authInfo?.token}`
      return { content: [{ type: 'text', text: said }] }
    })
    server.registerTool('name', { inputSchema: input }, async (_args, { requestId: relatedRequestId }) => {
      const params = { message: 'Name?', requestedSchema: { type: 'object' as const, properties: {} } }
      const { content } = await server.server.elicitInput(params, { relatedRequestId })
      return { content: [{ type: 'text', text: String(content?.name) }] }
    })
    return server
  },
  'SDK 2.x': () => {
    const server = new McpServer2({ name: 'shared', version: '1' }, { capabilities: { logging: {} } })
    server.registerTool('who', { inputSchema: input }, async ({ text }, { mcpReq, sessionId, http }) => {
      await mcpReq.notify({ method: 'notifications/message', params: { level: 'info', data: text } })
      return { content: [{ type: 'text', text: `${text} ${sessionId} ${http?.authInfo?.token}` }] }
    })
    server.registerTool('name', { inputSchema: input }, async (_args, { mcpReq }) => {
      const params = { message: 'Name?', requestedSchema: { type: 'object' as const, properties: {} } }
      const { content } = await mcpReq.elicitInput(params, { relatedRequestId: mcpReq.id })
      return { content: [{ type: 'text', text: String(content?.name) }] }
    })
    return server
  },
}

describe.each(Object.entries(sdks))('with %s', (_name, create) => {
  function shareReal() {
    let built = 0
    const server = sharedServer(() => {
      built++
      return create()
    })
    const endpoint = createEndpoint({ server, onError: () => undefined })
    endpoints.push(endpoint)
    return { endpoint, built: () => built }
  }

  test('sessions share an object, and each call knows its own session and sender', async () => {
    const { endpoint, built } = shareReal()
    const clients: TestClient[] = []
    for (const token of ['a', 'b', 'c']) {
      const auth: AuthInfo = { token, clientId: token, scopes: [] }
      clients.push(await openSession(endpoint, { auth }))
    }
    const call = { name: 'who', arguments: { text: 'hi' } }
    const readers = await Promise.all(
      clients.map(async (client) => TestReader.open(await client.call('tools/call', call, 1, sse))),
    )
    for (const [i, reader] of readers.entries()) {
      await reader.until(() => reader.ended)
      const { sessionId, auth } = clients[i] as TestClient
      expect(reader.messages).toMatchObject([
        { method: 'notifications/message', params: { data: 'hi' } },
        { id: 1, result: { content: [{ text: `hi ${sessionId} ${auth?.token}` }] } },
      ])
    }
    expect(toJson(await (clients[1] as TestClient).call('tools/list'))).toMatchObject({
      result: { tools: [{ name: 'who' }, { name: 'name' }] },
    })
    expect(built()).toBe(1)
  })

  test('clients that are asked at the same time each answer for themselves', async () => {
    const { endpoint, built } = shareReal()
    const asked = await Promise.all([0, 1].map(() => openAs(endpoint, { capabilities: { elicitation: { form: {} } } })))
    asked.push(await openAs(endpoint, { capabilities: { elicitation: { form: {} } } }))
    const call = { name: 'name', arguments: { text: '' } }
    const readers = await Promise.all(
      asked.map(async (client) => TestReader.open(await client.call('tools/call', call, 7, sse))),
    )
    for (const [i, client] of asked.entries()) {
      const reader = readers[i] as TestReader
      await reader.until(() => reader.messages.length === 1)
      expect(reader.messages[0]).toMatchObject({ method: 'elicitation/create' })
      await client.post({
        jsonrpc: '2.0',
        id: reader.messages[0]?.id,
        result: { action: 'accept', content: { name: `client ${i}` } },
      })
    }
    for (const [i, reader] of readers.entries()) {
      await reader.until(() => reader.ended)
      expect(reader.messages.at(-1)).toMatchObject({ id: 7, result: { content: [{ text: `client ${i}` }] } })
    }
    expect(built()).toBe(2)
  })

  test('a client that lacks a capability is not asked, whatever others have', async () => {
    const { endpoint } = shareReal()
    await openAs(endpoint, { capabilities: { elicitation: { form: {} } } })
    const without = await openSession(endpoint)
    const answer = toJson(await without.call('tools/call', { name: 'name', arguments: { text: '' } }))
    expect(answer).toMatchObject({ result: { isError: true } })
  })
})

test('what a handler sends after its answer reaches nobody', async () => {
  const late = deferred()
  let sent: Promise<void> | undefined
  const handlers: Handlers = {
    leave: ({ notify }) => {
      sent = late.promise.then(() => notify('notifications/message', { secret: true }))
      return {}
    },
    park: async ({ notify }) => {
      await notify('notifications/message', { own: true })
      return new Promise(() => undefined)
    },
  }
  const { endpoint, servers } = sharing(handlers)
  const [a, b] = [await openSession(endpoint), await openSession(endpoint)]
  await a.call('leave')
  // Sessions number their requests alike: this one takes the place of the other.
  const reader = await callAsStream(b, 'park')
  const standalone = await b.read()
  late.resolve()
  await sent
  await b.call('ping', {}, 2)
  expect(servers).toHaveLength(1)
  expect(reader.messages).toMatchObject([{ params: { own: true } }])
  expect(standalone.messages).toEqual([])
})

test('what names no request rejects and reaches nobody, a question too', async () => {
  const failures: unknown[] = []
  const handlers: Handlers = {
    push: async ({ push, ask }) => {
      await push('notifications/message', { secret: true }).catch((error: unknown) => failures.push(error))
      await ask('roots/list', {}, false).catch((error: unknown) => failures.push(error))
      return {}
    },
  }
  const { endpoint } = sharing(handlers)
  const [a, b] = [await openSession(endpoint), await openSession(endpoint)]
  const standalones = [await a.read(), await b.read()]
  await a.call('push')
  await new Promise(setImmediate)
  for (const { messages } of standalones) expect(messages).toEqual([])
  expect(failures).toMatchObject([
    { message: expect.stringContaining('notifications/message') },
    { message: expect.stringContaining('roots/list') },
  ])
})

test('a changed list is told to every session, a changed resource to its subscribers', async () => {
  const handlers: Handlers = {
    change: async ({ push }) => {
      await push('notifications/tools/list_changed')
      await push('notifications/resources/updated', { uri: 'a:1' })
      return {}
    },
    refuse: () => {
      throw new Error('no')
    },
  }
  const { endpoint } = sharing({ ...handlers, 'resources/subscribe': ({ params }) => params.refused || {} })
  const clients = [await openSession(endpoint), await openSession(endpoint), await openSession(endpoint)] as const
  const standalones = await Promise.all(clients.map((client) => client.read()))
  await clients[0].call('resources/subscribe', { uri: 'a:1' })
  await clients[1].call('resources/subscribe', { uri: 'a:2' })
  await clients[2].call('resources/subscribe', { uri: 'a:1' })
  await clients[2].call('resources/unsubscribe', { uri: 'a:1' })
  await clients[1].call('change')
  const list = { method: 'notifications/tools/list_changed' }
  for (const reader of standalones) await reader.until(() => reader.messages.length > 0)
  expect(standalones[0]?.messages).toMatchObject([list, { method: 'notifications/resources/updated' }])
  expect(standalones.slice(1).map(({ messages }) => messages)).toMatchObject([[list], [list]])
})

/** Two sessions, each with a call that runs until it is cancelled. */
async function twoThatHold(before: (context: HandlerContext) => unknown = () => undefined) {
  const stopped: string[] = []
  const handlers: Handlers = {
    hold: async (context) => {
      void before(context)
      await new Promise((resolve) => context.signal.addEventListener('abort', resolve))
      stopped.push('stopped')
    },
  }
  const { endpoint, servers } = sharing(handlers)
  const [a, b] = [await openSession(endpoint), await openSession(endpoint)]
  const readers = [await callAsStream(a, 'hold'), await callAsStream(b, 'hold')] as const
  return { endpoint, servers, a, b, readers, stopped }
}

test('a client cancels its own call and no other, though both have the same id', async () => {
  const { a, readers, stopped } = await twoThatHold()
  await a.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } })
  expect(stopped).toHaveLength(1)
  expect(readers[0].ended).toBe(true)
  expect(readers[1].ended).toBe(false)
})

test('the end of a session stops its calls and no others, and answers what they asked', async () => {
  const answers: unknown[] = []
  const { endpoint, servers, a, b, readers, stopped } = await twoThatHold(async ({ ask }) => {
    answers.push(await ask('roots/list'))
  })
  await a.delete()
  expect(stopped).toHaveLength(1)
  expect(answers).toMatchObject([expect.any(Error)])
  expect(readers[1].ended).toBe(false)
  expect(servers).toMatchObject([{ closed: false }])
  await b.delete()
  expect(stopped).toHaveLength(2)
  expect(endpoint.stats()).toMatchObject({ sessions: 0, calls: 0, questions: 0 })
})

test('a handshake that takes too long is stopped, and holds nothing', async () => {
  let opened = 0
  let stopped = 0
  const initialize = async ({ params, signal }: HandlerContext) => {
    if (++opened > 1) await new Promise((resolve) => signal.addEventListener('abort', resolve))
    if (signal.aborted) stopped++
    return { protocolVersion: params.protocolVersion, capabilities: {}, serverInfo: { name: 'test', version: '1' } }
  }
  const { endpoint, servers } = sharing({ initialize }, { initializeTimeoutMs: 50 })
  const first = await openSession(endpoint)
  const late = await new TestClient(endpoint).call('initialize', toInitializeParams())
  expect(late.status).toBe(500)
  expect(stopped).toBe(1)
  expect(toJson(await first.call('ping'))).toMatchObject({ result: {} })
  expect(servers).toHaveLength(1)
})

test('a client cannot move on the question that another was asked', async () => {
  const { servers, a, b, readers } = await twoThatHold(({ ask }) => ask('roots/list'))
  const token = readers.map(({ messages }) => messages[0]?.id)
  expect(token).toEqual([expect.anything(), expect.anything()])
  const progress = { jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1 } }
  const received = () => servers[0]?.received.filter((method) => method === progress.method).length
  // The server object's own ids: it counts from 0.
  await b.post({ ...progress, params: { progressToken: 0, progress: 1 } })
  expect(received()).toBe(0)
  await a.post({ ...progress, params: { progressToken: 0, progress: 1 } })
  expect(received()).toBe(1)
})

test('clients that say other things of themselves have other objects', async () => {
  const { endpoint, servers } = sharing()
  const clients = [
    {},
    { protocolVersion: '2025-06-18' },
    { capabilities: { roots: {} } },
    { clientInfo: { name: 'b', version: '1' } },
  ]
  for (const params of [...clients, ...clients]) await openAs(endpoint, params)
  expect(servers).toHaveLength(clients.length)
})

test('an object that declares tasks is not shared', async () => {
  const initialize = ({ params }: HandlerContext) => ({
    protocolVersion: params.protocolVersion,
    capabilities: { tasks: {} },
    serverInfo: { name: 'test', version: '1' },
  })
  const { endpoint, servers } = sharing({ initialize })
  const clients = [await openSession(endpoint), await openSession(endpoint)]
  expect(servers).toHaveLength(2)
  await clients[0]?.delete()
  await new Promise(setImmediate)
  expect(servers.map(({ closed }) => closed)).toEqual([true, false])
})

test('16 objects are kept that no session uses, and those in use besides', async () => {
  const { endpoint, servers } = sharing()
  const open = (i: number) => openAs(endpoint, { clientInfo: { name: `client ${i}`, version: '1' } })
  const first = await open(0)
  for (let i = 1; i <= 20; i++) await (await open(i)).delete()
  await new Promise(setImmediate)
  // The first is shared no more, but in use.
  expect(servers.map(({ closed }) => closed)).toEqual([false, ...Array(4).fill(true), ...Array(16).fill(false)])
  expect(toJson(await first.call('ping'))).toMatchObject({ result: {} })
  await first.delete()
  await new Promise(setImmediate)
  expect(servers[0]?.closed).toBe(true)
})

test('an object is renewed after 1,000 sessions, and is closed with the last of them', async () => {
  const { endpoint, servers } = sharing()
  const last = await openSession(endpoint)
  for (let i = 1; i < 1_000; i++) await (await openSession(endpoint)).delete()
  expect(servers).toHaveLength(1)
  await openSession(endpoint)
  expect(servers).toMatchObject([{ closed: false }, { closed: false }])
  await last.delete()
  await new Promise(setImmediate)
  expect(servers).toMatchObject([{ closed: true }, { closed: false }])
})

test('a handler cannot close the object of others', async () => {
  const { endpoint, servers, errors } = sharing({
    close: async () => {
      await servers[0]?.close()
    },
  })
  const [a, b] = [await openSession(endpoint), await openSession(endpoint)]
  expect(toJson(await a.call('close'))).toMatchObject({ error: { message: expect.stringContaining('share') } })
  expect(toJson(await a.call('ping'))).toMatchObject({ result: {} })
  expect(toJson(await b.call('ping'))).toMatchObject({ result: {} })
  expect(errors).toEqual([])
})

test('a session that hibernated comes back to the same object', async () => {
  const { endpoint, servers } = sharing({}, { hibernateAfterMs: 20 })
  const client = await openSession(endpoint)
  while (endpoint.stats().sessions > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(toJson(await client.call('ping'))).toMatchObject({ id: 1, result: {} })
  expect(servers).toHaveLength(1)
})

test('without sessions each request has an object of its own', async () => {
  const { endpoint, servers } = sharing({}, { sessions: false })
  const client = new TestClient(endpoint)
  for (let i = 0; i < 2; i++) expect(toJson(await client.call('ping'))).toMatchObject({ result: {} })
  expect(servers).toHaveLength(2)
})
