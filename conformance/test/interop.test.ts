import { describe, expect } from 'vitest'
import { patienceMs } from '../src/client/waiting.ts'
import type { Progress } from './interop/clients.ts'
import { Inbox } from './interop/inbox.ts'
import { eventually, pairs, standaloneOpen, testMeeting, upTo } from './interop/meet.ts'

const watched = 'test://watched-resource'

for (const pair of pairs)
  describe(pair.name, () => {
    const test = testMeeting.bind(null, pair)

    test('negotiates 2025-11-25 and builds one server object for the session', async ({ client, built, endpoint }) => {
      expect(client.protocolVersion).toBe('2025-11-25')
      expect(client.sessionId).toMatch(/^[\x21-\x7e]{22,}$/)
      expect(client.serverName).toBe(pair.serverKind.sdk === 1 ? 'throughline-everything' : 'interop-sdk-2')
      await client.ping()
      await client.toolNames()
      await standaloneOpen(client)
      expect(built).toHaveLength(1)
      expect(built[0]).toMatchObject({
        sessionId: client.sessionId,
        requestedProtocolVersion: '2025-11-25',
        clientInfo: { name: 'interop', version: '1.0.0' },
        resumed: false,
      })
      expect(endpoint.stats()).toMatchObject({ sessions: 1, connections: 1, calls: 0 })
    })

    test('answers in the shape that was configured', async ({ client }) => {
      expect(await client.call('echo', { text: 'hello' })).toEqual({ text: 'hello', isError: false })
      const posts = client.sent.items.filter(({ method, contentType }) => method === 'POST' && contentType !== null)
      const expected = pair.serverKind.response === 'sse' ? /^text\/event-stream/ : /^application\/json/
      expect(posts.at(-1)?.contentType).toMatch(expected)
    })

    test('lists tools, calls one many times at once, and reports what fails', async ({ client }) => {
      expect(await client.toolNames()).toEqual(expect.arrayContaining(['echo', 'burst', 'ask']))
      const texts = upTo(50).map((number) => `text ${number} ☃`)
      const results = await Promise.all(texts.map((text) => client.call('echo', { text })))
      expect(results).toEqual(texts.map((text) => ({ text, isError: false })))
      expect(await client.call('throw_sync')).toMatchObject({ isError: true, text: 'thrown at once' })
      await expect(client.prompt('no such prompt')).rejects.toThrow(/not found/i)
      expect((await client.call('echo', { text: 'still here' })).text).toBe('still here')
    })

    test('delivers all progress in order, of several calls at once', async ({ client }) => {
      const runs = await Promise.all(
        [10, 40, 25].map(async (count) => {
          const seen: Progress[] = []
          const result = await client.call('burst', { count }, { onprogress: (progress) => seen.push(progress) })
          return { count, result, seen }
        }),
      )
      for (const { count, result, seen } of runs) {
        expect(result).toEqual({ text: 'burst done', isError: false })
        expect(seen.map(({ progress }) => progress)).toEqual(upTo(count))
        expect(seen.map(({ message }) => message)).toEqual(upTo(count).map((index) => `burst:${index}`))
      }
    })

    test('sends log messages at the level that was set', async ({ client }) => {
      await client.setLevel('info')
      await client.call('test_tool_with_logging')
      expect(await client.logs.count(3)).toEqual([
        'Tool execution started',
        'Tool processing data',
        'Tool execution completed',
      ])
      await client.setLevel('error')
      await client.call('test_tool_with_logging')
      await client.setLevel('info')
      await client.call('test_tool_with_logging')
      expect(await client.logs.count(6)).toHaveLength(6)
    })

    test('asks for sampling, elicitation and roots on the stream of the call', async ({ client }) => {
      expect(await client.call('ask')).toEqual({ text: 'answer:42', isError: false })
      expect(await client.call('ask_sampling')).toEqual({ text: 'sampled:sampled text', isError: false })
      expect((await client.call('ask_roots')).text).toContain('file:///interop')
      expect(client.asked.items).toEqual(['elicitation/create', 'sampling/createMessage', 'roots/list'])
    })

    test('keeps apart the answers of calls that ask at the same time', async ({ client }) => {
      const tools = upTo(30).map((number) => (number % 3 ? (number % 2 ? 'ask' : 'ask_sampling') : 'ask_unrelated'))
      const results = await Promise.all(tools.map((tool) => client.call(tool)))
      const expected = tools.map((tool) => (tool === 'ask_sampling' ? 'sampled:sampled text' : 'answer:42'))
      expect(results.map(({ text }) => text)).toEqual(expected)
      expect(client.asked.items).toHaveLength(30)
    })

    test('asks outside of any call on the standalone stream', async ({ client }) => {
      expect(await client.call('ask_unrelated')).toEqual({ text: 'answer:42', isError: false })
      expect(client.asked.items).toEqual(['elicitation/create'])
    })

    for (const tool of ['ask', 'ask_sampling', 'ask_roots', 'ask_unrelated']) {
      test(
        `${tool} fails cleanly when the client declared no capability for it`,
        async ({ client }) => {
          expect((await client.call(tool, {}, { timeout: patienceMs })).isError).toBe(true)
          expect((await client.call('echo', { text: 'after' })).text).toBe('after')
        },
        { mute: true },
      )
    }

    test('tells who subscribed that a resource changed, and nobody else', async ({ client, connect }) => {
      const other = await connect()
      expect((await client.call('touch_resource')).text).toBe(`not subscribed ${watched}`)
      await client.subscribe(watched)
      expect((await client.call('touch_resource')).text).toBe(`updated ${watched}`)
      expect(await client.updated.count(1)).toEqual([watched])
      expect((await other.call('touch_resource')).text).toBe(`not subscribed ${watched}`)
      await client.unsubscribe(watched)
      expect((await client.call('touch_resource')).text).toBe(`not subscribed ${watched}`)
      // What was sent before arrives before.
      await Promise.all([client, other].map((one) => one.call('push')))
      await Promise.all([client, other].map((one) => one.logs.count(1)))
      expect(client.updated.items).toEqual([watched])
      expect(other.updated.items).toEqual([])
    })

    test('announces a changed tool list', async ({ client, endpoint }) => {
      await client.call('list_changed')
      await client.toolListChanged.count(1)
      await endpoint.notify({ method: 'notifications/tools/list_changed' })
      await client.toolListChanged.count(2)
      expect(client.toolListChanged.items).toHaveLength(2)
    })

    test('completes, and serves prompts and resources', async ({ client }) => {
      expect(await client.complete('test_prompt_with_arguments', 'arg1', 'par')).toEqual(['paris', 'park', 'party'])
      expect(await client.complete('test_prompt_with_arguments', 'arg1', 'pari')).toEqual(['paris'])
      expect(await client.promptNames()).toContain('test_simple_prompt')
      expect(await client.prompt('test_prompt_with_arguments', { arg1: 'a', arg2: 'ü' })).toEqual([
        { role: 'user', content: { type: 'text', text: "Prompt with arguments: arg1='a', arg2='ü'" } },
      ])
      expect(await client.resourceUris()).toContain('test://static-text')
      expect(await client.templateUris()).toEqual(['test://template/{id}/data'])
      expect(await client.read('test://static-text')).toMatchObject([
        { text: 'This is the content of the static text resource.' },
      ])
      expect(await client.read('test://template/7/data')).toMatchObject([{ uri: 'test://template/7/data' }])
    })

    test('stops the handler when the client aborts its call, and no other', async ({ client, endpoint }) => {
      const abort = new AbortController()
      const kept = new AbortController()
      const abortedCall = client.call('abort_probe', { key: 'one' }, { signal: abort.signal })
      const keptCall = client.call('abort_probe', { key: 'two' }, { signal: kept.signal })
      const refused = expect(abortedCall).rejects.toThrow()
      const refusedLater = expect(keptCall).rejects.toThrow()
      const states = async () =>
        (await Promise.all(['one', 'two'].map((key) => client.call('abort_query', { key })))).map(({ text }) => text)
      const become = (expected: string[]) => eventually(async () => expect(await states()).toEqual(expected))

      await become(['running', 'running'])
      abort.abort('enough')
      await refused
      await become(['aborted', 'running'])
      await client.ping()
      kept.abort()
      await refusedLater
      await become(['aborted', 'aborted'])
      expect(endpoint.stats().calls).toBe(0)
    })

    const rootsAtStart = new Inbox<unknown>()
    test(
      'can ask for roots as soon as the session is initialized',
      async ({ client }) => {
        await rootsAtStart.count(1)
        expect(rootsAtStart.items).toEqual([[{ uri: 'file:///interop' }]])
        expect(client.asked.items).toEqual(['roots/list'])
      },
      {
        prepare: ({ server }) => {
          server.oninitialized = () => {
            server.listRoots().then(
              ({ roots }) => rootsAtStart.add(roots),
              (error: unknown) => rootsAtStart.add(error),
            )
          }
        },
      },
    )
  })
