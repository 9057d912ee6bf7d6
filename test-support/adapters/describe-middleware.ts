import { Agent } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { EndpointOptions } from '../../packages/core/src/index.ts'
import { initializeMessage, McpClient, ping, toText } from '../client/mcp-client.ts'
import { type Reply, send } from '../client/reply.ts'
import { settle } from '../endpoints.ts'
import { pacing } from '../pacing.ts'
import { report, type Tool } from '../sdk-server.ts'
import type { Adapter } from './adapter.ts'
import { type Exchange, type Started, start as startOn } from './start.ts'

/** The origin that the stacks allow. */
export const page = 'https://app.example.com'

/** What a browser of an allowed page sends. */
const browser = { origin: page, 'accept-encoding': 'gzip' }

/** The quickest of several events arrives so soon: a busy machine delays some of them, a buffer in between all. */
const soonMs = 50

const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' }

/**
 * What a team has in front of all its routes: compression of everything that may be, CORS for `page` that exposes
 * Mcp-Session-Id, security headers.
 */
export interface Stack<M> {
  readonly name: string
  readonly before: readonly M[]
  /** What else it does to every answer. */
  readonly expectHeaders?: (reply: Reply) => void
  /** Whether no stream passes that answers a GET, whoever makes it. */
  readonly holdsGets?: boolean
}

export interface MiddlewareOptions {
  /** Whether CORS tells pages of other origins, too, which one it allows. */
  readonly tellsAnyOrigin: boolean
}

type Start = (tools?: Record<string, Tool>, options?: Partial<EndpointOptions>) => Promise<Started>

const say: Tool = (_args, extra) => report(extra, 'hello').then(() => 'said')

function starting<M>(adapter: Adapter<M>, { before }: Stack<M>): Start {
  return (tools = {}, options = {}) =>
    startOn(adapter, { before, tools: { say, ...tools }, options: { allowedOrigins: [page], ...options } })
}

/** Middleware in front works as for every route, and holds nothing back. The first stack stands for all where one is enough. */
export function describeMiddleware<M>(
  adapter: Adapter<M>,
  stacks: readonly [Stack<M>, ...Stack<M>[]],
  options: MiddlewareOptions,
): void {
  for (const stack of stacks) {
    describe(`${adapter.name} behind ${stack.name}`, () => describeStack(adapter, stack))
  }
  describe(`${adapter.name} behind ${stacks[0].name}`, () => {
    describeCors(starting(adapter, stacks[0]), options)
    describeCompression(starting(adapter, stacks[0]))
  })
}

function describeStack<M>(adapter: Adapter<M>, stack: Stack<M>): void {
  const start = starting(adapter, stack)

  function expectHeaders(reply: Reply): void {
    expect(reply.headers).toMatchObject({
      'access-control-allow-origin': page,
      'access-control-expose-headers': 'Mcp-Session-Id',
      'x-content-type-options': 'nosniff',
      'strict-transport-security': expect.stringContaining('max-age'),
    })
    expect(reply.headers.vary).toContain('Origin')
    stack.expectHeaders?.(reply)
  }

  test('carries its headers on every kind of answer', async () => {
    const { url, expectNoFault } = await start()
    const opened = await send(url, { headers: browser, body: initializeMessage })
    expect([opened.status, opened.headers['content-type']]).toEqual([200, adapter.jsonType])
    expectHeaders(opened)
    await opened.text()

    const client = await McpClient.open(url, browser)
    const replies: [what: string, status: number, reply: Reply][] = [
      ['JSON answer', 200, await client.post(ping)],
      ['event stream of a call', 200, await client.call('say')],
      ['accepted', 202, await client.post(initialized)],
      ['bad request', 400, await client.post({ jsonrpc: '1.0' })],
      ['unknown session', 404, await client.post(ping, { 'mcp-session-id': 'x'.repeat(32) })],
      ['not acceptable', 406, await client.post(ping, { accept: 'text/html' })],
      ['unsupported media type', 415, await client.post('x', { 'content-type': 'application/xml' })],
      ['other method', 405, await send(url, { method: 'PUT', headers: browser })],
    ]
    if (!stack.holdsGets) replies.push(['event stream of the session', 200, await client.get()])
    replies.push(['ended', 204, await client.delete()])
    for (const [what, status, reply] of replies) {
      expect([what, reply.status]).toEqual([what, status])
      expectHeaders(reply)
      reply.leave()
    }
    expectNoFault()
  })

  test('sends events at once and uncompressed although the client takes gzip', async () => {
    const { paced, readDelays } = pacing()
    const { url, expectNoFault } = await start({ paced })
    const client = await McpClient.open(url, browser)
    const reply = await client.call('paced')
    expect(reply.headers['content-type']).toBe('text/event-stream')
    expect(reply.headers['content-encoding']).toBeUndefined()
    expect(reply.headers['cache-control']).toBe('no-store, no-transform')
    expect(Math.min(...(await readDelays(reply)))).toBeLessThan(soonMs)
    expectNoFault()
  })

  test('prints nothing when its client leaves in the middle of a stream', async () => {
    const hold: Tool = (_args, extra) => report(extra, 'first').then(() => new Promise(() => undefined))
    const { url, endpoint, exchanges, expectNoFault } = await start({ hold })
    const client = await McpClient.open(url, browser)
    const reply = await client.call('hold')
    await reply.events.next()
    reply.leave()
    await (exchanges.at(-1) as Exchange).closed
    await settle(endpoint)
    expectNoFault()
  })
}

