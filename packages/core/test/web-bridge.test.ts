import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Json } from '../../../test-support/client/event-reader.ts'
import { initializeMessage, ping, toText } from '../../../test-support/client/mcp-client.ts'
import { acceptBoth } from '../../../test-support/client/reply.ts'
import { settle, type WatchedEndpoint, watchedEndpoint } from '../../../test-support/endpoints.ts'
import { cancelled, flooding, report, type Tool } from '../../../test-support/sdk-server.ts'
import { deferred, standstill, waitFor, within } from '../../../test-support/waiting.ts'
import { watchProcess } from '../../../test-support/watch-process.ts'
import type { EndpointOptions } from '../src/index.ts'
import { type FetchContext, type FetchHandler, toFetchHandler } from '../src/web/index.ts'

const url = 'https://mcp.example.com/mcp'

type Handle = FetchHandler<[context?: FetchContext]>

interface Started extends WatchedEndpoint {
  readonly handle: Handle
}

function start(tools: Record<string, Tool> = {}, options: Partial<EndpointOptions> = {}): Started {
  const watched = watchedEndpoint(tools, options)
  const context = (_request: Request, known: FetchContext = {}): FetchContext => known
  return { ...watched, handle: toFetchHandler(watched.endpoint, { context }) }
}

function toRequest(body: unknown, headers: Record<string, string> = {}, init: RequestInit = {}): Request {
  return new Request(url, {
    method: 'POST',
    headers: { accept: acceptBoth, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' || body instanceof ReadableStream ? body : JSON.stringify(body),
    ...(body instanceof ReadableStream && { duplex: 'half' }),
    ...init,
  } as RequestInit)
}

/** Headers of a session. */
async function open(handle: Handle, context?: FetchContext): Promise<Record<string, string>> {
  const response = await handle(toRequest(initializeMessage), context)
  expect(response.status).toBe(200)
  await response.text()
  const headers = {
    'mcp-session-id': response.headers.get('mcp-session-id') as string,
    'mcp-protocol-version': '2025-11-25',
  }
  const accepted = await handle(toRequest({ jsonrpc: '2.0', method: 'notifications/initialized' }, headers), context)
  expect([accepted.status, await accepted.text()]).toEqual([202, ''])
  return headers
}

const callMessage = (name: string, args: Json = {}, id = 1): Json => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args },
})

function toGet(headers: Record<string, string>, init: RequestInit = {}): Request {
  return new Request(url, { method: 'GET', headers: { accept: 'text/event-stream', ...headers }, ...init })
}

/** Reads until the text so far matches. */
async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, pattern: string): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  while (!text.includes(pattern)) {
    const { value, done } = await reader.read()
    if (done) throw new Error(`The stream ended after: ${text}`)
    text += decoder.decode(value, { stream: true })
  }
  return text
}

function readerOf(response: Response): ReadableStreamDefaultReader<Uint8Array> {
  if (!response.body) throw new Error('Expected a body')
  return response.body.getReader()
}

describe('a fetch handler', () => {
  test('serves a session from initialize to DELETE', async () => {
    const { handle, endpoint, errors } = start()
    const headers = await open(handle)
    const answered = await handle(toRequest(callMessage('echo', { text: 'Grüße 🦉' }), headers))
    expect([answered.status, answered.headers.get('content-type')]).toEqual([200, 'application/json'])
    expect(toText((await answered.json()) as Json)).toBe('Grüße 🦉')
    const ended = await handle(new Request(url, { method: 'DELETE', headers }))
    expect([ended.status, ended.body]).toEqual([204, null])
    expect((await handle(toRequest(ping, headers))).status).toBe(404)
    expect(endpoint.stats().sessions).toBe(0)
    expect(errors).toEqual([])
  })

  test('streams the events of a call as they come', async () => {
    const seen = deferred()
    const { handle, endpoint } = start({
      step: async (_args, extra) => {
        await report(extra, 'first')
        await seen.promise
        return 'done'
      },
    })
    const headers = await open(handle)
    const response = await handle(toRequest(callMessage('step'), headers))
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(response.headers.get('cache-control')).toBe('no-store, no-transform')
    const reader = readerOf(response)
    await readUntil(reader, '"data":"first"')
    seen.resolve()
    await readUntil(reader, '"text":"done"')
    for (let end = await reader.read(); !end.done; end = await reader.read()) expect(end.value).toBeDefined()
    await settle(endpoint)
  })

  test('streams what is sent to the session', async () => {
    const { handle, endpoint } = start()
    const headers = await open(handle)
    const response = await handle(toGet(headers))
    expect(response.status).toBe(200)
    const reader = readerOf(response)
    await readUntil(reader, 'retry: ')
    await endpoint.notify({ method: 'notifications/tools/list_changed' })
    await readUntil(reader, 'notifications/tools/list_changed')
    await reader.cancel()
    await settle(endpoint)
  })

  test.each(['HEAD', 'PUT', 'OPTIONS', 'PATCH'])('answers 405 with Allow to %s', async (method) => {
    const { handle } = start()
    const response = await handle(new Request(url, { method }))
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, POST, DELETE'])
  })
})

