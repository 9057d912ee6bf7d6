import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type TestClient, toJson } from '../../../test-support/in-process/test-client.ts'
import { TestCluster, testLeaseMs } from '../../../test-support/in-process/test-cluster.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { deferred, sleep, waitFor } from '../../../test-support/waiting.ts'
import { NodeMessages } from '../src/cluster/node-messages.ts'
import {
  createMemoryBackplane,
  type EndpointOptions,
  type EventLog,
  type MessageBus,
  type SessionInfo,
  sessionKey,
} from '../src/index.ts'

function createCluster(count: number, handlers: Handlers = {}, options: Partial<EndpointOptions> = {}): TestCluster {
  const cluster = new TestCluster(count, handlers, options)
  onTestFinished(() => cluster.close())
  return cluster
}

const sse = { response: 'sse' } as const

/** What the handlers pushed. A session that was away for a time also hears of whatever may have changed then. */
function pushed({ messages }: TestReader): unknown[] {
  return messages.filter(({ method }) => method === 'notifications/message').map(({ params }) => params?.data)
}

describe('any node takes any request of a session', () => {
  test('a call is answered by the node that has the session', async () => {
    const cluster = createCluster(2, { who: ({ params }) => ({ echo: params.text }) })
    const client = await cluster.open(0)
    const reply = await cluster.on(1, client).call('who', { text: 'é' }, 'x')
    expect(reply.status).toBe(200)
    expect(toJson(reply)).toEqual({ jsonrpc: '2.0', id: 'x', result: { echo: 'é' } })
    expect(cluster.node(0).servers[0]?.received).toContain('who')
    expect(cluster.node(1).servers).toEqual([])
    expect(cluster.nodes.map(({ endpoint }) => endpoint.stats().sessions)).toEqual([1, 0])
  })

  test('the store is not asked again for a session whose owner is known', async () => {
    const cluster = createCluster(2, { who: () => ({}) })
    const client = await cluster.open(0)
    await cluster.on(1, client).call('who')
    const get = vi.spyOn(cluster.database.sessions, 'get')
    expect((await cluster.on(1, client).call('who')).status).toBe(200)
    expect(get).not.toHaveBeenCalled()
  })

  test('its tool sees who calls, and the headers, as on the node itself', async () => {
    const seen: unknown[] = []
    const cluster = createCluster(2, {
      look: ({ extra }) => {
        seen.push(extra.authInfo, (extra as { requestInfo?: { headers: object } }).requestInfo?.headers)
        return {}
      },
    })
    const resource = new URL('https://mcp.example.com/mcp')
    const auth = { token: 't', clientId: 'c', scopes: ['a'], resource, extra: { iss: 'i', sub: 'alice' } }
    const client = await cluster.open(0, { auth })
    await cluster.on(1, client).call('look', {}, 1, { headers: { 'x-own': 'here' } })
    expect(seen).toMatchObject([auth, { 'x-own': 'here' }])
    expect((seen[0] as { resource: unknown }).resource).toBeInstanceOf(URL)
    // Another principal finds nothing, wherever it asks.
    const stranger = Object.assign(cluster.on(1, client), { auth: { ...auth, extra: { iss: 'i', sub: 'bob' } } })
    expect((await stranger.call('look')).status).toBe(404)
    expect((await stranger.get()).status).toBe(404)
    expect((await stranger.delete()).status).toBe(404)
    expect(seen).toHaveLength(2)
  })

  test('what its call sends is read from the log, in order', async () => {
    const cluster = createCluster(2, {
      count: async ({ notify }) => {
        for (let i = 0; i < 300; i++) await notify('notifications/progress', { progress: i })
        return { done: true }
      },
    })
    const client = await cluster.open(0)
    const reader = await TestReader.open(await cluster.on(1, client).call('count', {}, 7))
    await reader.until(() => reader.ended)
    expect(reader.messages.slice(0, -1).map(({ params }) => params?.progress)).toEqual(
      Array.from({ length: 300 }, (_, i) => i),
    )
    expect(reader.messages.at(-1)).toEqual({ jsonrpc: '2.0', id: 7, result: { done: true } })
    expect(new Set(reader.events.map(({ id }) => id)).size).toBe(301)
    await waitFor(() => cluster.node(0).endpoint.stats().connections === 0)
  })

  test('a push reaches a client that listens on another node', async () => {
    const cluster = createCluster(3, { push: ({ push }) => push('notifications/message', { data: 'one' }) })
    const client = await cluster.open(0)
    const reader = await cluster.on(1, client).read()
    await cluster.on(2, client).call('push')
    await reader.until(() => reader.messages.length === 1)
    // It goes on where it was, on a third node; the one before is ended there.
    const third = await cluster.on(2, client).read(reader.lastEventId)
    await reader.until(() => reader.ended)
    await cluster.on(1, client).call('push')
    await third.until(() => third.messages.length === 1)
    await cluster.node(1).endpoint.notify({ method: 'notifications/tools/list_changed' })
    await third.until(() => third.messages.length === 2)
    expect(third.messages[1]).toEqual({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
  })

  test('an answer to a question reaches the tool that asked', async () => {
    const cluster = createCluster(3, { ask: ({ ask }) => ask('elicitation/create', { message: 'Who?' }) })
    const client = await cluster.open(0)
    const reader = await TestReader.open(await cluster.on(1, client).call('ask', {}, 5))
    await reader.until(() => reader.messages.length === 1)
    const question = reader.messages[0]
    const answer = { jsonrpc: '2.0', id: question?.id, result: { action: 'accept' } }
    expect((await cluster.on(2, client).post(answer)).status).toBe(202)
    await reader.until(() => reader.ended)
    expect(reader.messages[1]).toMatchObject({ id: 5, result: { action: 'accept' } })
  })

  test('a cancel reaches the call, and its stream ends', async () => {
    let aborted = false
    const cluster = createCluster(
      3,
      {
        park: ({ signal }) =>
          new Promise((resolve) => {
            signal.addEventListener('abort', () => {
              aborted = true
              resolve({})
            })
          }),
      },
      sse,
    )
    const client = await cluster.open(0)
    const reader = await TestReader.open(await cluster.on(1, client).call('park', {}, 5))
    await cluster.on(2, client).post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 5 } })
    await reader.until(() => reader.ended)
    expect(aborted).toBe(true)
  })

  test('a DELETE ends it everywhere: streams end, calls stop, nothing is left', async () => {
    let aborted = false
    const cluster = createCluster(
      3,
      {
        park: ({ signal }) =>
          new Promise((resolve) => {
            signal.addEventListener('abort', () => {
              aborted = true
              resolve({})
            })
          }),
      },
      sse,
    )
    const client = await cluster.open(0)
    const call = await TestReader.open(await cluster.on(1, client).call('park', {}, 5))
    const standalone = await cluster.on(2, client).read()
    expect((await cluster.on(1, client).delete()).status).toBe(204)
    await call.until(() => call.ended)
    await standalone.until(() => standalone.ended)
    expect(call.messages).toMatchObject([{ id: 5, error: { code: -32000 } }])
    expect(aborted).toBe(true)
    for (let i = 0; i < 3; i++) expect((await cluster.on(i, client).call('ping')).status).toBe(404)
    for (let i = 0; i < 3; i++) expect((await cluster.on(i, client).delete()).status).toBe(404)
    const key = await sessionKey(client.sessionId)
    expect(await cluster.database.sessions.get(key)).toBeUndefined()
    expect(await cluster.database.events.read(key, 'g', 0, 1)).toBeUndefined()
    await waitFor(() => cluster.nodes.every(({ endpoint }) => endpoint.stats().connections === 0))
  })

  test('errors of the client are answered as on the node itself', async () => {
    const cluster = createCluster(2)
    const client = await cluster.open(0)
    const [here, there] = [cluster.on(0, client), cluster.on(1, client)]
    const bodies = [
      { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} },
      { jsonrpc: '2.0', id: 's1-99', result: {} },
      [{ jsonrpc: '2.0', id: 1, method: 'ping' }],
      { jsonrpc: '1.0' },
    ]
    for (const body of bodies) expect(await there.post(body)).toEqual(await here.post(body))
    for (const id of ['no id', 'g.5.1-99', 'p1-1.1.1-1']) {
      const { status, body } = await there.get(id)
      const expected = await here.get(id)
      expect([status, body]).toEqual([expected.status, expected.body])
    }
  })
})

