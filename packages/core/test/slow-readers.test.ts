import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { McpClient } from '../../../test-support/client/mcp-client.ts'
import { RawConnection } from '../../../test-support/client/raw-connection.ts'
import { collectGarbage } from '../../../test-support/collect-garbage.ts'
import { settle, watchedEndpoint } from '../../../test-support/endpoints.ts'
import { openSession } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import { type Listening, listen } from '../../../test-support/listen.ts'
import { stopClock } from '../../../test-support/stop-clock.ts'
import { sleep, waitFor, within } from '../../../test-support/waiting.ts'
import type { Endpoint, EndpointOptions, EventStreamBody } from '../src/index.ts'
import { toNodeHandler } from '../src/node/index.ts'

function heldBytes(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** More than the kernel's buffers take. */
const large = 'x'.repeat(12_000_000)
const big = (): string => large

interface Started extends Listening {
  readonly endpoint: Endpoint
  readonly url: string
  /** Connections that the server has open. */
  readonly open: () => number
}

async function start(options: Partial<EndpointOptions> = {}): Promise<Started> {
  const { endpoint } = watchedEndpoint({ big }, options)
  const listening = await listen(toNodeHandler(endpoint))
  let open = 0
  listening.server.on('connection', (socket) => {
    open++
    socket.once('close', () => open--)
  })
  return { ...listening, endpoint, url: `${listening.origin}/mcp`, open: () => open }
}

/** Asks, and reads not a byte of the answer. */
async function askOnly(port: number, method: string, headers: Record<string, string>, body?: unknown) {
  const connection = await RawConnection.open(port)
  connection.socket.pause()
  connection.send({ method, headers, body })
  return connection
}

describe('a client that reads nothing of what has ended', () => {
  test('leaves no JSON answer behind', async () => {
    const { port, url, open } = await start({ stallMs: 200, response: 'json' })
    const client = await McpClient.open(url)
    for (let i = 0; i < 5; i++) await askOnly(port, 'POST', client.headers, client.callMessage('big'))
    await waitFor(() => open() >= 5)
    // All but the one that the client keeps.
    await waitFor(() => open() <= 1, 10_000)
  })

  test('leaves no stream behind that another connection has taken over, or that ended with its session', async () => {
    const { port, url, server, endpoint, open } = await start({ stallMs: 200 })
    const client = await McpClient.open(url)
    for (let i = 0; i < 6; i++) {
      await askOnly(port, 'GET', client.headers)
      // Its head: from now on it follows the stream.
      await once(server, 'request')
      await sleep(20)
      await endpoint.notify({ method: 'notifications/filler', params: { large } })
    }
    await (await client.delete()).text()
    await waitFor(() => open() <= 1, 4_000)
    expect(endpoint.stats().connections).toBe(0)
  })

  test('does not hold the end of the endpoint up', async () => {
    const { port, url, endpoint, open } = await start({ stallMs: 60_000 })
    const client = await McpClient.open(url)
    await askOnly(port, 'GET', client.headers)
    await waitFor(() => endpoint.stats().connections === 1)
    await endpoint.notify({ method: 'notifications/filler', params: { large } })
    await askOnly(port, 'GET', client.headers)
    await waitFor(() => endpoint.stats().connections === 2)
    await within(2_000, endpoint.close({ drainMs: 500 }))
    await waitFor(() => open() <= 1, 2_000)
  })
})

describe('a client that reads slowly', () => {
  /** An open standalone stream whose client is always behind, and takes another piece whenever it is told to. */
  async function openBehind(options: Partial<EndpointOptions>, expiresInMs?: number) {
    const { endpoint } = createTestEndpoint({}, { keepAliveMs: 0, ...options })
    const expiresAt = expiresInMs === undefined ? {} : { expiresAt: (Date.now() + expiresInMs) / 1_000 }
    const auth = { token: 't', clientId: 'c', scopes: [], ...expiresAt }
    const client = await openSession(endpoint, { auth })
    let destroyed = false
    const sink = { write: () => false, end: () => undefined, destroy: () => (destroyed = true) }
    const events = ((await client.get()).body as EventStreamBody).open(sink as never)
    await waitFor(() => endpoint.stats().connections === 1)
    await new Promise(setImmediate)
    return { progress: () => events.progress(), isDestroyed: () => destroyed }
  }

  test.each([
    ['its token expires', { stallMs: 100 }, 400],
    ['its connection is old', { stallMs: 100, maxConnectionAgeMs: 400 }, undefined],
  ])('is cut off all the same when %s', async (_what, options, expiresInMs) => {
    const clock = stopClock()
    const { progress, isDestroyed } = await openBehind(options, expiresInMs)
    for (let passed = 0; passed < 300; passed += 75) {
      await clock.pass(75)
      progress()
      expect(isDestroyed()).toBe(false)
    }
    for (let passed = 0; passed < 225; passed += 75) {
      progress()
      await clock.pass(75)
    }
    expect(isDestroyed()).toBe(true)
  })
})

describe('a session', () => {
  test('has few connections that nobody reads to their end, and the newest of them', async () => {
    const { endpoint } = createTestEndpoint({ fast: () => ({ done: true }) }, { response: 'sse' })
    const client = await openSession(endpoint)
    const first = await TestReader.open(await client.call('fast'))
    const [priming] = first.blocks
    const readers: TestReader[] = []
    for (let i = 0; i < 100; i++) readers.push(await TestReader.open(await client.get(priming?.id), true))
    expect(endpoint.stats().connections).toBe(32)
    expect(readers.map(({ destroyed }) => destroyed)).toEqual(readers.map((_, i) => i < 68))
    for (const reader of readers) reader.leave()
    await settle(endpoint)
  })

  test('may have any number of connections that follow its calls', async () => {
    const { endpoint } = createTestEndpoint(
      { wait: ({ signal }) => new Promise((r) => signal.addEventListener('abort', r)) },
      { response: 'sse' },
    )
    const client = await openSession(endpoint)
    const calls = await Promise.all(
      Array.from({ length: 50 }, (_, i) => client.call('wait', {}, i).then((reply) => TestReader.open(reply))),
    )
    const resumed = await Promise.all(
      calls.map(async ({ lastEventId }) => TestReader.open(await client.get(lastEventId))),
    )
    expect(resumed.filter(({ destroyed, ended }) => destroyed || ended)).toEqual([])
    await endpoint.close({ drainMs: 0 })
  })
})

test('readers of one large event share it', async () => {
  const { port, url, endpoint } = await start({ response: 'sse', stallMs: 60_000 })
  const client = await McpClient.open(url)
  const reply = await client.call('big')
  const cursor = /^id: (.+)$/m.exec(await reply.text())?.[1] as string
  await settle(endpoint)
  const before = heldBytes()
  const readers = await Promise.all(
    Array.from({ length: 10 }, () => askOnly(port, 'GET', { ...client.headers, 'last-event-id': cursor })),
  )
  await waitFor(() => endpoint.stats().connections === 10)
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(heldBytes() - before).toBeLessThan(large.length)
  for (const { socket } of readers) socket.destroy()
  await settle(endpoint)
})
