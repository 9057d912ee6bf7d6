import { type InMemoryServerEventBus, inputRequired } from '@modelcontextprotocol/server'
import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { openSession, toJson } from '../../../test-support/in-process/test-client.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import { sleep, waitFor } from '../../../test-support/waiting.ts'
import {
  type Backplane,
  createMemoryBackplane,
  createServerEventBus,
  type EndpointOptions,
  type HttpReply,
  type MessageBus,
  type ServerEvent,
} from '../src/index.ts'
import { createModernEndpoint, createServer, ModernClient, type Register, toMeta } from './modern-client.ts'

const toolsChanged = { method: 'notifications/tools/list_changed' }
const idKey = 'io.modelcontextprotocol/subscriptionId'

/** A tool that waits until its call is cancelled, or until it is let go. */
function parking(): { register: Register; aborted: () => boolean; release: () => void; running: () => boolean } {
  let [isAborted, isRunning, release] = [false, false, (): void => undefined]
  const register: Register = (server) => {
    server.registerTool('park', { description: 'Waits.' }, async ({ mcpReq }) => {
      isRunning = true
      await new Promise<void>((resolve) => {
        release = resolve
        mcpReq.signal.addEventListener('abort', () => {
          isAborted = true
          resolve()
        })
      })
      return { content: [{ type: 'text', text: 'released' }] }
    })
  }
  return { register, aborted: () => isAborted, release: () => release(), running: () => isRunning }
}

async function open(client: ModernClient, filter: Record<string, unknown>, paused = false): Promise<TestReader> {
  const reply = await client.listen(filter)
  expect(reply.status).toBe(200)
  return TestReader.open(reply, paused)
}

const sse = { headers: { accept: 'text/event-stream' } }
const callPark = (client: ModernClient, options = {}): Promise<HttpReply> =>
  client.ask('tools/call', { name: 'park', arguments: {} }, options)

describe('a client that leaves has cancelled its call, at once', () => {
  test('while it reads the stream', async () => {
    const { register, aborted, running } = parking()
    const { endpoint } = createModernEndpoint(register, { upgradeAfterMs: 0 })
    const reader = await TestReader.open(await callPark(new ModernClient(endpoint), sse))
    await waitFor(running)
    expect(aborted()).toBe(false)
    reader.leave()
    await waitFor(aborted, 500)
    await waitFor(() => endpoint.stats().calls === 0)
    expect(endpoint.stats()).toMatchObject({ connections: 0, detachedCalls: 0, log: { sessions: 0, events: 0 } })
  })

  test('before it was sent anything', async () => {
    const { register, aborted, running } = parking()
    const { endpoint } = createModernEndpoint(register)
    const client = new ModernClient(endpoint)
    const params = { name: 'park', arguments: {}, _meta: toMeta() }
    const request = client.request('POST', {
      body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params },
      headers: {
        ...{ 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'park' },
        accept: 'application/json',
      },
    })
    const replying = endpoint.handle(request)
    await waitFor(running)
    request.leave()
    await waitFor(aborted, 500)
    await replying
    expect(endpoint.stats().calls).toBe(0)
  })

  test.each(['application/json', 'text/event-stream', 'application/json, text/event-stream'])(
    'while its server object is being built, so that no tool runs: one that accepts %s',
    async (accept) => {
      const { register, running } = parking()
      let build: () => void = () => undefined
      const building = new Promise<void>((resolve) => {
        build = resolve
      })
      const server = vi.fn(async () => {
        await building
        return createServer(register)
      })
      const { endpoint, errors } = createModernEndpoint(undefined, { server })
      const request = new ModernClient(endpoint).request('POST', {
        body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'park', arguments: {}, _meta: toMeta() } },
        headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'park', accept },
      })
      const replying = endpoint.handle(request)
      await waitFor(() => server.mock.calls.length === 1)
      request.leave()
      build()
      await replying
      await waitFor(() => endpoint.stats().calls === 0)
      expect(running()).toBe(false)
      expect(errors).toEqual([])
    },
  )
})

