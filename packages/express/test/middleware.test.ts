import { createEndpoint, type EndpointOptions, mcp } from '@throughline/mcp-http-express'
import compression from 'compression'
import cors from 'cors'
import type { Express } from 'express'
import helmet from 'helmet'
import { describe, expect, onTestFinished, test } from 'vitest'
import { initializeMessage, McpClient, ping, toText } from '../../../test-support/client/mcp-client.ts'
import { type Reply, send } from '../../../test-support/client/reply.ts'
import { listen } from '../../../test-support/listen.ts'
import { report, serverWith, type Tool } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { type Framework, frameworks } from './frameworks.ts'

const page = 'https://app.example.com'

/** What a browser of an allowed page sends. */
const browser = { origin: page, 'accept-encoding': 'gzip, deflate, br' }

interface StartOptions {
  readonly tools?: Record<string, Tool>
  readonly options?: Partial<EndpointOptions>
  readonly parser?: boolean
  readonly routes?: (app: Express) => void
}

async function start(framework: Framework, { tools, options, parser, routes }: StartOptions = {}): Promise<string> {
  const app = framework()
  // A threshold of 0 compresses everything it may.
  app.use(compression({ threshold: 0 }))
  app.use(cors({ origin: page, exposedHeaders: ['Mcp-Session-Id'] }))
  app.use(helmet())
  if (parser) app.use(framework.json())
  const endpoint = createEndpoint({ server: serverWith(tools), allowedOrigins: [page], ...options })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  app.all('/mcp', mcp(endpoint))
  routes?.(app)
  return `${(await listen(app)).origin}/mcp`
}

function expectMiddlewareHeaders({ headers }: Reply): void {
  expect(headers).toMatchObject({
    'access-control-allow-origin': page,
    'access-control-expose-headers': 'Mcp-Session-Id',
    'x-content-type-options': 'nosniff',
    'strict-transport-security': expect.stringContaining('max-age'),
  })
  expect(headers.vary).toContain('Origin')
}

