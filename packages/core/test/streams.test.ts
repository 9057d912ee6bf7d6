import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openSession, type TestClient, toJson } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { sleep, waitFor } from '../../../test-support/waiting.ts'
import { createMemoryBackplane, type EventLog, type EventStreamBody, type SinkEvents } from '../src/index.ts'

/** `burst`: `count` progress events, `pauseEvery` of them at a time. */
const handlers: Handlers = {
  burst: async ({ notify, params, signal }) => {
    for (let i = 1; i <= Number(params.count) && !signal.aborted; i++) {
      await notify('notifications/progress', {
        progressToken: 't',
        progress: i,
        filler: 'x'.repeat(Number(params.bytes ?? 0)),
      })
      if (params.pauseEvery && i % Number(params.pauseEvery) === 0) await sleep(0)
    }
    return { done: true }
  },
  scatter: async ({ notify, params }) => {
    await Promise.all(
      Array.from({ length: Number(params.count) }, (_, i) =>
        notify('notifications/progress', { progressToken: 't', progress: i + 1 }),
      ),
    )
    return { done: true }
  },
  flood: ({ notify, params }) => {
    for (let i = 1; i <= Number(params.count); i++)
      void notify('notifications/progress', { progressToken: 't', progress: i })
    return { done: true }
  },
  push: async ({ push, params }) => {
    for (let i = 1; i <= Number(params.count); i++) {
      await push('notifications/message', { level: 'info', data: i, filler: 'x'.repeat(Number(params.bytes ?? 0)) })
    }
    return {}
  },
  wait: ({ params }) => sleep(Number(params.ms)).then(() => ({ waited: true })),
}

/** The memory log behind a network: everything takes a random while. */
function slowLog(maxMs: number): EventLog {
  const log = createMemoryBackplane().events
  const delay = () => (Math.random() < 0.3 ? Promise.resolve() : sleep(Math.random() * maxMs))
  let queue: Promise<unknown> = Promise.resolve()
  return {
    append: (key, event) => {
      const appended = queue.then(delay).then(() => log.append(key, event))
      queue = appended
      return appended
    },
    read: async (...args) => {
      await delay()
      const page = await log.read(...args)
      await delay()
      return page
    },
    release: (...args) => log.release(...args),
    delete: (key) => log.delete(key),
    stats: () => log.stats(),
  }
}

