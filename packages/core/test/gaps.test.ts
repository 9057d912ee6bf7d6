import { expect, test } from 'vitest'
import { openSession } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { sleep } from '../../../test-support/waiting.ts'
import { createMemoryBackplane } from '../src/index.ts'

const text = 'x'.repeat(50_000)

/** Sends numbered events that each fill a good part of a small log, waiting for the reader or not. */
function flood(count: number, waits: boolean, done: { sent: number }): Handlers {
  return {
    flood: async ({ notify }) => {
      for (let i = 1; i <= count; i++) {
        const sent = notify('notifications/progress', { i, text })
        if (waits) await sent
        done.sent = i
      }
      return { done: true }
    },
  }
}

const backplane = () => createMemoryBackplane({ maxBytesPerSession: 400_000 })

test('a sender that waits goes on when the log has dropped what its reader was behind with', async () => {
  const done = { sent: 0 }
  // 40 events are 2 MB: more than a sender may be ahead, and the log holds 8 of them.
  const { endpoint } = createTestEndpoint(flood(60, true, done), { response: 'sse', backplane: backplane() })
  const client = await openSession(endpoint)
  const reader = await TestReader.open(await client.call('flood'), true)
  await reader.until(() => done.sent >= 20)
  await sleep(50)
  expect(done.sent).toBeLessThan(60)
  reader.resume()
  let current = reader
  for (let i = 0; i < 20 && !current.messages.some(({ id }) => id === 1); i++) {
    await current.until(() => current.ended)
    current = await client.read(current.lastEventId)
    await current.until(() => current.ended || current.messages.length > 0)
  }
  await current.until(() => current.ended)
  expect(current.messages.at(-1)).toMatchObject({ id: 1, result: { done: true } })
  expect(endpoint.stats().calls).toBe(0)
})

test('a client whose reader was overrun comes back, hears of the gap in the header, and misses nothing in silence', async () => {
  const { endpoint } = createTestEndpoint(flood(40, false, { sent: 0 }), { response: 'sse', backplane: backplane() })
  const client = await openSession(endpoint)
  const first = await TestReader.open(await client.call('flood'))
  await first.until(() => first.ended)
  const seen = [first]
  for (let reader = first; !reader.messages.some(({ id }) => id === 1); ) {
    const reply = await client.get(reader.lastEventId)
    reader = await TestReader.open(reply)
    await reader.until(() => reader.ended)
    seen.push(reader)
  }
  const numbers = seen.map((reader) => reader.messages.flatMap(({ params }) => (params ? [params.i as number] : [])))
  let last = 0
  for (const [i, run] of numbers.entries()) {
    for (const [k, number] of run.entries()) {
      const isTold = k === 0 && seen[i]?.reply.headers['mcp-resume'] === 'gap'
      const isComment = seen[i]?.text.includes(': events were dropped here') === true
      if (number !== last + 1) expect([number, isTold || isComment]).toEqual([number, true])
      last = number
    }
  }
  expect(numbers.flat().length).toBeLessThan(40)
})

test('a client that could not come back hears of the gap in the stream, and gets its answer', async () => {
  const { endpoint } = createTestEndpoint(flood(40, false, { sent: 0 }), { response: 'sse', backplane: backplane() })
  const client = await openSession(endpoint, { version: '2025-06-18' })
  const reader = await TestReader.open(await client.call('flood'), true)
  reader.resume()
  await reader.until(() => reader.ended)
  expect(reader.text).toContain(': events were dropped here\n\n')
  expect(reader.messages.at(-1)).toMatchObject({ id: 1, result: { done: true } })
})