test('on drain each open call gets an error, and each subscription its result, after the calls', async () => {
  const { register, running } = parking()
  const { endpoint } = createModernEndpoint(register)
  const client = new ModernClient(endpoint)
  const subscription = await open(client, { toolsListChanged: true })
  const call = callPark(client, { headers: { accept: 'application/json' } })
  await waitFor(running)
  await endpoint.notify(toolsChanged)
  await endpoint.close({ drainMs: 100 })
  expect(toJson(await call)).toMatchObject({ id: 2, error: { code: -32000 } })
  expect(subscription.ended).toBe(true)
  expect(subscription.messages.map(({ method }) => method)).toEqual([
    'notifications/subscriptions/acknowledged',
    'notifications/tools/list_changed',
    undefined,
  ])
  expect(subscription.messages.at(-1)).toMatchObject({
    id: 1,
    result: {
      resultType: 'complete',
      _meta: { [idKey]: 1, 'io.modelcontextprotocol/serverInfo': { name: 'modern' } },
    },
  })
  const late = await client.ask('tools/list')
  expect([late.status, late.headers['retry-after']]).toEqual([503, expect.stringMatching(/^\d$/)])
})

test.each(['2025', '2026'])('on drain the streams of no call are there as long as a call of %s runs', async (era) => {
  const { register, release, running } = parking()
  const { endpoint } = createModernEndpoint(register)
  const client = new ModernClient(endpoint)
  const subscription = await open(client, { toolsListChanged: true })
  const session = await openSession(endpoint)
  const standalone = await session.read()
  const json = { headers: { accept: 'application/json' } }
  const call =
    era === '2026' ? callPark(client, json) : session.call('tools/call', { name: 'park', arguments: {} }, 7, json)
  await waitFor(running)
  const closing = endpoint.close({ drainMs: 5_000 })
  await sleep(100)
  expect([subscription.ended, standalone.ended]).toEqual([false, false])
  release()
  expect(toJson(await call)).toMatchObject({ result: {} })
  await closing
  expect([subscription.ended, standalone.ended]).toEqual([true, true])
})

