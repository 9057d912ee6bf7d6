import { describe, expect } from 'vitest'
import { Inbox } from './interop/inbox.ts'
import { callDirectly, pairs, standaloneOpen, testMeeting, upTo } from './interop/meet.ts'

const cutAt = [5, 12, 18]

describe.each(pairs)('$name', (pair) => {
  const test = testMeeting.bind(null, pair)

  test('resumes a call whose sockets are cut: all progress once, in order, and the result', async (meeting) => {
    const { client, proxy, endpoint } = meeting
    await standaloneOpen(client)
    const seen: number[] = []
    const onprogress = ({ progress }: { progress: number }) => {
      seen.push(progress)
      if (cutAt.includes(progress)) expect(proxy.cut()).toBeGreaterThan(0)
    }
    const result = await client.call('burst', { count: 20, delayMs: 10 }, { onprogress })
    expect(result).toEqual({ text: 'burst done', isError: false })
    expect(seen).toEqual(upTo(20))
    const resumed = client.sent.items.filter(({ lastEventId, status }) => lastEventId !== null && status === 200)
    expect(resumed.length).toBeGreaterThanOrEqual(cutAt.length)
    expect(endpoint.stats()).toMatchObject({ calls: 0, detachedCalls: 0 })
    expect((await client.call('echo', { text: 'after' })).text).toBe('after')
  })

  test('resumes a call that ended while its client was away', async ({ client, proxy, endpoint }) => {
    const seen = new Inbox<number>()
    const call = client.call('burst', { count: 10, delayMs: 10 }, { onprogress: ({ progress }) => seen.add(progress) })
    await seen.count(3)
    proxy.hold()
    proxy.cut()
    await expect.poll(() => endpoint.stats().calls).toBe(0)
    proxy.release()
    expect(await call).toEqual({ text: 'burst done', isError: false })
    expect(seen.items).toEqual(upTo(10))
  })

  test('resumes a call that was cut while the client is being asked', async ({ client, proxy }) => {
    await standaloneOpen(client)
    const seen: number[] = []
    const call = client.call('burst', { count: 10, delayMs: 10 }, { onprogress: ({ progress }) => seen.push(progress) })
    const answers = upTo(5).map(() => client.call('ask_unrelated'))
    await client.asked.count(1)
    proxy.cut()
    expect(await call).toEqual({ text: 'burst done', isError: false })
    expect(seen).toEqual(upTo(10))
    // A request that was lost with its socket is the client's to repeat; none may hang or get another's answer.
    const settled = await Promise.allSettled(answers)
    for (const outcome of settled) {
      if (outcome.status === 'fulfilled') expect(outcome.value.text).toBe('answer:42')
    }
  })

  test('loses no notification while the standalone stream is cut', async (meeting) => {
    const { client, proxy, url, endpoint } = meeting
    await standaloneOpen(client)
    await client.call('push', { count: 10, text: 'before' })
    await client.logs.count(4)
    proxy.hold()
    proxy.cut()
    await expect.poll(() => endpoint.stats().connections).toBe(0)
    await callDirectly(url, client, 'push', { count: 10, text: 'away' })
    expect(client.logs.items.length).toBeLessThanOrEqual(10)
    proxy.release()
    await client.logs.count(20)
    await client.call('push', { count: 10, text: 'after' })
    await client.logs.count(30)
    const expected = ['before', 'away', 'after'].flatMap((text) => upTo(10).map((index) => `${text}:${index}`))
    expect(client.logs.items).toEqual(expected)
  })

  test('loses no notification of a run that is cut again and again', async ({ client, proxy, url }) => {
    await standaloneOpen(client)
    for (let round = 1; round <= 5; round++) {
      const pushing = callDirectly(url, client, 'push', { count: 50, text: `round ${round}` })
      proxy.cut()
      await pushing
      await client.logs.count(round * 50)
    }
    const expected = upTo(5).flatMap((round) => upTo(50).map((index) => `round ${round}:${index}`))
    expect(client.logs.items).toEqual(expected)
  })

  test('lets the client poll when a handler ends its connection', async ({ client }) => {
    await standaloneOpen(client)
    const seen: number[] = []
    const onprogress = ({ progress }: { progress: number }) => seen.push(progress)
    const result = await client.call('close_stream', { times: 3, delayMs: 40 }, { onprogress })
    expect(result).toEqual({ text: 'close_stream done 4', isError: false })
    expect(seen).toEqual(upTo(4))
    expect(client.sent.items.filter(({ lastEventId }) => lastEventId !== null).length).toBeGreaterThanOrEqual(1)
  })

  test('lets the client poll for an answer when nothing was sent before', async ({ client }) => {
    const result = await client.call('test_reconnection')
    expect(result.isError).toBe(false)
    expect(result.text).toMatch(/^Reconnection test completed successfully/)
    expect(client.sent.items.filter(({ lastEventId }) => lastEventId !== null).length).toBeGreaterThanOrEqual(1)
  })

  test('goes on with the standalone stream after a handler ended its connection', async ({ client }) => {
    await standaloneOpen(client)
    await client.call('push', { count: 3, text: 'before' })
    await client.call('close_standalone')
    await client.call('push', { count: 3, text: 'after' })
    await client.logs.count(6)
    await client.sent.first(({ method, lastEventId }) => method === 'GET' && lastEventId !== null)
    await client.call('push', { count: 1, text: 'last' })
    await client.logs.count(7)
    expect(client.logs.items).toEqual([
      ...['before:1', 'before:2', 'before:3', 'after:1', 'after:2', 'after:3'],
      'last:1',
    ])
  })
})