test.each([
  ['at once', 0],
  ['later', 20],
])('a handler that lets its client poll %s: the client has an id to come back with', async (_when, ms) => {
  const cluster = createCluster(
    2,
    {
      poll: async ({ extra }) => {
        if (ms > 0) await sleep(ms)
        extra.closeSSEStream?.()
        await sleep(100)
        return { done: true }
      },
    },
    sse,
  )
  const client = await cluster.open(0)
  for (const i of [0, 1]) {
    const reader = await TestReader.open(await cluster.on(i, client).call('poll', {}, i))
    await reader.until(() => reader.ended)
    expect(reader.messages).toEqual([])
    const again = await cluster.on(1 - i, client).read(reader.lastEventId)
    await again.until(() => again.ended)
    expect(again.messages).toEqual([{ jsonrpc: '2.0', id: i, result: { done: true } }])
  }
})

describe('a node that dies', () => {
  test('in mid-call: who reads through another node gets an error, once, within the lease', async () => {
    const cluster = createCluster(2, {
      step: async ({ notify }) => {
        await notify('notifications/progress', { progress: 1 })
        await new Promise(() => undefined)
      },
    })
    const client = await cluster.open(0)
    const reader = await TestReader.open(await cluster.on(1, client).call('step', {}, 7))
    await reader.until(() => reader.messages.length === 1)
    const since = performance.now()
    cluster.kill(0)
    await reader.until(() => reader.ended)
    expect(performance.now() - since).toBeLessThan(testLeaseMs + 500)
    expect(reader.messages).toMatchObject([{ method: 'notifications/progress' }, { id: 7, error: { code: -32000 } }])
    // The session lives on there, and an older cursor gets the same answer.
    expect((await cluster.on(1, client).call('ping')).status).toBe(200)
    const again = await cluster.on(1, client).read(reader.events[0]?.id)
    await again.until(() => again.ended)
    expect(again.messages).toEqual(reader.messages.slice(1))
  })

  test('before it answers in JSON: the call is answered with an error', async () => {
    const cluster = createCluster(2, { park: () => new Promise(() => undefined) }, { response: 'json' })
    const client = await cluster.open(0)
    let isTaken = false
    cluster.node(1).link.loses = (message) => {
      isTaken ||= message.includes('"taken"')
      return false
    }
    const replying = cluster.on(1, client).call('park', {}, 7)
    // The other node hears that it was begun.
    await waitFor(() => isTaken)
    cluster.kill(0)
    expect(toJson(await replying)).toMatchObject({ id: 7, error: { code: -32000 } })
    expect((await cluster.on(1, client).call('ping')).status).toBe(200)
  })

  test('as soon as it has a call: that is answered with an error, and does not run again elsewhere', async () => {
    let runs = 0
    const cluster = createCluster(
      2,
      {
        charge: () => {
          runs++
          return new Promise(() => undefined)
        },
      },
      { response: 'json' },
    )
    const client = await cluster.open(0)
    const replying = cluster.on(1, client).call('charge', {}, 7)
    await waitFor(() => runs > 0)
    // What it has said by now, it has said: a few turns of the loop, and no more.
    await sleep(10)
    cluster.kill(0)
    expect(toJson(await replying)).toMatchObject({ id: 7, error: { code: -32000 } })
    expect(runs).toBe(1)
  })

  test('between two calls: the next is answered by another node, with all that the session knew', async () => {
    const cluster = createCluster(2)
    const client = await cluster.open(0)
    await client.call('logging/setLevel', { level: 'error' })
    await client.call('resources/subscribe', { uri: 'file:///a' })
    cluster.kill(0)
    expect((await cluster.on(1, client).call('ping')).status).toBe(200)
    expect(cluster.node(1).servers[0]?.received).toEqual([
      ...['initialize', 'notifications/initialized', 'logging/setLevel', 'resources/subscribe', 'ping'],
    ])
  })

  test('while another reads the standalone stream: it goes on there, and nothing is lost', async () => {
    const cluster = createCluster(3, { push: ({ push, params }) => push('notifications/message', params) })
    const client = await cluster.open(0)
    const reader = await cluster.on(1, client).read()
    await client.call('push', { data: 1 })
    await reader.until(() => reader.messages.length === 1)
    cluster.kill(0)
    await sleep(testLeaseMs + 100)
    expect((await cluster.on(2, client).call('push', { data: 2 })).status).toBe(200)
    await reader.until(() => pushed(reader).length === 2)
    expect(pushed(reader)).toEqual([1, 2])
    expect(reader.messages).toContainEqual({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
    expect(reader.ended || reader.destroyed).toBe(false)
  })

  test('at once with many that ask for its session: one takes it over', async () => {
    const cluster = createCluster(5)
    const client = await cluster.open(0)
    cluster.kill(0)
    await sleep(testLeaseMs)
    const others = [1, 2, 3, 4].flatMap((i) => Array.from({ length: 5 }, () => cluster.on(i, client)))
    const replies = await Promise.all(others.map((each, id) => each.call('ping', {}, id)))
    expect(replies.map(({ status }) => status)).toEqual(others.map(() => 200))
    expect(cluster.nodes.slice(1).filter(({ endpoint }) => endpoint.stats().sessions > 0)).toHaveLength(1)
    expect((await cluster.database.sessions.get(await sessionKey(client.sessionId)))?.term).toBe(2)
  })
})

describe('a node that stands still past its lease', () => {
  test('answers for its session no more, and writes nothing', async () => {
    let goOn: () => void = () => undefined
    const cluster = createCluster(2, {
      push: ({ push, params }) => push('notifications/message', params),
      later: async ({ push }) => {
        await new Promise<void>((resolve) => {
          goOn = resolve
        })
        await push('notifications/message', { data: 'of a zombie' })
        return {}
      },
    })
    const client = await cluster.open(0)
    void client.call('later', {}, 1)
    await sleep(150)
    let release: () => void = () => undefined
    cluster.node(0).link.held = new Promise((resolve) => {
      release = resolve
    })
    await sleep(testLeaseMs + 50)
    expect((await cluster.on(1, client).call('push', { data: 'of the next' })).status).toBe(200)
    release()
    cluster.node(0).link.held = undefined
    goOn()
    await sleep(50)
    // Whoever asks it is answered by the node that has the session now.
    expect((await client.call('push', { data: 'by way of the first' })).status).toBe(200)
    const reader = await client.read()
    await reader.until(() => pushed(reader).length === 2)
    expect(pushed(reader)).toEqual(['of the next', 'by way of the first'])
    expect(cluster.nodes.map(({ endpoint }) => endpoint.stats().sessions)).toEqual([0, 1])
  })

  test('deletes nothing that another has taken over', async () => {
    const cluster = createCluster(2, {}, { sessionIdleMs: 1_500 })
    const client = await cluster.open(0)
    let release: () => void = () => undefined
    cluster.node(0).link.held = new Promise((resolve) => {
      release = resolve
    })
    await sleep(testLeaseMs + 50)
    expect((await cluster.on(1, client).call('ping')).status).toBe(200)
    await sleep(1_000)
    release()
    cluster.node(0).link.held = undefined
    await sleep(100)
    expect((await cluster.on(1, client).call('ping')).status).toBe(200)
  })
})

test('a node whose log somebody else has written to leaves what is there to the next', async () => {
  const cluster = createCluster(2, {
    step: async ({ notify }) => {
      for (let i = 0; i < 3; i++) await notify('notifications/progress', { progress: i })
      await new Promise(() => undefined)
    },
    push: ({ push }) => push('notifications/message', { data: 1 }),
  })
  const client = await cluster.open(0)
  const reader = await TestReader.open(await client.call('step', {}, 7))
  await reader.until(() => reader.messages.length === 3)
  // An entry of nobody's stands where the next event would.
  const { events } = cluster.node(0).link.backplane as { events: { append: unknown } }
  events.append = async () => 'fenced'
  await client.call('push')
  await reader.until(() => reader.ended)
  const again = await cluster.on(1, client).read(reader.events[1]?.id)
  await again.until(() => again.ended)
  expect(again.messages).toMatchObject([{ params: { progress: 2 } }, { id: 7, error: { code: -32000 } }])
})

describe('messages that the bus loses', () => {
  test.each([
    ['the question', '"ask"'],
    ['the answer', '"answer"'],
  ])('%s is said again, and nothing runs twice', async (_what, type) => {
    let runs = 0
    const cluster = createCluster(2, { count: () => ({ runs: ++runs }) })
    const client = await cluster.open(0)
    let lost = 0
    cluster.node(1).link.loses = (message) => message.includes(`"type":${type}`) && lost++ < 2
    expect(toJson(await cluster.on(1, client).call('count'))).toMatchObject({ result: { runs: 1 } })
    expect(lost).toBeGreaterThan(1)
  })

  test('the last event of a stream is found when the bus is back', async () => {
    const cluster = createCluster(2, { push: ({ push }) => push('notifications/message', { data: 1 }) })
    const client = await cluster.open(0)
    const reader = await cluster.on(1, client).read()
    const { link } = cluster.node(1)
    link.loses = (message) => message.includes('"came"')
    await client.call('push')
    await sleep(100)
    expect(reader.messages).toEqual([])
    link.loses = () => false
    for (const missed of link.missed) missed()
    await reader.until(() => reader.messages.length === 1, 1_000)
  })

  test('a client that does not read is told once it does what the bus may have lost', async () => {
    const cluster = createCluster(2, {})
    const client = await cluster.open(0)
    const reader = await TestReader.open(await client.get(), true)
    for (const missed of cluster.node(0).link.missed) missed()
    await sleep(20)
    expect(reader.messages).toEqual([])
    reader.resume()
    await reader.until(() => reader.messages.length > 0, 1_000)
    expect(reader.messages[0]).toMatchObject({ method: 'notifications/tools/list_changed' })
  })

  test('rubbish on the bus reaches nobody', async () => {
    const cluster = createCluster(2, { push: ({ push }) => push('notifications/message', { data: 1 }) })
    const client = await cluster.open(0)
    const reader = await cluster.on(1, client).read()
    const { owner } = (await cluster.database.sessions.get(await sessionKey(client.sessionId))) ?? {}
    const words = [
      '',
      'null',
      '{}',
      '[]',
      '{"version":1}',
      '{"version":2,"type":"ask"}',
      '{"version":1,"type":"came","id":"x"}',
      '[null,[],{"version":1,"type":"came","id":"x"}]',
    ]
    const types = ['ask', 'answer', 'read', 'cut', 'came', 'poke', 'taken', 'unknown', 'left', 'no such']
    for (const word of [...words, ...types.map((type) => JSON.stringify({ version: 1, type, id: 7 }))]) {
      for (const channel of ['mcp-http', `mcp-http/${owner}`]) {
        for (const message of [word, `[${word}]`]) await cluster.database.bus.publish(channel, message)
      }
    }
    await cluster.on(1, client).call('push')
    await reader.until(() => reader.messages.length === 1)
    expect(reader.messages).toMatchObject([{ params: { data: 1 } }])
  })
})

describe('words of one turn', () => {
  test('go to a node in one message, whose words are each read alone', async () => {
    const cluster = createCluster(2, { who: ({ params }) => ({ echo: params.n }) })
    const client = await cluster.open(0)
    const publish = vi.spyOn(cluster.database.bus, 'publish')
    const calls = Array.from({ length: 40 }, (_, n) => cluster.on(1, client).call('who', { n }, n))
    const replies = await Promise.all(calls)
    expect(replies.map((reply) => toJson(reply))).toEqual(
      replies.map((_, n) => ({ jsonrpc: '2.0', id: n, result: { echo: n } })),
    )
    expect(publish.mock.calls.length).toBeLessThan(8)
  })

  test('are good beside one that is malformed', async () => {
    const cluster = createCluster(1)
    const client = await cluster.open(0)
    const { owner } = (await cluster.database.sessions.get(await sessionKey(client.sessionId))) ?? {}
    const heard: unknown[] = []
    await cluster.database.bus.subscribe('mcp-http/other', (text) => heard.push(JSON.parse(text)))
    const poke = (id: unknown) => ({ version: 1, type: 'poke', id, from: 'other' })
    await cluster.database.bus.publish(`mcp-http/${owner}`, JSON.stringify([poke('a'), poke(7), 'rubbish', poke('b')]))
    await waitFor(() => heard.length > 0)
    expect(heard).toEqual([['a', 'b'].map((id) => ({ version: 1, type: 'unknown', id }))])
    expect(cluster.node(0).errors).toHaveLength(2)
  })

  test('of which some are long go in several', async () => {
    const cluster = createCluster(2, { who: ({ params }) => ({ length: String(params.text).length }) })
    const client = await cluster.open(0)
    const publish = vi.spyOn(cluster.database.bus, 'publish')
    const text = 'x'.repeat(30_000)
    const calls = Array.from({ length: 20 }, (_, n) => cluster.on(1, client).call('who', { text }, n))
    for (const reply of await Promise.all(calls)) expect(toJson(reply)).toMatchObject({ result: { length: 30_000 } })
    for (const [, message] of publish.mock.calls) expect(message.length).toBeLessThan(70_000)
  })
})

describe('a log that publishes with an append', () => {
  /** Of the first node; what it stores is told at once, and settles so many milliseconds later. */
  function publishing(cluster: TestCluster, settlesAfterMs: number): void {
    const { events, bus } = cluster.database
    const appendAndPublish: EventLog['appendAndPublish'] = async (key, appended, messages) => {
      const outcome = await events.append(key, appended)
      for (const { channel, message } of messages) await bus.publish(channel, message)
      await sleep(settlesAfterMs)
      return outcome
    }
    Object.assign(cluster.node(0).link.backplane.events, { appendAndPublish })
    // What the owner itself says of events is lost.
    cluster.node(0).link.loses = (message) => message.includes('"came"')
  }

  test('a push reaches a client on another node by that alone', async () => {
    const cluster = createCluster(2, {
      push: async ({ push }) => {
        await Promise.all([1, 2, 3].map((data) => push('notifications/message', { data })))
        return {}
      },
    })
    publishing(cluster, 0)
    const client = await cluster.open(0)
    const reader = await cluster.on(1, client).read()
    await client.call('push')
    await reader.until(() => reader.messages.length === 3)
    await client.call('push')
    await reader.until(() => reader.messages.length === 6)
    expect(pushed(reader)).toEqual([1, 2, 3, 1, 2, 3])
  })

  test('no word of an event overtakes the word of its stream', async () => {
    const cluster = createCluster(
      2,
      {
        count: async ({ notify }) => {
          await Promise.all([1, 2, 3].map((progress) => notify('notifications/progress', { progress })))
          return { done: true }
        },
      },
      sse,
    )
    publishing(cluster, 0)
    const client = await cluster.open(0)
    const reader = await TestReader.open(await cluster.on(1, client).call('count', {}, 7))
    await reader.until(() => reader.ended, 1_000)
    expect(reader.messages.map(({ params, result }) => result ?? params?.progress)).toEqual([1, 2, 3, { done: true }])
  })

  test.each([
    ['the end', { echo: ({ params }) => params }, 'echo'],
    ['a cut', { leave: ({ extra }) => new Promise(() => setTimeout(() => extra.closeSSEStream?.(), 20)) }, 'leave'],
  ] satisfies [string, Handlers, string][])(
    'a word of a stream is heard that comes before the answer which the stream is for: of %s',
    async (_what, handlers, method) => {
      const cluster = createCluster(2, handlers, sse)
      publishing(cluster, 0)
      const { link } = cluster.node(0)
      // By another connection than appends, and so in any order with them.
      const { publish } = link.backplane.bus
      link.backplane.bus.publish = async (...given) => {
        if (given[1].includes('"answer"')) await sleep(100)
        await publish(...given)
      }
      const client = await cluster.open(0)
      const reader = await TestReader.open(await cluster.on(1, client).call(method, {}, 7))
      await reader.until(() => reader.ended || reader.destroyed, 2_000)
      expect(reader.ended).toBe(true)
      if (method === 'echo') expect(reader.messages).toMatchObject([{ id: 7, result: {} }])
    },
  )

  test('a sender goes on whose event was read before it heard that it is stored', async () => {
    const sizes = [1_200_000, 1]
    const cluster = createCluster(
      2,
      {
        flood: async ({ notify }) => {
          for (const size of sizes) await notify('notifications/progress', { progress: 'x'.repeat(size) })
          return { done: true }
        },
      },
      sse,
    )
    publishing(cluster, 200)
    const client = await cluster.open(0)
    const reader = await TestReader.open(await cluster.on(1, client).call('flood', {}, 7))
    await reader.until(() => reader.ended, 5_000)
    expect(reader.messages.map(({ params, result }) => result ?? String(params?.progress).length)).toEqual([
      ...sizes,
      { done: true },
    ])
  })
})

test('the sessions of all nodes are listed by each, with what they do now', async () => {
  const cluster = createCluster(3, { park: () => new Promise(() => undefined) }, { sessionIdleMs: 60_000 })
  const [busy, free, orphaned] = [await cluster.open(0), await cluster.open(1), await cluster.open(2)]
  const listening = await cluster.on(1, busy).read()
  await TestReader.open(await cluster.on(2, busy).call('park', {}, 1))
  cluster.kill(2)
  await sleep(testLeaseMs + 50)
  const list = async (i: number) => {
    const infos = new Map<string, SessionInfo>()
    for await (const info of cluster.node(i).endpoint.sessions.list()) infos.set(info.key, info)
    return infos
  }
  for (const i of [0, 1]) {
    const infos = await list(i)
    expect(infos.size).toBe(3)
    const of = async ({ sessionId }: TestClient) => infos.get(await sessionKey(sessionId))
    expect(await of(busy)).toMatchObject({ activity: { runningCalls: 1, idleMs: 0 }, endsInMs: 60_000 })
    expect((await of(busy))?.activity?.connections).toBeGreaterThan(0)
    expect(await of(free)).toMatchObject({ activity: { runningCalls: 0, connections: 0 } })
    expect((await of(free))?.endsInMs).toBeLessThan(60_000)
    expect(await of(orphaned)).toMatchObject({ activity: undefined, endsInMs: undefined })
    expect((await of(free))?.node).not.toBe((await of(busy))?.node)
  }
  expect(await cluster.node(1).endpoint.sessions.end(await sessionKey(busy.sessionId))).toBe(true)
  await listening.until(() => listening.ended)
  expect((await cluster.on(0, busy).call('ping')).status).toBe(404)
})

test('when a token expires, streams that it opened on any node end', async () => {
  const cluster = createCluster(2, {}, { keepAliveMs: 100 })
  const auth = { token: 't', clientId: 'c', scopes: [], extra: { iss: 'i', sub: 'alice' } }
  const client = await cluster.open(0, { auth })
  const short = Object.assign(cluster.on(1, client), { auth: { ...auth, expiresAt: Date.now() / 1_000 + 1 } })
  const reader = await short.read()
  expect(reader.ended).toBe(false)
  await reader.until(() => reader.ended, 3_000)
  expect((await cluster.on(1, client).call('ping')).status).toBe(200)
})

describe('hibernation', () => {
  test('gives the server object and the session back; any node rebuilds it without waiting', async () => {
    const leaseMs = 8_000
    const cluster = createCluster(2, {}, { hibernateAfterMs: 50, leaseMs })
    const client = await cluster.open(0)
    await waitFor(() => cluster.node(0).endpoint.stats().sessions === 0)
    expect(cluster.node(0).servers[0]?.closed).toBe(true)
    const since = performance.now()
    expect((await cluster.on(1, client).call('ping')).status).toBe(200)
    expect(performance.now() - since).toBeLessThan(leaseMs / 4)
    expect(cluster.node(1).servers).toHaveLength(1)
  })

  test('ends when the session has been idle for as long as any', async () => {
    const cluster = createCluster(2, {}, { hibernateAfterMs: 50, sessionIdleMs: 1_500 })
    const [early, late] = [await cluster.open(0), await cluster.open(0)]
    await waitFor(() => cluster.node(0).endpoint.stats().sessions === 0)
    await sleep(400)
    expect((await cluster.on(1, early).call('ping')).status).toBe(200)
    await sleep(1_300)
    expect((await cluster.on(1, late).call('ping')).status).toBe(404)
  })

  test('waits for calls and connections', async () => {
    const cluster = createCluster(
      1,
      { park: () => sleep(300).then(() => ({})) },
      { hibernateAfterMs: 50, response: 'json' },
    )
    const client = await cluster.open(0)
    const reader = await client.read()
    await client.call('park')
    await sleep(200)
    expect(cluster.node(0).servers[0]?.closed).toBe(false)
    reader.leave()
    await waitFor(() => cluster.node(0).servers[0]?.closed === true)
  })
})

test('what a closing node has given up lives on also where its owner is remembered', async () => {
  const cluster = createCluster(2, { park: () => new Promise(() => undefined) })
  const [busy, free] = [await cluster.open(0), await cluster.open(0)]
  void cluster.on(1, busy).call('park', {}, 5)
  expect((await cluster.on(1, free).call('ping')).status).toBe(200)
  const closing = cluster.node(0).endpoint.close({ drainMs: 400 })
  await sleep(100)
  expect((await cluster.on(1, free).call('ping')).status).toBe(200)
  expect(cluster.node(1).endpoint.stats().sessions).toBe(1)
  await closing
})

test('while a node closes its running calls are reached from others, and other sessions live on elsewhere at once', async () => {
  const cluster = createCluster(2, {
    ask: ({ ask }) => ask('elicitation/create', { message: 'Who?' }),
    echo: ({ params }) => params,
  })
  const [busy, free] = [await cluster.open(0), await cluster.open(0)]
  const reader = await TestReader.open(await cluster.on(1, busy).call('ask', {}, 5))
  await reader.until(() => reader.messages.length === 1)
  const closing = cluster.node(0).endpoint.close({ drainMs: 5_000 })
  await sleep(50)
  expect((await cluster.on(1, free).call('ping')).status).toBe(200)
  expect(cluster.node(1).endpoint.stats().sessions).toBe(1)
  expect(toJson(await cluster.on(1, busy).call('echo', { text: 'a' }, 6))).toMatchObject({ result: { text: 'a' } })
  const answer = { jsonrpc: '2.0', id: reader.messages[0]?.id, result: { action: 'accept' } }
  expect((await cluster.on(1, busy).post(answer)).status).toBe(202)
  await reader.until(() => reader.ended)
  expect(reader.messages[1]).toMatchObject({ id: 5, result: { action: 'accept' } })
  await closing
  expect((await cluster.on(1, busy).call('ping')).status).toBe(200)
})

test('a node that closes serves what comes to it all the same, and hands that over as well', async () => {
  const release: (() => void)[] = []
  const park = () => new Promise((resolve) => release.push(() => resolve({ done: true })))
  const cluster = createCluster(2, { park })
  const [busy, idle] = [await cluster.open(0), await cluster.open(0)]
  const parked = busy.call('park', {}, 1)
  await waitFor(() => release.length === 1)
  let isClosed = false
  const closing = cluster
    .node(0)
    .endpoint.close({ drainMs: 20_000 })
    .then(() => {
      isClosed = true
    })
  await waitFor(() => cluster.node(0).endpoint.stats().sessions === 1)
  // As a balancer sends them that has not heard of it.
  expect((await busy.call('ping', {}, 2)).status).toBe(200)
  expect((await idle.call('ping', {}, 2)).status).toBe(200)
  const opened = await cluster.open(0)
  expect((await opened.call('ping', {}, 2)).status).toBe(200)
  const reader = await opened.read()
  await reader.until(() => reader.ended)
  expect(reader.text).toMatch(/^retry: \d{4,5}$/m)
  await waitFor(() => cluster.node(0).endpoint.stats().sessions === 1)
  expect(isClosed).toBe(false)
  for (const answer of release) answer()
  expect((await parked).status).toBe(200)
  await closing
  for (const client of [busy, idle, opened]) {
    expect((await cluster.on(1, client).call('ping', {}, 3)).status).toBe(200)
    expect((await client.call('ping', {}, 4)).status).toBe(503)
  }
})

test('a node that closes waits for the calls that its clients have on others, and says when to come back', async () => {
  const cluster = createCluster(2, {
    park: () => sleep(400).then(() => ({ done: true })),
    echo: () => sleep(50).then(() => ({})),
  })
  const client = await cluster.open(0)
  const standalone = await cluster.on(1, client).read()
  const reader = await TestReader.open(await cluster.on(1, client).call('park', {}, 5))
  const json = cluster.on(1, client).call('echo', {}, 6)
  await sleep(20)
  await cluster.node(1).endpoint.close({ drainMs: 5_000 })
  expect((await json).status).toBe(200)
  expect(reader.messages).toEqual([{ jsonrpc: '2.0', id: 5, result: { done: true } }])
  expect(standalone.ended).toBe(true)
  expect(standalone.text.match(/^retry: /gm)).toHaveLength(2)
})

test('a node that closes hands its sessions over at once', async () => {
  // Long, so that a busy machine is not taken for who waits for it to end.
  const leaseMs = 8_000
  const push: Handlers = { push: ({ push, params }) => push('notifications/message', params) }
  const cluster = createCluster(2, push, { leaseMs })
  const client = await cluster.open(0)
  const reader = await cluster.on(1, client).read()
  await cluster.node(0).endpoint.close({ drainMs: 100 })
  const since = performance.now()
  expect((await cluster.on(1, client).call('push', { data: 1 })).status).toBe(200)
  expect(performance.now() - since).toBeLessThan(leaseMs / 4)
  await reader.until(() => reader.ended || reader.destroyed)
  expect(reader.text).toContain('retry: ')
  const again = await cluster.on(1, client).read(reader.lastEventId)
  await again.until(() => pushed(again).length === 1)
  expect(again.messages).toContainEqual({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
})

test('a node that has closed has said all that it had to say, and says nothing more', async () => {
  const cluster = createCluster(2)
  const client = await cluster.open(0)
  const reader = await cluster.on(1, client).read()
  const { endpoint, link } = cluster.node(1)
  const { publish } = link.backplane.bus
  let underWay = 0
  let isClosed = false
  const late: string[] = []
  link.backplane.bus.publish = async (...given) => {
    if (isClosed) late.push(given[1])
    underWay++
    await sleep(50)
    await publish(...given)
    underWay--
  }
  await endpoint.close({ drainMs: 0 })
  isClosed = true
  expect(underWay).toBe(0)
  reader.leave()
  await sleep(100)
  expect(late).toEqual([])
})

test('a node that starts before the bus can be listened to hears the others once it can', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const { bus } = createMemoryBackplane()
  let isThere = false
  const late: MessageBus = {
    publish: (...given) => bus.publish(...given),
    subscribe: (...given) => {
      if (isThere) return bus.subscribe(...given)
      throw new Error('Not there yet')
    },
  }
  const heard: string[] = []
  const errors: unknown[] = []
  const hearer = {
    notify: ({ method }: { method: string }) => void heard.push(method),
    sessionEnded: () => undefined,
    missed: () => void heard.push('missed'),
  }
  const nodes = new NodeMessages(late, hearer, (error) => void errors.push(error))
  const notification = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' } as const
  await expect(nodes.publish({ type: 'notify', notification })).rejects.toThrow('Not there yet')
  isThere = true
  await vi.advanceTimersByTimeAsync(2_000)
  await new NodeMessages(bus, hearer, () => undefined).publish({ type: 'notify', notification })
  expect(heard).toEqual(['missed', notification.method, notification.method])
  expect(errors).toEqual([new Error('Not there yet')])
  await nodes.close()
})

test('a client without an id is not sent away where the log fails: it gets the answer once that can be read', async () => {
  const finished = deferred()
  const cluster = createCluster(2, { park: () => finished.promise.then(() => ({})) }, sse)
  const client = await cluster.open(0)
  const { events } = cluster.node(1).link.backplane
  const read = vi.spyOn(events, 'read').mockRejectedValue(new Error('away'))
  const reader = await TestReader.open(await cluster.on(1, client).call('park'))
  // Each is made twice.
  await waitFor(() => read.mock.calls.length > 2)
  expect(reader).toMatchObject({ blocks: [], ended: false, destroyed: false })
  expect(cluster.node(1).errors).not.toEqual([])
  read.mockRestore()
  finished.resolve(undefined)
  await reader.until(() => reader.ended)
  expect(reader.messages).toEqual([{ jsonrpc: '2.0', id: 1, result: {} }])
})

test('a client without an id is not sent away by a gap: it is told of it, and goes on', async () => {
  const [begun, finished] = [deferred(), deferred()]
  const handlers: Handlers = {
    work: async ({ notify }) => {
      await begun.promise
      await notify('notifications/progress', { progress: 1 })
      await finished.promise
      return {}
    },
  }
  const cluster = createCluster(2, handlers, sse)
  const client = await cluster.open(0)
  const [owner, other] = [cluster.node(0).link.backplane.events, cluster.node(1).link.backplane.events]
  // What says that the stream is there is not stored; then the other node cannot read.
  const append = vi.spyOn(owner, 'append').mockRejectedValue(new Error('away'))
  const read = vi.spyOn(other, 'read').mockRejectedValue(new Error('away'))
  const reader = await TestReader.open(await cluster.on(1, client).call('work'))
  await waitFor(() => read.mock.calls.length > 2)
  append.mockRestore()
  begun.resolve(undefined)
  await sleep(50)
  read.mockRestore()
  await reader.until(() => reader.messages.length > 0 || reader.ended || reader.destroyed, 5_000)
  finished.resolve(undefined)
  await reader.until(() => reader.ended || reader.destroyed)
  expect(reader.messages).toMatchObject([{ params: { progress: 1 } }, { id: 1, result: {} }])
})

test('a client without an id has an error where what it had was never stored and its owner dies', async () => {
  const cluster = createCluster(
    2,
    {
      park: ({ notify }) => notify('notifications/progress', { progress: 1 }).then(() => new Promise(() => undefined)),
    },
    sse,
  )
  const client = await cluster.open(0)
  vi.spyOn(cluster.node(0).link.backplane.events, 'append').mockRejectedValue(new Error('away'))
  const reader = await TestReader.open(await cluster.on(1, client).call('park', {}, 7))
  await waitFor(() => cluster.node(0).errors.length > 1)
  await sleep(50)
  cluster.kill(0)
  await reader.until(() => reader.ended || reader.destroyed, 5_000)
  expect(reader.messages.at(-1)).toMatchObject({ id: 7, error: { code: -32000 } })
})

test('a change that the store could not take is kept once it can: the next owner knows of it', async () => {
  const cluster = createCluster(2)
  const client = await cluster.open(0, { initialized: false })
  const update = vi.spyOn(cluster.node(0).link.backplane.sessions, 'update').mockRejectedValue(new Error('away'))
  expect((await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' })).status).toBe(202)
  await waitFor(() => cluster.node(0).errors.length > 1)
  update.mockRestore()
  const key = await sessionKey(client.sessionId)
  await vi.waitFor(async () => expect(await cluster.database.sessions.get(key)).toMatchObject({ initialized: true }), {
    timeout: 3_000,
  })
  cluster.kill(0)
  expect((await cluster.on(1, client).call('ping')).status).toBe(200)
  expect(cluster.node(1).servers[0]?.received).toContain('notifications/initialized')
})