describe('a reader of a fetch response', () => {
  test('that does not read holds the tool back, and less than 512 KiB wait in the queue', async () => {
    let largest = 0
    const { enqueue } = ReadableStreamDefaultController.prototype
    const spy = vi.spyOn(ReadableStreamDefaultController.prototype, 'enqueue').mockImplementation(function (
      this: ReadableStreamDefaultController,
      chunk: unknown,
    ) {
      enqueue.call(this, chunk as never)
      largest = Math.max(largest, 262_144 - (this.desiredSize ?? 0))
    })
    onTestFinished(() => spy.mockRestore())
    const { flood, sent, stopped } = flooding(10_000)
    const { handle, endpoint } = start({ flood })
    const headers = await open(handle)
    const response = await handle(toRequest(callMessage('flood'), headers))
    const before = await standstill(sent)
    expect(largest).toBeGreaterThan(100_000)
    expect(largest).toBeLessThan(524_288)
    // And 1 MiB in the log.
    expect(before * 10_000).toBeLessThan(2 * 1_048_576)
    await response.body?.cancel()
    await stopped
    await settle(endpoint)
  })

  test('that reads again gets everything, in order', async () => {
    const total = 400
    let sent = 0
    const { handle, endpoint } = start({
      many: async (_args, extra) => {
        for (let i = 0; i < total; i++) {
          await report(extra, `${i} ${'x'.repeat(10_000)}`)
          sent++
        }
        return 'done'
      },
    })
    const headers = await open(handle)
    const response = await handle(toRequest(callMessage('many'), headers))
    expect(await standstill(() => sent)).toBeLessThan(total)
    const text = await response.text()
    const numbers = [...text.matchAll(/"data":"(\d+) x/g)].map(([, number]) => Number(number))
    expect(numbers).toEqual(Array.from({ length: total }, (_value, i) => i))
    expect(text).toContain('"text":"done"')
    await settle(endpoint)
  })

  test('that cancels has left: the call is abandoned and nothing fails', async () => {
    const { faults } = watchProcess()
    const stopped = deferred()
    const { handle, endpoint, errors } = start({
      hold: async (_args, extra) => {
        await report(extra, 'begun')
        await cancelled(extra)
        await report(extra, 'to nobody')
        stopped.resolve()
      },
    })
    const headers = await open(handle)
    const reader = readerOf(await handle(toRequest(callMessage('hold'), headers)))
    await readUntil(reader, 'begun')
    await reader.cancel('enough')
    await stopped.promise
    await settle(endpoint)
    expect({ errors, faults }).toEqual({ errors: [], faults: [] })
  })
})

describe('request.signal', () => {
  test.each(['auto', 'json', 'sse'] as const)(
    'aborted while the handler runs is a client that left, with response: %s',
    async (response) => {
      const { faults } = watchProcess()
      const begun = deferred()
      const stopped = deferred()
      const { handle, endpoint, errors } = start(
        {
          hold: async (_args, extra) => {
            begun.resolve()
            await cancelled(extra)
            stopped.resolve()
          },
        },
        { response, upgradeAfterMs: 10_000 },
      )
      const headers = await open(handle)
      const controller = new AbortController()
      const answering = handle(toRequest(callMessage('hold'), headers, { signal: controller.signal }))
      await begun.promise
      controller.abort()
      await stopped.promise
      await within(1_000, answering)
      await settle(endpoint)
      expect({ errors, faults }).toEqual({ errors: [], faults: [] })
    },
  )

  test('aborted in the middle of a stream ends it, and the rest can be resumed', async () => {
    const { faults } = watchProcess()
    const finish = deferred()
    const { handle, endpoint, errors } = start(
      {
        hold: async (_args, extra) => {
          await report(extra, 'first')
          await finish.promise
          return 'whole'
        },
      },
      { abandonAfterMs: 60_000 },
    )
    const headers = await open(handle)
    const controller = new AbortController()
    const response = await handle(toRequest(callMessage('hold'), headers, { signal: controller.signal }))
    const reader = readerOf(response)
    const text = await readUntil(reader, '"first"')
    const lastEventId = [...text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] as string
    controller.abort()
    expect(await within(1_000, reader.read())).toEqual({ value: undefined, done: true })
    finish.resolve()
    await settle(endpoint)
    const resumed = await handle(toGet({ ...headers, 'last-event-id': lastEventId }))
    expect(await resumed.text()).toContain('"text":"whole"')
    expect({ errors, faults }).toEqual({ errors: [], faults: [] })
  })

  test('aborted before the handler was asked leaves nothing behind', async () => {
    const stopped = deferred()
    const { handle, endpoint, errors } = start(
      {
        hold: async (_args, extra) => {
          await cancelled(extra)
          stopped.resolve()
        },
      },
      { response: 'json' },
    )
    const headers = await open(handle)
    // The body is there already, so the call begins.
    const request = toRequest(callMessage('hold'), headers, { signal: AbortSignal.abort() })
    const answering = handle(request, { parsedBody: callMessage('hold') })
    await within(1_000, stopped.promise)
    await answering
    const stream = await handle(toGet(headers, { signal: AbortSignal.abort() }))
    await stream.body?.cancel().catch(() => undefined)
    await settle(endpoint)
    expect(errors).toEqual([])
  })
})

describe('the Host of a fetch request', () => {
  const refusedAt = async (
    request: Request,
    context: FetchContext,
    options: Partial<EndpointOptions> = {},
  ): Promise<number> => (await start({}, options).handle(request, context)).status

  test('is that of the URL where the header is missing', async () => {
    const local = { localAddress: '127.0.0.1' }
    const request = (host: string): Request => new Request(`http://${host}/mcp`, toRequest(initializeMessage))
    expect(await refusedAt(request('localhost:3000'), local)).toBe(200)
    expect(await refusedAt(request('[::1]:3000'), local)).toBe(200)
    expect(await refusedAt(request('rebound.example'), local)).toBe(403)
    expect(await refusedAt(request('mcp.example.com'), local, { allowedHosts: ['mcp.example.com'] })).toBe(200)
  })

  test('is the header’s where there is one', async () => {
    const request = toRequest(initializeMessage, { host: 'rebound.example' })
    expect(await refusedAt(new Request('http://localhost/mcp', request), { localAddress: '::1' })).toBe(403)
  })

  test.each([undefined, '10.0.0.7'])('is not checked on a connection that arrived on %s', async (localAddress) => {
    expect(await refusedAt(toRequest(initializeMessage), { localAddress })).toBe(200)
  })

  test('decides which Origin is its own', async () => {
    const own = { origin: 'https://mcp.example.com' }
    expect(await refusedAt(toRequest(initializeMessage, own), {})).toBe(403)
    expect(await refusedAt(toRequest(initializeMessage, own), {}, { allowedHosts: ['mcp.example.com'] })).toBe(200)
  })
})

describe('the body of a fetch request', () => {
  /** A body in chunks, and whether it was cancelled. */
  function toBody(chunks: Iterable<string>): {
    body: ReadableStream<Uint8Array>
    pulled: () => number
    cancelled: () => boolean
  } {
    const encoder = new TextEncoder()
    const iterator = chunks[Symbol.iterator]()
    let pulled = 0
    let wasCancelled = false
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const next = iterator.next()
          if (next.done) return controller.close()
          pulled++
          controller.enqueue(encoder.encode(next.value))
        },
        cancel() {
          wasCancelled = true
        },
      },
      { highWaterMark: 0 },
    )
    return { body, pulled: () => pulled, cancelled: () => wasCancelled }
  }

  function* endless(): Iterable<string> {
    for (;;) yield ' '.repeat(1_000)
  }

  test('is refused when it is larger than it may be, and read no further', async () => {
    const { handle, endpoint } = start({}, { maxBodyBytes: 10_000 })
    const { body, pulled, cancelled: wasCancelled } = toBody(endless())
    const response = await handle(toRequest(body))
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({ jsonrpc: '2.0', error: { message: 'Request body too large' } })
    expect(pulled()).toBeLessThan(20)
    expect(wasCancelled()).toBe(true)
    expect(endpoint.stats().sessions).toBe(0)
  })

  test('is refused by its declared length before it is read', async () => {
    const { handle } = start({}, { maxBodyBytes: 10_000 })
    const { body, pulled } = toBody(endless())
    expect((await handle(toRequest(body, { 'content-length': '10001' }))).status).toBe(413)
    expect(pulled()).toBe(0)
  })

  test('is not read for a foreign Origin', async () => {
    const { handle } = start()
    const { body, pulled } = toBody(endless())
    expect((await handle(toRequest(body, { origin: 'https://evil.example' }))).status).toBe(403)
    expect(pulled()).toBe(0)
  })

  test('may come in pieces that split characters', async () => {
    const { handle } = start()
    const bytes = new TextEncoder().encode(JSON.stringify({ ...initializeMessage, id: '🦉' }))
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
        controller.close()
      },
    })
    expect(await (await handle(toRequest(body))).json()).toMatchObject({ id: '🦉' })
  })

  test('that breaks off is the client’s fault, not an error of ours', async () => {
    const { handle, errors } = start()
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"jsonrpc":'))
      },
      pull(controller) {
        controller.error(new Error('the connection was lost'))
      },
    })
    expect((await handle(toRequest(body))).status).toBe(400)
    expect(errors).toEqual([])
  })

  test('is waited for no longer when the signal is aborted', async () => {
    const { handle, endpoint, errors } = start()
    const leaving = new AbortController()
    const isCancelled = deferred()
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{"jsonrpc":')),
      cancel: () => isCancelled.resolve(),
    })
    const answer = handle(toRequest(body, {}, { signal: leaving.signal }))
    await waitFor(() => endpoint.stats().bodyBytes > 0)
    leaving.abort()
    expect((await within(2_000, answer)).status).toBe(400)
    await within(2_000, isCancelled.promise)
    expect([endpoint.stats().bodyBytes, errors]).toEqual([0, []])
  })

  test('is taken as it was parsed before', async () => {
    const { handle } = start()
    const request = toRequest(initializeMessage)
    const parsedBody: unknown = await request.json()
    expect((await handle(request, { parsedBody })).status).toBe(200)
    for (const form of [
      JSON.stringify(initializeMessage),
      new TextEncoder().encode(JSON.stringify(initializeMessage)),
    ]) {
      expect((await handle(toRequest('x'), { parsedBody: form })).status).toBe(200)
    }
  })

  test.each<[string, (request: Request) => unknown]>([
    ['was read', (request) => request.text()],
    ['somebody else reads', (request) => request.body?.getReader()],
  ])('that %s, and was not left, gives a clear 500', async (_how, read) => {
    const { handle, errors } = start()
    const request = toRequest(initializeMessage)
    await read(request)
    const response = await handle(request)
    expect(response.status).toBe(500)
    expect(await response.text()).toContain('body was read before it reached the MCP endpoint')
    expect(errors).toEqual([])
  })

  test('that is missing is no JSON', async () => {
    const { handle } = start()
    const response = await handle(new Request(url, { method: 'POST', headers: { 'content-type': 'application/json' } }))
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code: -32700 } })
  })
})

test('hands auth to the tool and binds the session to it', async () => {
  const { handle } = start({ whoami: (_args, { authInfo }) => authInfo?.extra?.sub })
  const alice: FetchContext = { auth: { token: 't1', clientId: 'app', scopes: [], extra: { sub: 'alice' } } }
  const bob: FetchContext = { auth: { token: 't2', clientId: 'app', scopes: [], extra: { sub: 'bob' } } }
  const headers = await open(handle, alice)
  const answered = await handle(toRequest(callMessage('whoami'), headers), alice)
  expect(toText((await answered.json()) as Json)).toBe('alice')
  expect((await handle(toRequest(ping, headers), bob)).status).toBe(404)
  expect((await handle(toRequest(ping, headers))).status).toBe(404)
})