function describeCors(start: Start, { tellsAnyOrigin }: MiddlewareOptions): void {
  test('lets a page read the answer that refuses it no more than CORS allows', async () => {
    const { url } = await start()
    const headers = { ...browser, origin: 'https://evil.example' }
    const refused = await send(url, { headers, body: initializeMessage })
    expect(refused.status).toBe(403)
    expect(refused.headers['access-control-allow-origin']).toBe(tellsAnyOrigin ? page : undefined)
    expect(await refused.json()).toMatchObject({ error: { message: expect.stringContaining('Origin not allowed') } })
  })

  test.each(['POST', 'DELETE'])('leaves the preflight of a %s to CORS', async (method) => {
    const { url } = await start()
    const preflight = await send(url, {
      method: 'OPTIONS',
      headers: {
        origin: page,
        'access-control-request-method': method,
        'access-control-request-headers': 'content-type,mcp-session-id,mcp-protocol-version',
      },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers['access-control-allow-headers']).toContain('mcp-session-id')
    expect(preflight.headers['access-control-allow-methods']).toContain('DELETE')
    await preflight.text()
  })
}

function describeCompression(start: Start): void {
  test('sends the head of a standalone stream at once, and its events as they are sent', async () => {
    const { url, endpoint } = await start()
    const client = await McpClient.open(url, browser)
    const stream = await client.get()
    expect(stream.headers['content-encoding']).toBeUndefined()
    const delays: number[] = []
    for (let i = 0; i < 5; i++) {
      const sentAt = performance.now()
      await endpoint.notify({ method: 'notifications/tools/list_changed' })
      const { message, at } = await stream.events.next()
      expect(message.method).toBe('notifications/tools/list_changed')
      delays.push(at - sentAt)
    }
    expect(Math.min(...delays)).toBeLessThan(soonMs)
    stream.leave()
  })

  test('lets JSON answers be compressed, and they still parse', async () => {
    const { url, expectNoFault } = await start()
    const client = await McpClient.open(url, browser)
    const text = 'all work and no play '.repeat(5_000)
    const reply = await client.call('echo', { text })
    expect(reply.headers['content-type']).toMatch(/^application\/json/)
    expect(reply.headers['content-encoding']).toBe('gzip')
    expect(reply.headers.vary).toMatch(/accept-encoding/i)
    expect(reply.headers).not.toHaveProperty('content-length')
    expect(toText(await reply.json())).toBe(text)

    const plain = await client.call('echo', { text }, { 'accept-encoding': 'identity' })
    expect(plain.headers['content-encoding']).toBeUndefined()
    expect(toText(await plain.json())).toBe(text)
    expectNoFault()
  })

  test('gives a client that uses fetch its events', async () => {
    const { url } = await start()
    const client = await McpClient.open(url, browser)
    const headers = { ...client.headers, 'content-type': 'application/json' }
    const accept = 'application/json, text/event-stream'
    const body = JSON.stringify(client.callMessage('say'))
    const text = await (await fetch(url, { method: 'POST', headers: { ...headers, accept }, body })).text()
    expect(text).toContain('"data":"hello"')
    expect(text).toContain('"text":"said"')
  })

  test('carries a large event to a slow reader', async () => {
    const big = 'y'.repeat(3_000_000)
    const { url } = await start({ big: () => big }, { response: 'sse' })
    const client = await McpClient.open(url, browser)
    const reply = await client.call('big')
    reply.response.pause()
    // Nothing is read for some turns of the loop; the answer waits, whole.
    for (let i = 0; i < 20; i++) await turn()
    const answer = reply.answer()
    reply.response.resume()
    expect(toText(await answer)).toBe(big)
  })

  test.each(['close', 'reset'] as const)(
    'takes it for no fault of the app when the reader of a compressed answer leaves with a %s',
    async (farewell) => {
      const { url, endpoint, expectNoFault } = await start()
      const client = await McpClient.open(url, browser)
      const noise = Array.from({ length: 200_000 }, (_value, i) => Math.sin(i).toString(36)).join('')
      const reply = await client.call('echo', { text: noise })
      expect(reply.headers['content-encoding']).toBe('gzip')
      const closed = new Promise((resolve) => reply.response.once('close', resolve))
      reply.leave(farewell)
      await closed
      expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
      expect(endpoint.stats().connections).toBe(0)
      expectNoFault()
    },
  )

  test('leaves no listener behind on a connection that is used again', async () => {
    const chat: Tool = async (_args, extra) => {
      for (let i = 0; i < 50; i++) await report(extra, 'x'.repeat(2_000))
      return 'done'
    }
    const { url, exchanges, expectNoFault } = await start({ chat })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    onTestFinished(() => agent.destroy())
    const client = await McpClient.open(url)
    const listenersAfter = async (body: unknown, headers: Record<string, string> = {}): Promise<unknown> => {
      await (await send(url, { agent, headers: { ...client.headers, ...browser, ...headers }, body })).text()
      const { request, response, closed } = exchanges.at(-1) as Exchange
      await closed
      const { socket } = request
      expect(response.listenerCount('drain')).toBeLessThanOrEqual(2)
      return socket.eventNames().map((name) => [name, socket.listenerCount(name)])
    }
    const first = await listenersAfter(ping)
    for (let i = 0; i < 12; i++) {
      expect(await listenersAfter(ping)).toEqual(first)
      expect(await listenersAfter(client.callMessage('chat'))).toEqual(first)
      expect(await listenersAfter(initialized)).toEqual(first)
      expect(await listenersAfter(ping, { 'mcp-session-id': 'x'.repeat(32) })).toEqual(first)
    }
    expect(new Set(exchanges.slice(2).map(({ request }) => request.socket)).size).toBe(1)
    expectNoFault()
  })
}
