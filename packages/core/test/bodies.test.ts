import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { initializeMessage } from '../../../test-support/client/mcp-client.ts'
import { RawConnection, toHead } from '../../../test-support/client/raw-connection.ts'
import { acceptBoth } from '../../../test-support/client/reply.ts'
import { collectGarbage } from '../../../test-support/collect-garbage.ts'
import { watchedEndpoint } from '../../../test-support/endpoints.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { listen } from '../../../test-support/listen.ts'
import { waitFor } from '../../../test-support/waiting.ts'
import { Bodies } from '../src/http/bodies.ts'
import type { HttpRequest } from '../src/http/http.ts'
import type { Endpoint, EndpointOptions } from '../src/index.ts'
import { toNodeHandler } from '../src/node/index.ts'
import { toFetchHandler } from '../src/web/index.ts'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

/** A POST whose body the test sends piece by piece. */
interface Upload {
  /** Sends a text in chunks of so many bytes. Resolves when the sender may go on. */
  send(text: string, chunkBytes?: number): Promise<void>
  end(): void
  leave(): void
  readonly answer: () => Promise<Answer>
}

type Bridge = (endpoint: Endpoint) => Promise<() => Promise<Upload>>

const headers = { accept: acceptBoth, 'content-type': 'application/json' }

const node: Bridge = async (endpoint) => {
  const { port } = await listen(toNodeHandler(endpoint))
  return async () => {
    const connection = await RawConnection.open(port)
    const head = { host: `127.0.0.1:${port}`, ...headers, 'transfer-encoding': 'chunked' }
    connection.write(toHead('POST', '/mcp', head))
    return {
      async send(text, chunkBytes = text.length) {
        const chunks = chunksOf(text, chunkBytes).map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)
        if (connection.socket.write(chunks.join(''))) return
        await Promise.race([new Promise((resolve) => connection.socket.once('drain', resolve)), connection.closed])
      },
      end: () => connection.write('0\r\n\r\n'),
      leave: () => connection.socket.destroy(),
      answer: () => connection.readResponse(),
    }
  }
}

const web: Bridge = async (endpoint) => {
  const handle = toFetchHandler(endpoint)
  return async () => {
    const aborted = new AbortController()
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined
    const body = new ReadableStream<Uint8Array>({
      start: (given) => {
        controller = given
      },
      cancel: () => {
        controller = undefined
      },
    })
    const init = { method: 'POST', headers, body, duplex: 'half', signal: aborted.signal }
    const answering = handle(new Request('https://mcp.example.com/mcp', init as RequestInit))
    return {
      async send(text, chunkBytes = text.length) {
        for (const chunk of chunksOf(text, chunkBytes)) controller?.enqueue(new TextEncoder().encode(chunk))
        await turn()
      },
      end: () => controller?.close(),
      leave: () => {
        aborted.abort()
        controller?.error(new Error('The client left'))
      },
      async answer() {
        const response = await answering
        await response.text()
        return { status: response.status, headers: Object.fromEntries(response.headers) }
      },
    }
  }
}

function chunksOf(text: string, length: number): string[] {
  return Array.from({ length: Math.ceil(text.length / length) }, (_, i) => text.slice(i * length, (i + 1) * length))
}