function progressOf(readers: readonly TestReader[]): number[] {
  return readers.flatMap(({ messages }) => messages.map(({ params }) => params?.progress as number).filter(Boolean))
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

/** Reads a call to its end, cut at random moments, each time resumed from the last id. */
async function readWithCuts(trial: { count: number; cuts: number; events?: EventLog }): Promise<number[]> {
  const { endpoint, errors } = createTestEndpoint(handlers, {
    response: 'sse',
    ...(trial.events && { backplane: { events: trial.events } }),
  })
  const client = await openSession(endpoint)
  const first = await TestReader.open(await client.call('burst', { count: trial.count, pauseEvery: 3 }))
  // A log that answers late gives the client its first id late.
  await first.until(() => first.lastEventId !== '')
  const readers = [first]
  for (let cut = 0; cut < trial.cuts; cut++) {
    const reader = readers.at(-1) as TestReader
    const seen = reader.text.length
    for (let i = Math.floor(Math.random() * 6); i > 0 && !reader.ended && reader.text.length < seen + 2_000; i--)
      await sleep(0)
    reader.leave()
    const lastEventId = readers.findLast(({ lastEventId }) => lastEventId !== '')?.lastEventId as string
    readers.push(await client.read(lastEventId))
  }
  const last = readers.at(-1) as TestReader
  await last.until(() => last.ended)
  expect(readers.flatMap(({ messages }) => messages.filter((message) => 'result' in message))).toHaveLength(1)
  expect(errors).toEqual([])
  await endpoint.close({ drainMs: 0 })
  return progressOf(readers)
}

test('1,000 resumes at random moments during continuous appends lose nothing, repeat nothing, and keep the order', async () => {
  for (let trial = 0; trial < 250; trial++) {
    expect(await readWithCuts({ count: 24, cuts: 4 })).toEqual(upTo(24))
  }
}, 60_000)

test('the same holds over a log that answers late', async () => {
  const trials = Array.from({ length: 60 }, () => readWithCuts({ count: 16, cuts: 5, events: slowLog(3) }))
  for (const progress of await Promise.all(trials)) expect(progress).toEqual(upTo(16))
}, 60_000)

test('200 concurrent sends keep the order of ids on the wire, over a log that answers late', async () => {
  const { endpoint } = createTestEndpoint(handlers, { response: 'sse', backplane: { events: slowLog(3) } })
  const client = await openSession(endpoint)
  const reader = await TestReader.open(await client.call('scatter', { count: 200 }))
  await reader.until(() => reader.ended, 20_000)
  expect(progressOf([reader])).toEqual(upTo(200))
  const order = reader.blocks.map(({ id }) => Number.parseInt(id?.split('.')[1] ?? '', 36))
  // The first announces the stream.
  expect(order).toEqual(upTo(202))
}, 30_000)

test('a finished stream is replayed from any of its ids, and ended', async () => {
  const { endpoint } = createTestEndpoint(handlers, { response: 'sse' })
  const client = await openSession(endpoint)
  const whole = await TestReader.open(await client.call('burst', { count: 5 }))
  await whole.until(() => whole.ended)
  const ids = whole.blocks.map(({ id }) => id as string)
  expect(await client.get(ids.pop())).toMatchObject({ status: 204, body: undefined })
  for (const [i, id] of ids.entries()) {
    const again = await client.read(id)
    expect(again.ended).toBe(true)
    expect(again.events).toEqual(whole.events.slice(i))
  }
})

test('a resumed connection takes the stream over: the one before ends, each event is written once', async () => {
  const { endpoint } = createTestEndpoint(handlers, { response: 'sse' })
  const client = await openSession(endpoint)
  const first = await TestReader.open(await client.call('burst', { count: 60, pauseEvery: 2 }))
  await first.until(() => first.events.length > 10)
  const second = await client.read(first.lastEventId)
  expect(first.ended).toBe(true)
  await second.until(() => second.ended)
  expect(progressOf([first, second])).toEqual(upTo(60))
})

test('a second standalone connection takes over too, and no pushed event is written twice', async () => {
  const { endpoint } = createTestEndpoint(handlers)
  const client = await openSession(endpoint)
  await client.call('push', { count: 2 })
  const first = await client.read()
  await client.call('push', { count: 2 })
  const second = await client.read()
  await client.call('push', { count: 1 })
  expect(first.ended).toBe(true)
  expect(first.messages.map(({ params }) => params?.data)).toEqual([1, 2, 1, 2])
  expect(second.messages.map(({ params }) => params?.data)).toEqual([1])
  expect(await client.read(second.lastEventId)).toMatchObject({ events: [] })
})

test('ids of another session, of another stream or made up are refused with 400 and show nothing', async () => {
  const { endpoint } = createTestEndpoint(handlers, { response: 'sse' })
  const [a, b] = [await openSession(endpoint), await openSession(endpoint)]
  const ofB = await TestReader.open(await b.call('burst', { count: 30 }))
  await ofB.until(() => ofB.ended)
  expect(ofB.blocks.length).toBeGreaterThan(30)
  const ofA = await TestReader.open(await a.call('burst', { count: 3 }))
  const real = ofA.lastEventId
  const [tag, index, place] = real.split('.') as [string, string, string]
  const forged = [
    ...ofB.blocks.slice(6).map(({ id }) => id as string),
    `${tag}.9.${place}`,
    `g.${index}.${place}`,
    `p1-9.${index}.${place}`,
    `${tag}.${index}.1-zzzz`,
    `${tag}.${index}.9-1`,
    `${tag}.${index}.0-1`,
    `${real}0`,
    ` ${real}`,
    '',
    '::',
    '../',
    'x'.repeat(8_192),
    '__proto__',
  ]
  for (const eventId of forged) {
    const reply = await a.get(eventId)
    expect([eventId, reply.status]).toEqual([eventId, 400])
    expect(toJson(reply).error).toBeDefined()
  }
})

test('no text taken for an event id causes anything but a clean refusal or a stream of the own session', {
  retry: 0,
}, async () => {
  const { endpoint, errors } = createTestEndpoint(handlers, { response: 'sse' })
  const [a, b] = [await openSession(endpoint), await openSession(endpoint)]
  await TestReader.open(await b.call('burst', { count: 9 }))
  const whole = await TestReader.open(await a.call('burst', { count: 9 }))
  await whole.until(() => whole.ended)
  const ids = whole.blocks.map(({ id }) => id as string)
  const mutated = fc.tuple(
    fc.constantFrom(...ids),
    fc.nat(12),
    fc.string({ maxLength: 2, unit: fc.constantFrom(...'0123456789abcdefgpz.-') }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string(),
        mutated.map(([id, at, text]) => id.slice(0, at) + text + id.slice(at + text.length)),
      ),
      async (eventId) => {
        const reply = await a.get(eventId)
        expect([200, 204, 400]).toContain(reply.status)
        if (reply.status !== 200) return
        const reader = await TestReader.open(reply)
        // The answer to `initialize` is the session's own, too.
        for (const { id } of reader.events) if (id !== 'p1-1.1.1-1') expect(ids).toContain(id)
        reader.leave()
      },
    ),
    { numRuns: 500 },
  )
  expect(errors).toEqual([])
})