describe('subscriptions', () => {
  test('hear of what they asked for, under their own ids, and sessions hear it too', async () => {
    const { endpoint } = createModernEndpoint()
    const client = new ModernClient(endpoint)
    const tools = await open(client, { toolsListChanged: true })
    const uris = await open(client, { resourceSubscriptions: ['test://a', 'test://b'] })
    const session = await openSession(endpoint)
    const standalone = await session.read()
    await endpoint.notify(toolsChanged)
    await endpoint.notify({
      method: 'notifications/resources/updated',
      params: { uri: 'test://b', _meta: { note: 1 } },
    })
    await endpoint.notify({ method: 'notifications/resources/updated', params: { uri: 'test://c' } })
    await endpoint.notify({ method: 'notifications/message', params: { level: 'info', data: 'no change' } })
    await uris.until(() => uris.messages.length === 2)
    expect(tools.messages.slice(1)).toEqual([{ jsonrpc: '2.0', ...toolsChanged, params: { _meta: { [idKey]: 1 } } }])
    expect(uris.messages.slice(1)).toEqual([
      {
        jsonrpc: '2.0',
        method: 'notifications/resources/updated',
        params: { uri: 'test://b', _meta: { note: 1, [idKey]: 2 } },
      },
    ])
    expect(standalone.messages).toHaveLength(4)
  })

  test('of what one session is told nobody else hears', async () => {
    const { endpoint } = createModernEndpoint()
    const subscription = await open(new ModernClient(endpoint), { toolsListChanged: true })
    await endpoint.notify(toolsChanged, { sessionKey: 'somebody' })
    await endpoint.notify({ method: 'notifications/prompts/list_changed' })
    await endpoint.close()
    expect(subscription.messages.map(({ method }) => method)).toEqual([
      'notifications/subscriptions/acknowledged',
      undefined,
    ])
  })

  test('of a burst hear twice at most, and of its last change for certain', async () => {
    const { endpoint } = createModernEndpoint()
    const client = new ModernClient(endpoint)
    const streams = await Promise.all([1, 2, 3].map(() => open(client, { toolsListChanged: true })))
    for (let round = 1; round <= 1_000; round++) await endpoint.notify({ ...toolsChanged, params: { round } })
    for (const stream of streams) {
      const rounds = () => stream.messages.slice(1).map(({ params }) => params?.round)
      await stream.until(() => rounds().at(-1) === 1_000)
      expect(rounds().length).toBeLessThanOrEqual(2)
    }
  })

  test('of a burst over many turns hear twice as well, and of one without end every second', async () => {
    const { endpoint } = createModernEndpoint()
    const stream = await open(new ModernClient(endpoint), { toolsListChanged: true })
    const told = () => stream.messages.length - 1
    for (let round = 1; round <= 60; round++) {
      await endpoint.notify({ ...toolsChanged, params: { round } })
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await stream.until(() => stream.messages.at(-1)?.params?.round === 60)
    expect(told()).toBe(2)
    let isOver = false
    const endless = (async () => {
      while (!isOver) {
        await endpoint.notify(toolsChanged)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    })()
    await stream.until(() => told() >= 4)
    isOver = true
    await endless
  })

  test('that do not read cost what they have not heard of, each change once', async () => {
    const { endpoint } = createModernEndpoint()
    const uris = Array.from({ length: 500 }, (_, index) => `test://${'x'.repeat(200)}/${index}`)
    const stream = await open(new ModernClient(endpoint), { resourceSubscriptions: uris }, true)
    const acknowledged = stream.text.length
    for (let round = 0; round < 3; round++) {
      for (const uri of uris)
        await endpoint.notify({ method: 'notifications/resources/updated', params: { uri, round } })
      await new Promise((resolve) => setTimeout(resolve, 120))
    }
    // What was written before the reader fell behind: no more.
    expect(stream.text.length).toBe(acknowledged)
    stream.resume()
    await stream.until(() => stream.messages.length === 501)
    expect(new Set(stream.messages.slice(1).map(({ params }) => params?.uri)).size).toBe(500)
    expect(stream.messages.slice(1).every(({ params }) => params?.round === 2)).toBe(true)
  })

  test('are kept alive, cut when they do not read, and end with the token', async () => {
    const { endpoint } = createModernEndpoint(undefined, { keepAliveMs: 20, stallMs: 60 })
    const client = new ModernClient(endpoint)
    const stream = await open(client, { toolsListChanged: true })
    await stream.until(() => stream.text.includes('\n:\n\n'))
    const stalled = await open(client, { toolsListChanged: true }, true)
    await stalled.until(() => stalled.destroyed)
    stalled.leave()
    client.auth = { token: 't', clientId: 'c', scopes: [], expiresAt: Date.now() / 1_000 + 0.2, extra: { sub: 'u' } }
    const short = await open(client, { toolsListChanged: true })
    await short.until(() => short.ended)
    // Without a result: its client comes back with a new token.
    expect(short.messages).toHaveLength(1)
    expect(stream.ended).toBe(false)
    await waitFor(() => endpoint.stats().streams === 1)
  })

  test('of nothing that is announced end at once, and so does a filter that is none', async () => {
    const { endpoint } = createModernEndpoint(undefined, {
      server: () => createServer(undefined, { capabilities: { tools: {} } }),
    })
    const client = new ModernClient(endpoint)
    const reader = await open(client, { promptsListChanged: true })
    expect(reader.ended).toBe(true)
    expect(
      reader.messages.map(({ method, result }) => method ?? (result as { resultType?: string }).resultType),
    ).toEqual(['notifications/subscriptions/acknowledged', 'complete'])
    const wrong = await client.ask('subscriptions/listen', { notifications: 'all' })
    expect(toJson(wrong)).toMatchObject({ error: { code: -32602 } })
    expect((await client.listen({}, { headers: { accept: 'application/json' } })).status).toBe(406)
    expect(endpoint.stats()).toMatchObject({ streams: 0, connections: 0 })
  })

  test('hear that anything may have changed when the bus has been away', async () => {
    const backplane = createMemoryBackplane()
    const missed: (() => void)[] = []
    const bus: MessageBus = {
      publish: (...given) => backplane.bus.publish(...given),
      subscribe: (channel, listener, tell) => {
        if (tell) missed.push(tell)
        return backplane.bus.subscribe(channel, listener)
      },
    }
    const { endpoint } = createModernEndpoint(undefined, { backplane: { ...backplane, bus } })
    const subscription = await open(new ModernClient(endpoint), {
      promptsListChanged: true,
      resourceSubscriptions: ['a://b'],
    })
    for (const tell of missed) tell()
    await subscription.until(() => subscription.messages.length === 3)
    expect(subscription.messages.slice(1)).toMatchObject([
      { method: 'notifications/prompts/list_changed' },
      { method: 'notifications/resources/updated', params: { uri: 'a://b' } },
    ])
  })

  test('hear a part at a time that anything may have changed, and before they end all of them', async () => {
    const backplane = createMemoryBackplane()
    let missed = (): void => undefined
    const bus: MessageBus = {
      publish: (...given) => backplane.bus.publish(...given),
      subscribe: (channel, listener, tell) => {
        if (tell) missed = tell
        return backplane.bus.subscribe(channel, listener)
      },
    }
    const { endpoint } = createModernEndpoint(undefined, { backplane: { ...backplane, bus } })
    const client = new ModernClient(endpoint)
    const all = await Promise.all(Array.from({ length: 50 }, () => open(client, { toolsListChanged: true })))
    const told = (): number => all.filter(({ messages }) => messages.length > 1).length
    missed()
    await waitFor(() => told() > 0)
    expect(told()).toBe(20)
    await endpoint.close()
    expect(all.map(({ messages }) => messages.length)).toEqual(Array.from(all, () => 3))
  })

  test('of too many resources are told which of them they hear of', async () => {
    const { endpoint } = createModernEndpoint()
    const uris = Array.from({ length: 1_500 }, (_, index) => `test://${index}`)
    const reader = await open(new ModernClient(endpoint), { resourceSubscriptions: uris })
    expect(reader.messages[0]).toMatchObject({
      params: { notifications: { resourceSubscriptions: uris.slice(0, 1_000) } },
    })
  })

  test('are bounded in all and per principal, and so are calls; a refusal is 503', async () => {
    const { register, running, release } = parking()
    const { endpoint } = createModernEndpoint(register, { maxSessions: 2, maxSessionsPerPrincipal: 1 })
    const [alice, bob, carol] = ['alice', 'bob', 'carol'].map((sub) => {
      const client = new ModernClient(endpoint)
      client.auth = { token: sub, clientId: 'c', scopes: [], extra: { sub } }
      return client
    }) as [ModernClient, ModernClient, ModernClient]
    const first = await open(alice, { toolsListChanged: true })
    const refused = await alice.listen({ toolsListChanged: true })
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, expect.stringMatching(/^\d+$/)])
    await open(bob, { toolsListChanged: true })
    expect((await carol.listen({ toolsListChanged: true })).status).toBe(503)
    first.leave()
    await open(carol, { toolsListChanged: true })
    const parked = callPark(alice, { headers: { accept: 'application/json' } })
    await waitFor(running)
    expect((await alice.ask('tools/list')).status).toBe(503)
    expect((await bob.ask('tools/list')).status).toBe(200)
    release()
    await parked
    await waitFor(() => endpoint.stats().calls === 0)
    expect((await alice.ask('tools/list')).status).toBe(200)
  })
})

