import { describe, expect } from 'vitest'
import { delay } from '../src/client/waiting.ts'
import type { InteropClient } from './interop/clients.ts'
import { Inbox } from './interop/inbox.ts'
import { callDirectly, expectStats, keyOf, pairs, standaloneOpen, testMeeting, upTo } from './interop/meet.ts'

const cutAt = [5, 12, 18]

/** Passes when a while goes by in which the client sends nothing. The while is many times `retryMs`. */
async function quiet({ sent }: InteropClient): Promise<void> {
  for (const attempt of upTo(5)) {
    const before = sent.items.length
    await delay(200)
    if (sent.items.length === before) return
    if (attempt === 5) throw new Error(`The client keeps sending: ${JSON.stringify(sent.items.slice(-3))}`)
  }
}

for (const pair of pairs)
  describe(pair.name, () => {
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
      const call = client.call(
        'burst',
        { count: 10, delayMs: 10 },
        { onprogress: ({ progress }) => seen.add(progress) },
      )
      await seen.count(3)
      proxy.hold()
      proxy.cut()
      await expectStats(endpoint, { calls: 0 })
      proxy.release()
      expect(await call).toEqual({ text: 'burst done', isError: false })
      expect(seen.items).toEqual(upTo(10))
    })

    test('mixes up no answers when sockets are cut while the client is being asked', async ({ client, proxy }) => {
      await standaloneOpen(client)
      const seen: number[] = []
      const call = client.call(
        'burst',
        { count: 10, delayMs: 10 },
        { onprogress: ({ progress }) => seen.push(progress) },
      )
      // A request or an answer that was lost with its socket is the client's to repeat, and it does not.
      const asking = Promise.allSettled(upTo(5).map(() => client.call('ask_unrelated', {}, { timeout: 1_000 })))
      await client.asked.count(1)
      proxy.cut()
      expect(await call).toEqual({ text: 'burst done', isError: false })
      expect(seen).toEqual(upTo(10))
      for (const outcome of await asking) {
        if (outcome.status === 'fulfilled') expect(outcome.value.text).toBe('answer:42')
      }
      expect((await client.call('ask')).text).toBe('answer:42')
    })

    test('loses no notification while the standalone stream is cut', async (meeting) => {
      const { client, proxy, url, endpoint } = meeting
      await standaloneOpen(client)
      await client.call('push', { count: 10, text: 'before' })
      await client.logs.count(4)
      proxy.hold()
      proxy.cut()
      await expectStats(endpoint, { connections: 0 })
      await callDirectly(url, client, 'push', { count: 10, text: 'away' })
      expect(client.logs.items.length).toBeLessThanOrEqual(10)
      proxy.release()
      await client.logs.count(20)
      await client.call('push', { count: 10, text: 'after' })
      await client.logs.count(30)
      const expected = ['before', 'away', 'after'].flatMap((text) => upTo(10).map((index) => `${text}:${index}`))
      expect(client.logs.items).toEqual(expected)
    })

    test('loses no notification of a run that is cut again and again', async ({ client, proxy, endpoint }) => {
      await standaloneOpen(client)
      const sessionKey = await keyOf(client)
      const cuts = [20, 50, 80].map(async (count) => {
        await client.logs.count(count)
        return proxy.cut()
      })
      for (const number of upTo(100)) {
        const params = { level: 'info', data: number }
        await endpoint.notify({ method: 'notifications/message', params }, { sessionKey })
        // Spread, so that cuts fall between events.
        await delay(2)
      }
      await client.logs.count(100)
      expect(await Promise.all(cuts)).not.toContain(0)
      expect(client.logs.items).toEqual(upTo(100))
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

    test('does not come back for ever after an error on a stream', async ({ client }) => {
      await standaloneOpen(client)
      await expect(client.prompt('no such prompt')).rejects.toThrow(/not found/i)
      await quiet(client)
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