describe.each(frameworks)('%s behind compression, cors and helmet', (_name, framework) => {
  test.each([
    ['without', false],
    ['with', true],
  ])('carries their headers on every kind of answer, %s express.json()', async (_with, parser) => {
    const url = await start(framework, { parser, tools: { say: (_args, extra) => report(extra, 'hello') } })
    const opened = await send(url, { headers: browser, body: initializeMessage })
    expect([opened.status, opened.headers['content-type']]).toEqual([200, 'application/json'])
    expectMiddlewareHeaders(opened)
    await opened.text()

    const client = await McpClient.open(url, browser)
    const replies: [what: string, status: number, reply: Reply][] = [
      ['JSON answer', 200, await client.post(ping)],
      ['event stream of a call', 200, await client.call('say')],
      ['event stream of the session', 200, await client.get()],
      ['accepted', 202, await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' })],
      ['bad request', 400, await client.post({ jsonrpc: '1.0' })],
      ['unknown session', 404, await client.post(ping, { 'mcp-session-id': 'x'.repeat(32) })],
      ['not acceptable', 406, await client.post(ping, { accept: 'text/html' })],
      ['unsupported media type', 415, await client.post('x', { 'content-type': 'text/plain' })],
      ['other method', 405, await send(url, { method: 'PUT', headers: browser })],
      ['ended', 204, await client.delete()],
    ]
    for (const [what, status, reply] of replies) {
      expect([what, reply.status]).toEqual([what, status])
      expectMiddlewareHeaders(reply)
      reply.leave()
    }
  })

  test('lets a page read the answer that refuses it no more than cors() allows', async () => {
    const url = await start(framework)
    const refused = await send(url, {
      headers: { ...browser, origin: 'https://evil.example' },
      body: initializeMessage,
    })
    expect(refused.status).toBe(403)
    expect(refused.headers['access-control-allow-origin']).toBe(page)
    expect(await refused.json()).toMatchObject({ error: { message: expect.stringContaining('Origin not allowed') } })
  })

  test('leaves the preflight to cors()', async () => {
    const url = await start(framework)
    const preflight = await send(url, {
      method: 'OPTIONS',
      headers: {
        origin: page,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,mcp-session-id,mcp-protocol-version',
      },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers['access-control-allow-headers']).toContain('mcp-session-id')
    expect(preflight.headers['access-control-allow-methods']).toContain('DELETE')
    await preflight.text()
  })

  test('sends events at once and uncompressed although the client takes gzip', async () => {
    const seen: { resolve: () => void; promise: Promise<void> }[] = Array.from({ length: 5 }, () => deferred())
    const sentAt: number[] = []
    const url = await start(framework, {
      tools: {
        // Sends the next event only when the client has the one before: a buffer in between would hang the test.
        paced: async (_args, extra) => {
          for (const [i, { promise }] of seen.entries()) {
            sentAt.push(performance.now())
            await report(extra, i)
            await promise
          }
          return 'done'
        },
      },
    })
    const client = await McpClient.open(url, browser)
    const reply = await client.call('paced')
    expect(reply.headers['content-type']).toBe('text/event-stream')
    expect(reply.headers['content-encoding']).toBeUndefined()
    expect(reply.headers['cache-control']).toBe('no-store, no-transform')
    const delays: number[] = []
    for (const [i, { resolve }] of seen.entries()) {
      const { message, at } = await reply.events.next()
      expect(message).toMatchObject({ params: { data: i } })
      delays.push(at - (sentAt[i] as number))
      resolve()
    }
    expect(toText(await reply.answer())).toBe('done')
    expect(median(delays)).toBeLessThan(50)
  })

  test('sends the head of a standalone stream at once, and its events as they are sent', async () => {
    const app = framework()
    app.use(compression({ threshold: 0 }))
    const endpoint = createEndpoint({ server: serverWith() })
    onTestFinished(() => endpoint.close({ drainMs: 0 }))
    app.all('/mcp', mcp(endpoint))
    const { origin } = await listen(app)
    const client = await McpClient.open(`${origin}/mcp`, { 'accept-encoding': 'gzip' })
    const stream = await client.get()
    expect(stream.headers['content-encoding']).toBeUndefined()
    const sentAt = performance.now()
    await endpoint.notify({ method: 'notifications/tools/list_changed' })
    const { message, at } = await stream.events.next()
    expect(message.method).toBe('notifications/tools/list_changed')
    expect(at - sentAt).toBeLessThan(50)
    stream.leave()
  })

  test('lets JSON answers be compressed, and they still parse', async () => {
    const url = await start(framework)
    const client = await McpClient.open(url, { ...browser, 'accept-encoding': 'gzip' })
    const text = 'all work and no play '.repeat(5_000)
    const reply = await client.call('echo', { text })
    expect(reply.headers['content-type']).toBe('application/json')
    expect(reply.headers['content-encoding']).toBe('gzip')
    expect(toText(await reply.json())).toBe(text)

    const plain = await client.call('echo', { text }, { 'accept-encoding': 'identity' })
    expect(plain.headers['content-encoding']).toBeUndefined()
    expect(toText(await plain.json())).toBe(text)
  })

  test('gives a client that uses fetch its events', async () => {
    const url = await start(framework, { tools: { say: (_args, extra) => report(extra, 'hello').then(() => 'said') } })
    const client = await McpClient.open(url, browser)
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        ...client.headers,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify(client.callMessage('say')),
    })
    const text = await response.text()
    expect(text).toContain('"data":"hello"')
    expect(text).toContain('"text":"said"')
  })

  test('survives a large event through compression to a slow reader', async () => {
    const big = 'y'.repeat(3_000_000)
    const url = await start(framework, { options: { response: 'sse' }, tools: { big: () => big } })
    const client = await McpClient.open(url, browser)
    const reply = await client.call('big')
    reply.response.pause()
    // Nothing is read for some turns of the loop; the answer waits, whole.
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    const answer = reply.answer()
    reply.response.resume()
    expect(toText(await answer)).toBe(big)
  })
})

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number
}