test('what the factory or a handler throws is told to onError alone, and leaves nothing', async () => {
  let fails = false
  const { endpoint, errors } = createModernEndpoint(undefined, {
    server: () => {
      if (fails) throw new Error('database password is 123')
      return createServer()
    },
  })
  const client = new ModernClient(endpoint)
  expect((await client.ask('tools/list')).status).toBe(200)
  fails = true
  for (const ask of [() => client.ask('tools/list'), () => client.listen({ toolsListChanged: true })]) {
    const reply = await ask()
    expect(reply.status).toBe(500)
    expect(String(reply.body)).not.toContain('password')
  }
  expect(errors.map(String)).toEqual(['Error: database password is 123', 'Error: database password is 123'])
  fails = false
  expect((await client.ask('tools/list')).status).toBe(200)
  await waitFor(() => endpoint.stats().calls === 0)
})

test('a server object that is used twice is refused', async () => {
  const shared = createServer()
  const { endpoint, errors } = createModernEndpoint(undefined, { server: () => shared })
  const client = new ModernClient(endpoint)
  await client.ask('tools/list')
  expect((await client.ask('tools/list')).status).toBe(500)
  expect(String(errors[0])).toContain('a new MCP server object')
})

describe('requestState', () => {
  const asking = (keys: readonly string[], options: Partial<EndpointOptions> = {}) =>
    createModernEndpoint(undefined, {
      ...options,
      requestStateKeys: keys,
      // However long the first one takes on a busy machine.
      response: 'json',
      server: ({ requestState }) =>
        createServer(
          (server) =>
            server.registerTool('steps', { description: 'Takes two rounds.' }, async (context) => {
              const state = context.mcpReq.requestState<{ step: number }>()
              if (state) return { content: [{ type: 'text', text: `after step ${state.step}` }] }
              return inputRequired({ requestState: await requestState.mint({ step: 1 }, context) })
            }),
          { requestState: { verify: requestState.verify } },
        ),
    }).endpoint
  const [oldKey, newKey] = ['old'.padEnd(32, '-'), 'new'.padEnd(32, '-')] as [string, string]
  const as = (client: ModernClient, sub: string): ModernClient => {
    client.auth = { token: sub, clientId: 'c', scopes: [], extra: { sub } }
    return client
  }
  const steps = (client: ModernClient, requestState?: string) =>
    client.ask('tools/call', { name: 'steps', arguments: {}, ...(requestState !== undefined && { requestState }) })
  const stateOf = async (client: ModernClient): Promise<string> => {
    const { result } = toJson(await steps(client))
    return (result as { requestState: string }).requestState
  }

  test('is good on any node with the key, also after the key has changed', async () => {
    const state = await stateOf(as(new ModernClient(asking([oldKey])), 'alice'))
    for (const keys of [[oldKey], [newKey, oldKey]]) {
      const reply = await steps(as(new ModernClient(asking(keys)), 'alice'), state)
      expect(toJson(reply).result).toMatchObject({ content: [{ text: 'after step 1' }] })
    }
  })

  test('without a key is told to onError where nodes share a bus, and not where there is one', async () => {
    const { bus } = createMemoryBackplane()
    const shared = { publish: bus.publish.bind(bus), subscribe: bus.subscribe.bind(bus) }
    const told = async (keys: readonly string[], backplane: Partial<Backplane>): Promise<unknown[]> => {
      const errors: unknown[] = []
      await stateOf(new ModernClient(asking(keys, { backplane, onError: (error) => void errors.push(error) })))
      return errors.map(String)
    }
    expect(await told([], { bus: shared })).toEqual([expect.stringContaining('set requestStateKeys')])
    expect(await told([oldKey], { bus: shared })).toEqual([])
    expect(await told([], {})).toEqual([])
  })

  test('is refused when it was changed, is of another principal, of another key, or too old', async () => {
    const endpoint = asking([oldKey])
    const alice = as(new ModernClient(endpoint), 'alice')
    const state = await stateOf(alice)
    const refused = { code: -32602, data: { reason: 'invalid_request_state' } }
    for (const at of [0, 3, 10, state.length - 2]) {
      const changed = `${state.slice(0, at)}${state[at] === 'A' ? 'B' : 'A'}${state.slice(at + 1)}`
      expect(toJson(await steps(alice, changed)).error).toMatchObject(refused)
    }
    expect(toJson(await steps(as(new ModernClient(endpoint), 'bob'), state)).error).toMatchObject(refused)
    expect(toJson(await steps(as(new ModernClient(asking([newKey])), 'alice'), state)).error).toMatchObject(refused)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 11 * 60_000 })
    try {
      expect(toJson(await steps(alice, state)).error).toMatchObject(refused)
    } finally {
      vi.useRealTimers()
    }
  })

  test('with a bad key fails at start-up, without showing it', () => {
    for (const keys of [['too short'], 'a text', [32], [new Uint8Array(31)]]) {
      const start = () => createModernEndpoint(undefined, { requestStateKeys: keys as never })
      expect(start).toThrow(/requestStateKeys/)
      expect(start).not.toThrow(/too short/)
    }
  })
})

