import Router from '@koa/router'
import { type AuthInfo, type BearerAuth, createBearerAuth } from '@throughline/mcp-http-core'
import { type Endpoint, type EndpointOptions, mcp } from '@throughline/mcp-http-koa'
import type { Middleware } from 'koa'
import { describe, expect, test } from 'vitest'
import { initializeMessage, McpClient, ping } from '../../../test-support/client/mcp-client.ts'
import { type Reply, type SendOptions, send } from '../../../test-support/client/reply.ts'
import { endpointWith } from '../../../test-support/endpoints.ts'
import { listen } from '../../../test-support/listen.ts'
import { report, serverWith, type Tool } from '../../../test-support/sdk-server.ts'
import { atPath, type Framework, frameworks } from './frameworks.ts'
import { collectErrors } from './test-app.ts'

interface Claims {
  readonly iss: string
  readonly sub: string
  readonly clientId: string
}

const alice: Claims = { iss: 'https://id.example.com', sub: 'alice', clientId: 'app' }

/** Tokens are `<name>.<number>`: a refresh changes the number. */
const users: Record<string, Claims> = {
  alice,
  bob: { ...alice, sub: 'bob' },
  'alice-elsewhere': { ...alice, iss: 'https://other.example.com' },
  'alice-other-app': { ...alice, clientId: 'other-app' },
}

function verify(token: string): AuthInfo | undefined {
  const claims = users[token.split('.')[0] as string]
  if (!claims) return undefined
  const { iss, sub, clientId } = claims
  return { token, clientId, scopes: ['mcp'], expiresAt: Date.now() / 1000 + 60, extra: { iss, sub } }
}