/** What this process holds, in bytes, when nothing is left that could be collected. */
function measure(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const initialize = JSON.stringify(initializeMessage)

describe.each([
  ['node', node],
  ['web', web],
] as const)('a body on the %s bridge', (_name, bridge) => {
  async function start(options: Partial<EndpointOptions> = {}) {
    const { endpoint, errors } = watchedEndpoint({}, options)
    return { endpoint, errors, open: await bridge(endpoint) }
  }

  test('of 512 KB in chunks of one byte costs no more than its bytes', async () => {
    // A busy machine needs longer than the deadline.
    const { endpoint, open } = await start({ bodyTimeoutMs: 0 })
    const before = measure()
    const upload = await open()
    const piece = ' '.repeat(4_096)
    for (let sent = 0; sent < 128; sent++) await upload.send(piece, 1)
    await waitFor(() => endpoint.stats().bodyBytes >= 524_288, 60_000)
    // Chunks that are kept one by one take 90 MB.
    expect(measure() - before).toBeLessThan(8 * 1_048_576)
    await upload.send(initialize)
    upload.end()
    expect((await upload.answer()).status).toBe(200)
    expect(endpoint.stats().bodyBytes).toBe(0)
  }, 120_000)

  test.each([1, 7, 1_000])('comes whole in chunks of %i bytes', async (chunkBytes) => {
    const { endpoint, open } = await start()
    const upload = await open()
    await upload.send(JSON.stringify({ ...initializeMessage, padding: 'x'.repeat(5_000) }), chunkBytes)
    upload.end()
    expect((await upload.answer()).status).toBe(200)
    expect(endpoint.stats()).toMatchObject({ sessions: 1, bodyBytes: 0 })
  })

  test('that does not end in time is refused with 408, and its connection closed', async () => {
    const { endpoint, errors, open } = await start({ bodyTimeoutMs: 100 })
    const upload = await open()
    await upload.send('{', 1)
    await waitFor(() => endpoint.stats().bodyBytes > 0)
    const { status, headers } = await upload.answer()
    expect([status, headers.connection]).toEqual([408, 'close'])
    expect(endpoint.stats()).toMatchObject({ sessions: 0, bodyBytes: 0 })
    await upload.send(initialize)
    expect(endpoint.stats()).toMatchObject({ sessions: 0, bodyBytes: 0 })
    expect(errors).toEqual([])
  })

  test('may take as long as it likes when there is no deadline', async () => {
    const { open } = await start({ bodyTimeoutMs: 0 })
    const upload = await open()
    for (const chunk of chunksOf(initialize, 20)) {
      await upload.send(chunk)
      await turn()
    }
    upload.end()
    expect((await upload.answer()).status).toBe(200)
  })

  test('that finds no room is refused with 503 and Retry-After, until others are gone', async () => {
    const { endpoint, open } = await start({ maxBodyBytes: 4_000, maxBodyBytesInFlight: 10_000 })
    const [first, second, third] = [await open(), await open(), await open()]
    for (const upload of [first, second]) await upload.send(' '.repeat(4_000))
    await waitFor(() => endpoint.stats().bodyBytes === 8_000)
    await third.send(' '.repeat(4_000))
    const { status, headers } = await third.answer()
    expect([status, Number(headers['retry-after'])]).toEqual([503, expect.any(Number)])
    expect(endpoint.stats().bodyBytes).toBe(8_000)

    first.leave()
    await waitFor(() => endpoint.stats().bodyBytes === 4_000)
    // Too large.
    await second.send(' ')
    expect((await second.answer()).status).toBe(413)
    expect(endpoint.stats().bodyBytes).toBe(0)
    const fourth = await open()
    await fourth.send(initialize)
    fourth.end()
    expect((await fourth.answer()).status).toBe(200)
  })
})

test('the bound for all bodies must have room for one', () => {
  expect(() => createTestEndpoint({}, { maxBodyBytes: 100_000_000 })).toThrow(
    'Expected maxBodyBytesInFlight to be at least maxBodyBytes, 100000000, got 67108864 (number)',
  )
})

test('bodies that are all too slow are all given up at once', async () => {
  const bodies = new Bodies({ maxBodyBytes: 10, maxBodyBytesInFlight: 10, bodyTimeoutMs: 20 })
  const looks: number[] = []
  let stopped = 0
  const request = {
    readBody: () => undefined,
    stopReading: () => {
      stopped++
      setImmediate(() => looks.push(stopped))
    },
  } as unknown as HttpRequest
  const reading = Promise.allSettled([1, 2, 3].map(() => bodies.read(request, (body) => body)))
  // However busy the machine, the first look finds all of them late.
  const late = performance.now() + 40
  while (performance.now() < late);
  const outcomes = (await reading) as PromiseRejectedResult[]
  expect(outcomes.map(({ reason }) => reason.refusal)).toEqual(Array(3).fill('body_too_slow'))
  await waitFor(() => looks.length === 3)
  expect(looks).toEqual([3, 3, 3])
})