describe('a bus for servers on the SDK alone', () => {
  const events: ServerEvent[] = [
    { kind: 'tools_list_changed' },
    { kind: 'prompts_list_changed', params: { why: 'x' } },
    { kind: 'resources_list_changed' },
    { kind: 'resource_updated', uri: 'test://a' },
  ]

  test('carries every event between processes, and is what the SDK takes', async () => {
    const { bus } = createMemoryBackplane()
    const [one, other] = [createServerEventBus(bus), createServerEventBus(bus)]
    const sdkBus: InMemoryServerEventBus | typeof one = one
    const heard: ServerEvent[] = []
    const end = other.subscribe((event) => heard.push(event))
    for (const event of events) sdkBus.publish(event)
    await waitFor(() => heard.length === events.length)
    expect(heard).toMatchObject(events)
    end()
    one.publish({ kind: 'tools_list_changed' })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(heard).toHaveLength(events.length)
  })

  test('hears what an endpoint on the same message bus tells, and is heard there', async () => {
    const backplane = createMemoryBackplane()
    const { endpoint } = createModernEndpoint(undefined, { backplane })
    const bus = createServerEventBus(backplane.bus)
    const heard: string[] = []
    bus.subscribe(({ kind }) => heard.push(kind))
    const subscription = await open(new ModernClient(endpoint), { toolsListChanged: true })
    await endpoint.notify(toolsChanged)
    await waitFor(() => heard.length === 1)
    await subscription.until(() => subscription.messages.length === 2)
    bus.publish({ kind: 'tools_list_changed' })
    await subscription.until(() => subscription.messages.length === 3)
    expect(heard).toEqual(['tools_list_changed', 'tools_list_changed'])
  })

  test('tells that all lists may have changed when the bus is back after it was away', async () => {
    const { bus } = createMemoryBackplane()
    let missed = (): void => undefined
    const watched: typeof bus = {
      publish: (...given) => bus.publish(...given),
      subscribe: (channel, listener, wasAway) => {
        if (wasAway) missed = wasAway
        return bus.subscribe(channel, listener, wasAway)
      },
    }
    const heard: string[] = []
    createServerEventBus(watched).subscribe(({ kind }) => heard.push(kind))
    await new Promise(setImmediate)
    missed()
    await waitFor(() => heard.length > 0)
    expect(heard).toEqual(['tools_list_changed', 'prompts_list_changed', 'resources_list_changed'])
  })

  test('survives a listener that throws and a bus that fails', async () => {
    const errors: unknown[] = []
    const { bus } = createMemoryBackplane()
    const events = createServerEventBus(bus, { onError: (error) => errors.push(error) })
    const heard: string[] = []
    events.subscribe(() => {
      throw new Error('of the listener')
    })
    events.subscribe(({ kind }) => heard.push(kind))
    events.publish({ kind: 'tools_list_changed' })
    await waitFor(() => heard.length === 1)
    const broken = { subscribe: bus.subscribe.bind(bus), publish: () => Promise.reject(new Error('of the bus')) }
    createServerEventBus(broken, { onError: (error) => errors.push(error) }).publish({ kind: 'tools_list_changed' })
    await waitFor(() => errors.length === 2)
    expect(errors.map(String)).toEqual(['Error: of the listener', 'Error: of the bus'])
    expect(() => createServerEventBus({} as never)).toThrow(/publish/)
  })
})