/** What a team has: its own middleware, which leaves on `ctx.state.auth` what it verified. */
const requireToken: Middleware = async (ctx, next) => {
  const auth = verify(ctx.get('authorization').replace(/^Bearer /, ''))
  if (!auth) ctx.throw(401, 'log in first')
  ctx.state.auth = auth
  await next()
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

const whoami: Tool = (_args, { authInfo }) => authInfo ?? null

interface Started {
  readonly url: string
  /** The same endpoint without the middleware: a mistake in the app's routes. */
  readonly bareUrl: string
  readonly endpoint: Endpoint
}

async function start(framework: Framework, options: Partial<EndpointOptions> = {}): Promise<Started> {
  const endpoint = endpointWith({ whoami, say: (_args, extra) => report(extra, 'hello').then(() => 'said') }, options)
  const router = new Router()
  router.all('/mcp', requireToken, mcp(endpoint))
  router.all('/bare', mcp(endpoint))
  const app = new framework()
  // Koa's own refusals are errors of the app that it does not print.
  collectErrors(app)
  const { origin } = await listen(app.use(router.routes()).callback())
  return { url: `${origin}/mcp`, bareUrl: `${origin}/bare`, endpoint }
}

/** Everything on the wire but the date. */
async function bytesOf(reply: Reply): Promise<unknown> {
  const { date: _date, ...headers } = reply.headers
  return { status: reply.status, headers, raw: reply.response.rawHeaders.length, body: await reply.text() }
}

const unknownSession = 'a'.repeat(32)

const requests: readonly SendOptions[] = [
  { method: 'POST', body: ping },
  { method: 'POST', body: { jsonrpc: '2.0', method: 'notifications/initialized' } },
  { method: 'POST', body: initializeMessage },
  { method: 'POST', body: 'no json' },
  { method: 'GET' },
  { method: 'GET', headers: { 'last-event-id': 'whatever' } },
  { method: 'DELETE' },
]

describe.each(frameworks)('%s with ctx.state.auth', (_name, framework) => {
  test('hands it to the tool, and to the factory of the server', async () => {
    const seen: unknown[] = []
    const { url } = await start(framework, { server: factoryThatTells(seen) })
    const client = await McpClient.open(url, bearer('alice.1'))
    expect(JSON.parse(await client.textOf('whoami'))).toMatchObject({
      token: 'alice.1',
      clientId: 'app',
      scopes: ['mcp'],
      extra: { sub: 'alice' },
    })
    expect(seen).toEqual(['alice'])
  })

  test('lets the same user go on with a refreshed token, and the tool sees the new one', async () => {
    const { url } = await start(framework)
    const client = await McpClient.open(url, bearer('alice.1'))
    expect(JSON.parse(await client.textOf('whoami', {}, bearer('alice.2')))).toMatchObject({ token: 'alice.2' })
    const stream = await client.get(bearer('alice.3'))
    expect(stream.status).toBe(200)
    stream.leave()
    expect((await client.delete(bearer('alice.4'))).status).toBe(204)
  })

  test.each(['bob', 'alice-elsewhere', 'alice-other-app'])(
    "answers %s with alice's session id byte for byte as with an unknown id",
    async (user) => {
      const { url, endpoint } = await start(framework)
      const client = await McpClient.open(url, bearer('alice.1'))
      const before = endpoint.stats()
      for (const request of requests) {
        const ask = async (sessionId: string): Promise<unknown> => {
          const headers = { ...client.headers, ...request.headers, ...bearer(`${user}.1`), 'mcp-session-id': sessionId }
          return bytesOf(await send(url, { ...request, headers }))
        }
        const answer = await ask(client.headers['mcp-session-id'] as string)
        expect(answer).toMatchObject({ status: 404 })
        expect(answer).toEqual(await ask(unknownSession))
      }
      expect(endpoint.stats()).toEqual(before)
      expect(await client.textOf('echo', { text: 'still mine' })).toBe('still mine')
    },
  )

  test('gives no stream to whoever stole a session id and an event id', async () => {
    const { url } = await start(framework)
    const client = await McpClient.open(url, bearer('alice.1'))
    const reply = await client.call('say')
    const { id } = await reply.events.next()
    expect((await client.get({ ...bearer('bob.1'), 'last-event-id': id as string })).status).toBe(404)
    const resumed = await client.get({ 'last-event-id': id as string })
    expect(await resumed.answer()).toMatchObject({ result: { content: [{ text: 'said' }] } })
  })

  test('leaves a request without a token to the middleware, which answers as Koa does', async () => {
    const { url, endpoint } = await start(framework)
    const client = await McpClient.open(url, bearer('alice.1'))
    const reply = await send(url, { headers: { 'mcp-session-id': unknownSession }, body: ping })
    expect([reply.status, await reply.text()]).toEqual([401, 'log in first'])
    expect((await client.post(ping, bearer('mallory.1'))).status).toBe(401)
    expect(await client.textOf('echo', { text: 'fine' })).toBe('fine')
    expect(endpoint.stats().sessions).toBe(1)
  })

  test('answers 404 where the middleware was forgotten: a session with an owner is nobody else’s', async () => {
    const { url, bareUrl } = await start(framework)
    const client = await McpClient.open(url, bearer('alice.1'))
    const anonymous = await McpClient.open(bareUrl)
    expect((await send(bareUrl, { headers: client.headers, body: ping })).status).toBe(404)
    const asAlice = { ...anonymous.headers, ...bearer('alice.1') }
    expect((await send(url, { headers: asAlice, body: ping })).status).toBe(404)
    expect((await anonymous.post(ping)).status).toBe(200)
  })
})

function factoryThatTells(seen: unknown[]): EndpointOptions['server'] {
  const make = serverWith({ whoami })
  return ({ auth }) => {
    seen.push(auth?.extra?.sub)
    return make()
  }
}

const resource = 'https://mcp.example.com/mcp'
const metadataUrl = 'https://mcp.example.com/.well-known/oauth-protected-resource/mcp'

interface WithMetadata {
  readonly origin: string
  readonly errors: Error[]
}

async function startWithMetadata(framework: Framework, mount: 'router' | 'middleware'): Promise<WithMetadata> {
  const auth: BearerAuth = createBearerAuth({
    verify,
    resource,
    authorizationServers: ['https://id.example.com'],
    requiredScopes: ['mcp'],
  })
  const endpoint = endpointWith({ whoami }, { auth })
  const app = new framework()
  const errors = collectErrors(app)
  if (mount === 'router') {
    const router = new Router()
    router.all('/mcp', mcp(endpoint)).all(auth.metadataPath, mcp(auth.metadata))
    app.use(router.routes()).use(router.allowedMethods())
  } else {
    app.use(atPath(mcp(auth.metadata), auth.metadataPath)).use(atPath(mcp(endpoint)))
  }
  return { origin: (await listen(app.callback())).origin, errors }
}

describe.each(frameworks)('%s with createBearerAuth', (_name, framework) => {
  test.each(['router', 'middleware'] as const)('serves the metadata that a 401 names, on a %s', async (mount) => {
    const { origin, errors } = await startWithMetadata(framework, mount)
    const refused = await send(`${origin}/mcp`, { body: initializeMessage })
    expect(refused.status).toBe(401)
    expect(refused.headers['www-authenticate']).toContain(`resource_metadata="${metadataUrl}"`)
    expect(await refused.json()).toMatchObject({ jsonrpc: '2.0', error: { code: expect.any(Number) } })

    const path = new URL(metadataUrl).pathname
    const found = await send(origin + path, { method: 'GET' })
    expect([found.status, found.headers['content-type'], found.headers['access-control-allow-origin']]).toEqual([
      200,
      'application/json',
      '*',
    ])
    expect(await found.json()).toMatchObject({ resource, authorization_servers: ['https://id.example.com'] })

    const head = await send(origin + path, { method: 'HEAD' })
    expect([head.status, head.headers['content-length'], await head.text()]).toEqual([
      200,
      found.headers['content-length'],
      '',
    ])
    const posted = await send(origin + path, { body: {} })
    expect([posted.status, posted.headers.allow, posted.headers['content-length'], await posted.text()]).toEqual([
      405,
      'GET, HEAD',
      '0',
      '',
    ])
    expect(errors).toEqual([])
  })

  test('binds the session to the token it verified', async () => {
    const { origin } = await startWithMetadata(framework, 'router')
    const client = await McpClient.open(`${origin}/mcp`, bearer('alice.1'))
    expect(JSON.parse(await client.textOf('whoami'))).toMatchObject({ token: 'alice.1', extra: { sub: 'alice' } })
    expect((await client.post(ping, bearer('bob.1'))).status).toBe(404)
    expect((await client.post(ping, bearer('mallory.1'))).status).toBe(401)
    expect((await client.post(ping, bearer('alice.2'))).status).toBe(200)
  })
})