test('a standalone stream whose history was dropped says so: header, and what may have changed', async () => {
  const { endpoint } = createTestEndpoint(handlers, { backplane: createMemoryBackplane({ maxEventsPerSession: 3 }) })
  const client = await openSession(endpoint)
  await client.post({ jsonrpc: '2.0', id: 7, method: 'resources/subscribe', params: { uri: 'test://watched' } })
  const first = await client.read()
  await client.call('push', { count: 1 })
  first.leave()
  await client.call('push', { count: 9 })
  const reply = await client.get(first.lastEventId)
  expect(reply.headers['mcp-resume']).toBe('gap')
  const { messages } = await TestReader.open(reply)
  expect(messages.map(({ method }) => method)).toEqual([
    'notifications/tools/list_changed',
    'notifications/resources/list_changed',
    'notifications/resources/updated',
    ...Array(3).fill('notifications/message'),
  ])
  expect(messages.slice(3).map(({ params }) => params?.data)).toEqual([7, 8, 9])
})

test('a call whose progress was dropped still gets its answer', async () => {
  const { endpoint } = createTestEndpoint(handlers, {
    response: 'sse',
    backplane: createMemoryBackplane({ maxEventsPerSession: 4 }),
  })
  const client = await openSession(endpoint)
  const first = await TestReader.open(await client.call('burst', { count: 50, pauseEvery: 10 }))
  first.leave()
  await waitFor(() => endpoint.stats().calls === 0)
  const again = await client.read(first.lastEventId)
  expect(again.ended).toBe(true)
  expect(again.messages.at(-1)).toMatchObject({ id: 1, result: { done: true } })
  expect(endpoint.stats().log.events).toBeLessThanOrEqual(4)
})

test('a call whose answer was dropped ends with an error for its id', async () => {
  const { endpoint } = createTestEndpoint(handlers, {
    response: 'sse',
    backplane: createMemoryBackplane({ maxEventsPerSession: 2 }),
  })
  const client = await openSession(endpoint)
  const first = await TestReader.open(await client.call('burst', { count: 1 }, 'mine'))
  await first.until(() => first.ended)
  for (let i = 0; i < 5; i++) await TestReader.open(await client.call('ping'))
  const again = await client.read(first.blocks[0]?.id)
  expect(again.ended).toBe(true)
  expect(again.messages).toEqual([expect.objectContaining({ id: 'mine', error: expect.anything() })])
  expect((await client.get(again.lastEventId)).status).toBe(204)
})