test('the JSON schema of a tool is made once for all server objects, and its headers are checked in each', async () => {
  const schema = z.object({ region: z.string().meta({ 'x-mcp-header': 'Region' }) })
  const convert = vi.spyOn(schema['~standard'].jsonSchema, 'input')
  let isEnabled = true
  const { endpoint } = createModernEndpoint((server) => {
    const tool = server.registerTool('there', { inputSchema: schema }, () => ({ content: [] }))
    if (!isEnabled) tool.disable()
  })
  const client = new ModernClient(endpoint)
  const call = async (region: string) => {
    const reply = await client.ask(
      'tools/call',
      { name: 'there', arguments: { region: 'eu' } },
      { headers: { 'mcp-param-region': region } },
    )
    return { status: reply.status, ...toJson(reply) }
  }
  expect(await call('eu')).toMatchObject({ status: 200, result: { content: [] } })
  const once = convert.mock.calls.length
  expect(once).toBeGreaterThan(0)
  expect(await call('us')).toMatchObject({ status: 400, error: { code: -32020 } })
  expect(await call('eu')).toMatchObject({ status: 200 })
  expect(convert).toHaveBeenCalledTimes(once)
  // A tool that is not offered has no headers to check.
  isEnabled = false
  expect(await call('us')).toMatchObject({ error: { code: -32602 } })
})

test('a header that mirrors the body with bytes beyond ASCII is refused, and nothing runs', async () => {
  const schema = z.object({ region: z.string().optional().meta({ 'x-mcp-header': 'Region' }) })
  const run = vi.fn(() => ({ content: [] }))
  const { endpoint, errors } = createModernEndpoint((server) => {
    server.registerTool('café', { inputSchema: schema }, run)
  })
  const client = new ModernClient(endpoint)
  const call = async (headers: Record<string, string>, args: object) => {
    const reply = await client.ask('tools/call', { name: 'café', arguments: args }, { headers })
    return { status: reply.status, ...toJson(reply) }
  }
  const encoded = { 'mcp-name': '=?base64?Y2Fmw6k=?=' }
  const mismatch = { status: 400, error: { code: -32020 } }
  expect(await call({ 'mcp-name': 'café' }, {})).toMatchObject({ ...mismatch, id: 1 })
  expect(await call({ ...encoded, 'mcp-param-region': 'é' }, { region: 'é' })).toMatchObject({ ...mismatch, id: 2 })
  expect(run).not.toHaveBeenCalled()
  const params = { ...encoded, 'mcp-param-region': '=?base64?w6k=?=' }
  expect(await call(params, { region: 'é' })).toMatchObject({ status: 200 })
  expect(run).toHaveBeenCalledTimes(1)
  expect(errors).toEqual([])
})
