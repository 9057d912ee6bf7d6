import { type AuthInfo, createBearerAuth } from '@throughline/mcp-http-core'
import { createEndpoint, type EndpointOptions, mcp } from '@throughline/mcp-http-hono'
import { Hono, type MiddlewareHandler } from 'hono'
import { bearerAuth } from 'hono/bearer-auth'
import { describe, expect, onTestFinished, test } from 'vitest'
import { initializeMessage, McpClient, ping } from '../../../test-support/client/mcp-client.ts'
import { type Reply, type SendOptions, send } from '../../../test-support/client/reply.ts'
import { serverWith, type Tool } from '../../../test-support/sdk-server.ts'
import { listen } from './test-app.ts'

/** Tokens are `<name>.<number>`: a refresh changes the number. */
function verify(token: string): AuthInfo | undefined {
  const [sub = ''] = token.split('.')
  if (!['alice', 'bob', 'limited'].includes(sub)) return undefined
  const scopes = sub === 'limited' ? [] : ['mcp']
  const expiresAt = Math.floor(Date.now() / 1000) + 60
  return { token, clientId: 'app', scopes, expiresAt, extra: { iss: 'https://id.example.com', sub } }
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

const whoami: Tool = (_args, { authInfo }) => authInfo ?? null

type Variables = { auth: AuthInfo | undefined }

/** The team's own middleware: Hono's, with the user left where the adapter looks. */
const ownAuth: MiddlewareHandler<{ Variables: Variables }> = bearerAuth({
  verifyToken: (token, c) => {
    const auth = verify(token)
    c.set('auth', auth)
    return auth !== undefined
  },
})

interface Mounted {
  readonly url: string
  readonly bareUrl: string
  readonly origin: string
}

async function serve(options: Partial<EndpointOptions> = {}, middleware?: MiddlewareHandler): Promise<Mounted> {
  const endpoint = createEndpoint({ server: serverWith({ whoami }), ...options })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  const app = new Hono<{ Variables: Variables }>()
  if (middleware) app.use('/mcp', middleware)
  app.all('/mcp', mcp(endpoint))
  app.all('/bare', mcp(endpoint))
  const { origin } = await listen(app as unknown as Hono)
  return { origin, url: `${origin}/mcp`, bareUrl: `${origin}/bare` }
}

/** Everything on the wire but the date. */
async function bytesOf(reply: Reply): Promise<unknown> {
  const { date: _date, ...headers } = reply.headers
  return { status: reply.status, headers, raw: reply.response.rawHeaders.length, body: await reply.text() }
}

const requests: readonly SendOptions[] = [
  { method: 'POST', body: ping },
  { method: 'POST', body: { jsonrpc: '2.0', method: 'notifications/initialized' } },
  { method: 'POST', body: { jsonrpc: '2.0', id: 1, result: {} } },
  { method: 'POST', body: initializeMessage },
  { method: 'POST', body: 'no json' },
  { method: 'GET' },
  { method: 'GET', headers: { 'last-event-id': 'whatever' } },
  { method: 'DELETE' },
]

const ways: readonly [name: string, start: () => Promise<Mounted>][] = [
  ["c.set('auth', …) of a middleware", () => serve({}, ownAuth)],
  ["c.set('auth', …) behind one that has read the body", () => serve({}, readsFirst(ownAuth))],
  [
    'the auth option',
    () =>
      serve({
        auth: createBearerAuth({
          resource: 'https://mcp.example.com/mcp',
          authorizationServers: ['https://id.example.com'],
          verify,
        }),
      }),
  ],
]

function readsFirst(middleware: MiddlewareHandler): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.method === 'POST') await c.req.json().catch(() => undefined)
    return middleware(c, next)
  }
}

describe.each(ways)('with %s', (_name, startWay) => {
  test('hands the verified token to the tool, also a refreshed one', async () => {
    const { url } = await startWay()
    const client = await McpClient.open(url, bearer('alice.1'))
    expect(JSON.parse(await client.textOf('whoami'))).toMatchObject({ token: 'alice.1', extra: { sub: 'alice' } })
    expect(JSON.parse(await client.textOf('whoami', {}, bearer('alice.2')))).toMatchObject({ token: 'alice.2' })
    const stream = await client.get(bearer('alice.3'))
    expect(stream.status).toBe(200)
    stream.leave()
    expect((await client.delete(bearer('alice.4'))).status).toBe(204)
  })

  test("answers bob with alice's session id byte for byte as with an unknown id", async () => {
    const { url } = await startWay()
    const client = await McpClient.open(url, bearer('alice.1'))
    for (const request of requests) {
      const ask = async (sessionId: string): Promise<unknown> => {
        const headers = { ...client.headers, ...request.headers, ...bearer('bob.1'), 'mcp-session-id': sessionId }
        return bytesOf(await send(url, { ...request, headers }))
      }
      const answer = await ask(client.headers['mcp-session-id'] as string)
      expect(answer).toMatchObject({ status: 404 })
      expect(answer).toEqual(await ask('a'.repeat(32)))
    }
    expect(await client.textOf('echo', { text: 'still mine' })).toBe('still mine')
  })

  test('answers 401 without a valid token', async () => {
    const { url } = await startWay()
    const client = await McpClient.open(url, bearer('alice.1'))
    for (const headers of [{ ...client.headers, authorization: 'Bearer mallory.1' }]) {
      const reply = await send(url, { headers, body: ping })
      expect([reply.status, reply.headers['www-authenticate']]).toEqual([401, expect.stringMatching(/^Bearer/)])
    }
  })
})

test('answers 404 where the middleware was forgotten: a session with an owner is nobody else’s', async () => {
  const { url, bareUrl } = await serve({}, ownAuth)
  const client = await McpClient.open(url, bearer('alice.1'))
  expect((await send(bareUrl, { headers: client.headers, body: ping })).status).toBe(404)
})

test('serves the metadata of createBearerAuth, and challenges that lead to it', async () => {
  const resource = 'https://mcp.example.com/mcp'
  const auth = createBearerAuth({
    resource,
    authorizationServers: ['https://id.example.com'],
    requiredScopes: ['mcp'],
    verify,
  })
  const app = new Hono()
  const endpoint = createEndpoint({ server: serverWith({ whoami }), auth })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  app.all('/mcp', mcp(endpoint))
  app.get(auth.metadataPath, mcp(auth.metadata))
  const { origin } = await listen(app)

  const refused = await send(`${origin}/mcp`, { body: initializeMessage })
  expect(refused.status).toBe(401)
  const path = '/.well-known/oauth-protected-resource/mcp'
  expect(refused.headers['www-authenticate']).toBe(`Bearer resource_metadata="https://mcp.example.com${path}"`)
  const limited = await send(`${origin}/mcp`, { headers: bearer('limited.1'), body: initializeMessage })
  expect([limited.status, limited.headers['www-authenticate']]).toEqual([403, expect.stringContaining('scope="mcp"')])

  const metadata = await send(origin + path, { method: 'GET' })
  expect(metadata.headers).toMatchObject({ 'content-type': 'application/json', 'access-control-allow-origin': '*' })
  expect(await metadata.json()).toMatchObject({ resource, authorization_servers: ['https://id.example.com'] })
  const head = await send(origin + path, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
  expect((await send(origin + path, { method: 'POST', body: {} })).status).toBe(404)
  const viaFetch = await app.request(path)
  expect(await viaFetch.json()).toMatchObject({ resource })
})