test('an answer that cannot be stored reaches whoever reads, and who comes later gets an error, not silence', async () => {
  const log = createMemoryBackplane().events
  const broken: EventLog = {
    ...slowLog(0),
    read: log.read.bind(log),
    append: () => Promise.reject(new Error('store is down')),
  }
  const { endpoint, errors } = createTestEndpoint(handlers, { response: 'sse', backplane: { events: broken } })
  const client = await openSession(endpoint)
  const call = { jsonrpc: '2.0', id: 1, method: 'burst', params: { count: 2 } }
  // Read from its first moment: nothing waits for who comes later.
  const live = await TestReader.open(await endpoint.handle(client.request('POST', { body: call })))
  await live.until(() => live.ended)
  expect(live.messages.at(-1)).toMatchObject({ id: 1, result: { done: true } })
  expect(live.events.every(({ id }) => id === undefined)).toBe(true)
  expect(errors).not.toEqual([])
})

test('when the log cannot be read the connection ends, and the client can come back', async () => {
  const log = createMemoryBackplane().events
  let down = false
  const flaky: EventLog = {
    ...slowLog(0),
    append: log.append.bind(log),
    read: async (...args) => {
      if (down && args[3] > 2) throw new Error('store is down')
      return log.read(...args)
    },
  }
  const { endpoint, errors } = createTestEndpoint(handlers, { response: 'sse', backplane: { events: flaky } })
  const client = await openSession(endpoint)
  const first = await TestReader.open(await client.call('burst', { count: 3 }))
  await first.until(() => first.ended)
  down = true
  const failed = await client.read(first.blocks[0]?.id)
  await failed.until(() => failed.ended)
  expect(failed.events).toEqual([])
  expect(errors).toHaveLength(1)
  down = false
  const again = await client.read(failed.lastEventId)
  await again.until(() => again.ended)
  expect(again.events).toEqual(first.events)
})

test('a sender that awaits is held to the pace of its reader, and a stalled reader is dropped and loses nothing', async () => {
  const { endpoint } = createTestEndpoint(handlers, { response: 'sse', stallMs: 200 })
  const client = await openSession(endpoint)
  const first = await TestReader.open(await client.call('burst', { count: 100, bytes: 65_536 }), true)
  await first.until(() => first.destroyed, 3_000)
  expect(first.queued).toBeLessThan(200_000)
  expect(endpoint.stats().log.bytes).toBeLessThan(1_400_000)
  const second = await client.read(first.lastEventId)
  await second.until(() => second.ended, 10_000)
  expect(progressOf([first, second])).toEqual(upTo(100))
}, 20_000)

test('a sender that does not await fills no memory: the oldest progress is dropped, the answer is kept', async () => {
  const backplane = createMemoryBackplane({ maxBytesPerSession: 100_000 })
  const { endpoint } = createTestEndpoint(handlers, { response: 'sse', backplane })
  const client = await openSession(endpoint)
  const first = await TestReader.open(await client.call('flood', { count: 20_000 }), true)
  await waitFor(() => endpoint.stats().calls === 0, 20_000)
  expect(endpoint.stats().log.bytes).toBeLessThanOrEqual(100_000)
  first.resume()
  await first.until(() => first.ended)
  expect(first.messages.at(-1)).toMatchObject({ result: { done: true } })
}, 30_000)

test('nobody waits for a standalone stream that nobody reads', async () => {
  const { endpoint } = createTestEndpoint(handlers)
  const client = await openSession(endpoint)
  expect((await client.call('push', { count: 100, bytes: 65_536 })).status).toBe(200)
})

test('streams start with retry, then a cursor where the client knows empty events, otherwise a comment', async () => {
  const { endpoint } = createTestEndpoint(handlers, { response: 'sse' })
  const modern = await openSession(endpoint)
  const older = await openSession(endpoint, { version: '2025-06-18' })
  expect((await modern.read()).text).toMatch(/^retry: \d+\n\nid: g\.0\.1-\w+\ndata: \n\n$/)
  expect((await older.read()).text).toMatch(/^retry: \d+\n\n:\n\n$/)
  const polled = await TestReader.open(await modern.call('wait', { ms: 20 }))
  expect(polled.text).toMatch(/^retry: \d+\n\nid: p1-\w+\.0\.1-\w+\ndata: \n\n$/)
})

