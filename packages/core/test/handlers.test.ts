import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { toInitializeParams } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { type AuthInfo, type EndpointOptions, Rejection } from '../src/index.ts'
import { type ConnectRequest, toNodeHandler } from '../src/node/index.ts'
import { type FetchContext, toFetchHandler } from '../src/web/index.ts'

const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: toInitializeParams() }
const ping = { jsonrpc: '2.0', id: 2, method: 'ping' }

function toInit(body: unknown, headers: Record<string, string> = {}): RequestInit {
  const common = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' }
  return { method: 'POST', headers: { ...common, ...headers }, body: JSON.stringify(body) }
}

const toRequest = (body: unknown, headers?: Record<string, string>): Request =>
  new Request('https://mcp.example.com/mcp', toInit(body, headers))

const sessionOf = (response: Response): Record<string, string> => ({
  'mcp-session-id': response.headers.get('mcp-session-id') ?? '',
})

function start(options: Partial<EndpointOptions> = {}): ReturnType<typeof createTestEndpoint> {
  const built = createTestEndpoint({}, options)
  onTestFinished(() => built.endpoint.close({ drainMs: 0 }))
  return built
}

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
}

const toAuth = (name: string): AuthInfo => ({ token: name, clientId: 'app', scopes: [], extra: { sub: name } })

/** As middleware does that verifies a token. */
function signIn(request: IncomingMessage): ConnectRequest {
  return Object.assign(request, { auth: toAuth(request.headers.authorization ?? '') })
}

test.each([{ server: () => undefined }, { connect: () => undefined }, undefined, () => undefined])(
  'what is no endpoint is refused when it is mounted: %s',
  (given) => {
    const refusal = 'Expected an endpoint made by createEndpoint({ server: () => new McpServer(…) }), got '
    expect(() => toNodeHandler(given as never)).toThrow(refusal)
    expect(() => toFetchHandler(given as never)).toThrow(refusal)
  },
)

describe('toNodeHandler', () => {
  test('takes nothing of what a framework passes after the response', async () => {
    const handle = toNodeHandler(start().endpoint) as (request: unknown, response: unknown, next: unknown) => void
    const next = Object.assign(() => undefined, { auth: toAuth('everybody'), parsedBody: ping })
    const url = await listen((request, response) => handle(signIn(request), response, next))
    const opened = await fetch(url, toInit(initialize, { authorization: 'alice' }))
    const session = sessionOf(opened)
    expect((await fetch(url, toInit(ping, { ...session, authorization: 'alice' }))).status).toBe(200)
    expect((await fetch(url, toInit(ping, { ...session, authorization: 'bob' }))).status).toBe(404)
  })

  test('asks `context`, with all that the platform passes', async () => {
    const serve = toNodeHandler(start().endpoint, {
      context: async (_request, _response, user: string) => ({ auth: toAuth(user) }),
    })
    const url = await listen((request, response) => {
      serve(request, response, request.headers['x-user'] as string).catch(() => response.destroy())
    })
    const session = sessionOf(await fetch(url, toInit(initialize, { 'x-user': 'alice' })))
    expect((await fetch(url, toInit(ping, { ...session, 'x-user': 'bob' }))).status).toBe(404)
    expect((await fetch(url, toInit(ping, { ...session, 'x-user': 'alice' }))).status).toBe(200)
  })

  test('looks on the request for what `context` leaves out', async () => {
    const serve = toNodeHandler(start().endpoint, { context: () => ({ onError: () => undefined }) })
    const url = await listen((request, response) => void serve(signIn(request), response))
    const session = sessionOf(await fetch(url, toInit(initialize, { authorization: 'alice' })))
    expect((await fetch(url, toInit(ping, { ...session, authorization: 'bob' }))).status).toBe(404)
  })
})

const failing: [string, Partial<EndpointOptions>, (() => never) | undefined][] = [
  [
    'a `context` that throws',
    {},
    () => {
      throw new Error('the context is broken')
    },
  ],
  [
    'a refusal with a header that cannot be written',
    {
      auth: () => {
        throw new Rejection('unauthorized', { headers: { 'www-authenticate': 'Bearer realm="a\nb"' } })
      },
    },
    undefined,
  ],
]

describe.each(failing)('%s is answered 500 and reported', (_, options, context) => {
  test('on Node', async () => {
    const { endpoint, errors } = start(options)
    const serve = toNodeHandler(endpoint, context && { context })
    const url = await listen((request: IncomingMessage, response: ServerResponse) => void serve(request, response))
    const response = await fetch(url, toInit(initialize))
    expect([response.status, await response.text()]).toEqual([500, expect.stringContaining('Internal error')])
    expect(errors).toHaveLength(1)
  })

  test('behind fetch', async () => {
    const { endpoint, errors } = start(options)
    const response = await toFetchHandler(endpoint, context && { context })(toRequest(initialize))
    expect([response.status, await response.text()]).toEqual([500, expect.stringContaining('Internal error')])
    expect(errors).toHaveLength(1)
  })
})

describe('toFetchHandler', () => {
  test("takes nothing of a Worker's env", async () => {
    const handle = toFetchHandler(start().endpoint) as (request: Request, env: unknown) => Promise<Response>
    const env = { auth: toAuth('everybody'), parsedBody: ping, localAddress: '127.0.0.1' }
    const opened = await handle(toRequest(initialize), env)
    expect(opened.status).toBe(200)
    expect((await handle(toRequest(ping, sessionOf(opened)), {})).status).toBe(200)
  })

  test('fits the types of Next, Deno and Workers', () => {
    const { endpoint } = start()
    const POST = toFetchHandler(endpoint)
    // Next compares the second parameter, where there is one, with its route context.
    const parameters: [Request] = [toRequest(ping)] satisfies Parameters<typeof POST>
    const next: (request: Request, context: { params: Promise<Record<string, string>> }) => Promise<Response> = POST
    const worker: { fetch(request: Request, env: { auth: object }): Promise<Response> } = { fetch: POST }
    const deno: (request: Request, info: { remoteAddr: { hostname: string } }) => Promise<Response> = toFetchHandler(
      endpoint,
      {
        context: (_request, info: { remoteAddr: { hostname: string } }) => ({ localAddress: info.remoteAddr.hostname }),
      },
    )
    expect([parameters.length, typeof next, typeof worker.fetch, typeof deno]).toEqual([
      1,
      'function',
      'function',
      'function',
    ])
  })

  test('asks `context`, with all that the platform passes', async () => {
    const handle = toFetchHandler(start().endpoint, {
      context: (_request, env: { user: string }): FetchContext => ({ auth: toAuth(env.user) }),
    })
    const session = sessionOf(await handle(toRequest(initialize), { user: 'alice' }))
    expect((await handle(toRequest(ping, session), { user: 'bob' })).status).toBe(404)
    expect((await handle(toRequest(ping, session), { user: 'alice' })).status).toBe(200)
  })
})
