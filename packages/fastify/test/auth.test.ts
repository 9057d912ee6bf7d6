import { type AuthInfo, createBearerAuth } from '@throughline/mcp-http-core'
import { createEndpoint, type EndpointOptions, mcp } from '@throughline/mcp-http-fastify'
import { expect, onTestFinished, test } from 'vitest'
import { initializeMessage, McpClient, ping } from '../../../test-support/client/mcp-client.ts'
import { type Reply, send } from '../../../test-support/client/reply.ts'
import { serverWith, type Tool } from '../../../test-support/sdk-server.ts'
import { createApp, listen } from './test-app.ts'

const whoami: Tool = (_args, { authInfo }) => authInfo ?? null

/** Tokens are `<name>.<number>`: a refresh changes the number. */
function verify(token: string): AuthInfo | undefined {
  const sub = token.split('.')[0] as string
  if (sub !== 'alice' && sub !== 'bob') return undefined
  return { token, clientId: 'app', scopes: ['mcp'], extra: { iss: 'https://id.example.com', sub } }
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

/** An app whose hook sets `request.auth` in the scope of the endpoint. */
async function startWithHook(): Promise<{ url: string; bareUrl: string; seen: unknown[] }> {
  const { app } = createApp()
  const seen: unknown[] = []
  const make = serverWith({ whoami })
  const server: EndpointOptions['server'] = ({ auth }) => {
    seen.push(auth?.extra?.sub)
    return make()
  }
  const endpoint = createEndpoint({ server })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  app.register((scope, _options, done) => {
    scope.addHook('onRequest', async (request, reply) => {
      request.auth = verify(request.headers.authorization?.slice('Bearer '.length) ?? '')
      if (!request.auth) return reply.code(401).header('www-authenticate', 'Bearer').send({ error: 'who are you?' })
    })
    scope.register(mcp, { prefix: '/mcp', endpoint })
    done()
  })
  app.register(mcp, { prefix: '/bare', endpoint })
  const origin = await listen(app)
  return { url: `${origin}/mcp`, bareUrl: `${origin}/bare`, seen }
}

/** Everything on the wire but the date. */
async function bytesOf(reply: Reply): Promise<unknown> {
  const { date: _date, ...headers } = reply.headers
  return { status: reply.status, headers, body: await reply.text() }
}

test('hands request.auth, as a hook has set it, to the factory and to the tool', async () => {
  const { url, seen } = await startWithHook()
  const client = await McpClient.open(url, bearer('alice.1'))
  expect(seen).toEqual(['alice'])
  expect(JSON.parse(await client.textOf('whoami'))).toMatchObject({ token: 'alice.1', extra: { sub: 'alice' } })
  expect(JSON.parse(await client.textOf('whoami', {}, bearer('alice.2')))).toMatchObject({ token: 'alice.2' })
})

test('answers another user, and nobody, with a session id byte for byte as with an unknown id', async () => {
  const { url, bareUrl } = await startWithHook()
  const client = await McpClient.open(url, bearer('alice.1'))
  const { authorization: _authorization, ...anonymous } = client.headers
  for (const [target, headers] of [
    [url, { ...client.headers, ...bearer('bob.1') }],
    [bareUrl, anonymous],
  ] as const) {
    for (const [method, body] of [['POST', ping], ['POST', initializeMessage], ['GET'], ['DELETE']] as const) {
      const answer = await bytesOf(await send(target, { method, body, headers }))
      const unknown = { ...headers, 'mcp-session-id': 'a'.repeat(32) }
      expect(answer).toMatchObject({ status: 404 })
      expect(answer).toEqual(await bytesOf(await send(target, { method, body, headers: unknown })))
    }
  }
  expect(await client.textOf('echo', { text: 'still mine' })).toBe('still mine')
})

test('leaves a refusal to the hook that refuses, and builds nothing', async () => {
  const { url, seen } = await startWithHook()
  const refused = await send(url, { body: initializeMessage, headers: bearer('mallory.1') })
  expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, 'Bearer'])
  expect(await refused.json()).toEqual({ error: 'who are you?' })
  expect(seen).toEqual([])
})

test('takes what connect-style middleware leaves on the raw request', async () => {
  const { app } = createApp()
  app.addHook('onRequest', async ({ raw }) => void Object.assign(raw, { auth: verify('alice.1') }))
  app.register(mcp, { prefix: '/mcp', server: serverWith({ whoami }) })
  const client = await McpClient.open(`${await listen(app)}/mcp`)
  expect(JSON.parse(await client.textOf('whoami'))).toMatchObject({ extra: { sub: 'alice' } })
})

test('serves bearer tokens, with the metadata mounted the same way', async () => {
  const auth = createBearerAuth({
    verify,
    resource: 'https://mcp.example.com/mcp',
    authorizationServers: ['https://id.example.com'],
    requiredScopes: ['mcp'],
  })
  const { app } = createApp()
  app.register(mcp, { prefix: '/mcp', server: serverWith({ whoami }), auth })
  app.register(mcp, { path: auth.metadataPath, endpoint: auth.metadata })
  const origin = await listen(app)

  const refused = await send(`${origin}/mcp`, { body: initializeMessage })
  expect(refused.status).toBe(401)
  expect(refused.headers['www-authenticate']).toContain(
    `resource_metadata="https://mcp.example.com${auth.metadataPath}"`,
  )
  const metadata = await send(origin + auth.metadataPath, { method: 'GET' })
  expect([metadata.status, metadata.headers['access-control-allow-origin']]).toEqual([200, '*'])
  expect(await metadata.json()).toMatchObject({
    resource: 'https://mcp.example.com/mcp',
    authorization_servers: ['https://id.example.com'],
  })
  const other = await send(origin + auth.metadataPath, { body: {} })
  expect([other.status, other.headers.allow]).toEqual([405, 'GET, HEAD'])

  const client = await McpClient.open(`${origin}/mcp`, bearer('alice.1'))
  expect(JSON.parse(await client.textOf('whoami'))).toMatchObject({ token: 'alice.1' })
  expect((await client.post(ping, bearer('bob.1'))).status).toBe(404)
})