test('a silent stream gets comments, an old one is broken so that its client returns, and neither loses its cursor', async () => {
  const { endpoint } = createTestEndpoint(handlers, { keepAliveMs: 40, maxConnectionAgeMs: 300 })
  const client = await openSession(endpoint)
  const reader = await client.read()
  await reader.until(() => reader.destroyed, 3_000)
  expect(reader.text.split('\n\n').filter((block) => block === ':').length).toBeGreaterThan(1)
  await client.call('push', { count: 3 })
  expect((await client.read(reader.lastEventId)).messages.map(({ params }) => params?.data)).toEqual([1, 2, 3])
})

test('a sink that asks for more while it is written to gets every event once', async () => {
  const { endpoint } = createTestEndpoint(handlers, { response: 'sse' })
  const client = await openSession(endpoint)
  const { body } = await client.call('burst', { count: 30, pauseEvery: 7 })
  const written: string[] = []
  let ended = false
  // While it is opened there is nothing to ask yet.
  let events: SinkEvents | undefined
  events = (body as EventStreamBody).open({
    write: (text) => {
      events?.drain()
      written.push(text)
      events?.drain()
      return true
    },
    end: (text) => {
      written.push(text)
      ended = true
    },
    destroy: () => undefined,
  })
  await waitFor(() => ended)
  const messages = written.join('').match(/"progress":\d+|"result"/g)
  expect(messages).toEqual([...upTo(30).map((i) => `"progress":${i}`), '"result"'])
})

/** Every piece that a call's connection was given, the last one with its end, and what `now` was then. */
async function readPieces(client: TestClient, method: string, now = () => 0): Promise<{ text: string; at: number }[]> {
  const pieces: { text: string; at: number }[] = []
  const request = client.request('POST', { body: { jsonrpc: '2.0', id: 1, method } })
  const { body } = await client.endpoint.handle(request)
  await new Promise<void>((resolve) => {
    const note = (text: string) => pieces.push({ text, at: now() }) > 0
    const end = (text: string) => {
      note(text)
      resolve()
    }
    ;(body as EventStreamBody).open({ write: note, end, destroy: () => undefined })
  })
  return pieces
}

test('a stream that is answered at once is one piece', async () => {
  const { endpoint } = createTestEndpoint(handlers, { response: 'sse' })
  const pieces = await readPieces(await openSession(endpoint), 'ping')
  expect(pieces.map(({ text }) => text)).toEqual([
    expect.stringMatching(/^retry: \d+\n\nid: .*\ndata: \n\nid: .*\ndata: .*"result":\{\}.*\n\n$/),
  ])
})

test('a burst goes out in few pieces, the first of them before the last event is sent', async () => {
  let sent = 0
  const many: Handlers[string] = async ({ notify }) => {
    for (; sent < 1_000; sent++) {
      await notify('notifications/progress', { progressToken: 't', progress: sent, filler: 'x'.repeat(80) })
    }
    return {}
  }
  const { endpoint } = createTestEndpoint({ many }, { response: 'sse' })
  const pieces = await readPieces(await openSession(endpoint), 'many', () => sent)
  expect(pieces.length).toBeLessThan(30)
  expect(pieces[0]?.at).toBeLessThan(200)
})

// Cursor gives a stream up after 10 s without a byte.
test('a silent connection gets a comment within 10 s by default', async () => {
  onTestFinished(() => void vi.useRealTimers())
  vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] })
  const client = await openSession(createTestEndpoint().endpoint)
  const reader = await client.read()
  for (let silences = 0; silences < 3; silences++) {
    const { length } = reader.text
    await vi.advanceTimersByTimeAsync(9_999)
    await nextTurn()
    expect(reader.text.slice(length)).toMatch(/^(:\n\n)+$/)
  }
})
