import { EventEmitter } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { initializeMessage } from '../../../test-support/client/mcp-client.ts'
import { acceptBoth } from '../../../test-support/client/reply.ts'
import { type WatchedEndpoint, watchedEndpoint } from '../../../test-support/endpoints.ts'
import { report, type Tool } from '../../../test-support/sdk-server.ts'
import { waitFor, within } from '../../../test-support/waiting.ts'
import { watchProcess } from '../../../test-support/watch-process.ts'
import type { EndpointOptions } from '../src/index.ts'
import { toNodeHandler } from '../src/node/index.ts'

type Headers = Record<string, unknown>

const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'say', arguments: {} } }

function start(options: Partial<EndpointOptions> = {}): WatchedEndpoint {
  const say: Tool = (_args, extra) => report(extra, 'hello').then(() => 'said')
  return watchedEndpoint({ say }, { sessions: false, ...options })
}

function toHeaders(text: string): Headers {
  return {
    host: 'localhost',
    accept: acceptBoth.split(', '),
    'content-type': 'application/json',
    'content-length': text.length,
  }
}

/** As serverless adapters make them: Node's classes, over a socket that is a few functions. */
function serverless(body: unknown, headers: Headers = {}) {
  const text = JSON.stringify(body)
  const socket = { remoteAddress: '203.0.113.1', destroy: () => undefined, end: () => undefined }
  const request = new IncomingMessage(socket as unknown as Socket)
  Object.assign(request, { method: 'POST', url: '/mcp', headers: { ...toHeaders(text), ...headers }, complete: true })
  request.push(text)
  request.push(null)
  let sent = ''
  const response = new ServerResponse(request)
  const write = (chunk: string | Buffer, encoding: unknown, done?: () => void): boolean => {
    sent += chunk.toString()
    const callback = typeof encoding === 'function' ? encoding : done
    callback?.()
    return true
  }
  const on = (): void => undefined
  response.assignSocket({
    _writableState: {},
    writable: true,
    on,
    removeListener: on,
    cork: on,
    uncork: on,
    write,
  } as never)
  const ended = new Promise((resolve) => response.once('finish', resolve)).then(() => sent)
  return { request, response, ended }
}

/** As test helpers make them: no stream behind the request, no socket behind the response. */
function mocked(body: unknown) {
  const request = Object.assign(new EventEmitter(), {
    ...{ method: 'POST', url: '/mcp', body, headers: toHeaders(JSON.stringify(body)) },
  })
  let sent = ''
  let end: (text: string) => void = () => undefined
  const ended = new Promise<string>((resolve) => {
    end = resolve
  })
  const response = Object.assign(new EventEmitter(), {
    statusCode: 0,
    headersSent: false,
    writeHead(status: number) {
      response.statusCode = status
      response.headersSent = true
    },
    write: (chunk: string) => {
      sent += chunk
      return true
    },
    end: (chunk = '') => {
      end(sent + chunk)
      response.emit('finish')
    },
  })
  return { request, response, ended }
}

describe.each([
  ['by a serverless adapter', serverless],
  ['by a test helper', mocked],
] as const)('a request and a response that are emulated %s', (_who, emulate) => {
  test.each(['json', 'auto', 'sse'] as const)('are served, with response: %s', async (response) => {
    const { faults } = watchProcess()
    const { endpoint, errors } = start({ response })
    for (const body of [initializeMessage, call]) {
      const exchange = emulate(body)
      await toNodeHandler(endpoint)(exchange.request as never, exchange.response as never)
      const sent = await within(2_000, exchange.ended)
      expect(exchange.response.statusCode).toBe(200)
      expect(sent).toContain(body === call ? '"text":"said"' : '"serverInfo"')
    }
    await waitFor(() => endpoint.stats().connections === 0)
    expect({ errors, faults }).toEqual({ errors: [], faults: [] })
  })

  test('leave nothing behind that would act when they are long answered', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { endpoint } = start({ response: 'json' })
    const exchange = emulate(call)
    await toNodeHandler(endpoint)(exchange.request as never, exchange.response as never)
    await exchange.ended
    expect(() => vi.advanceTimersByTime(60_000)).not.toThrow()
    expect(exchange.response.statusCode).toBe(200)
  })

  test('open a session', async () => {
    const { endpoint, errors } = start({ sessions: true, response: 'json' })
    const exchange = emulate(initializeMessage)
    await toNodeHandler(endpoint)(exchange.request as never, exchange.response as never)
    await within(2_000, exchange.ended)
    expect(exchange.response.statusCode).toBe(200)
    expect(errors).toEqual([])
    expect(endpoint.stats().sessions).toBe(1)
    await endpoint.close({ drainMs: 0 })
  })
})

describe('what emulates too little', () => {
  test.each([
    ['request.headers', 'request', 'headers'],
    ['response.once', 'response', 'once'],
  ] as const)('is refused, and the error names what is missing: %s', async (missing, part, name) => {
    const { endpoint, errors } = start()
    const exchange = mocked(call)
    Object.assign(exchange[part], { [name]: undefined })
    await toNodeHandler(endpoint)(exchange.request as never, exchange.response as never)
    expect(await within(2_000, exchange.ended)).toContain('Internal error')
    expect(exchange.response.statusCode).toBe(500)
    expect(errors).toMatchObject([{ message: expect.stringContaining(`without ${missing}`) }])
  })

  test('does not hang when its stream cannot start', async () => {
    const { endpoint, errors } = start({ response: 'sse' })
    const exchange = mocked(call)
    Object.assign(exchange.response, {
      socket: {
        setKeepAlive: () => {
          throw new Error('not emulated')
        },
      },
    })
    await toNodeHandler(endpoint)(exchange.request as never, exchange.response as never)
    expect(await within(2_000, exchange.ended)).toBe('')
    expect(errors).toMatchObject([{ message: 'not emulated' }])
    await waitFor(() => endpoint.stats().calls === 0)
  })

  test('does no harm when it never says that it is complete, and has nothing to be broken off', async () => {
    const { faults } = watchProcess()
    const { endpoint } = start({ response: 'sse', stallMs: 50 })
    const exchange = serverless(call)
    exchange.response.removeAllListeners('finish')
    exchange.response.on = (() => exchange.response) as never
    await toNodeHandler(endpoint)(exchange.request as never, exchange.response as never)
    await waitFor(() => endpoint.stats().connections === 1)
    await waitFor(() => endpoint.stats().connections === 0)
    await endpoint.close()
    expect(faults).toEqual([])
  })
})
