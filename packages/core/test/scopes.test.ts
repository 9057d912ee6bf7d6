import { McpServer, requireScopes } from '@modelcontextprotocol/server'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openSession, TestClient, toJson } from '../../../test-support/in-process/test-client.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { type AuthInfo, createEndpoint, type Endpoint, type EndpointOptions, sharedServer } from '../src/index.ts'

type Challenge = () => unknown

const resource = new URL('https://mcp.example.com/mcp')

function holding(...scopes: string[]): AuthInfo {
  return { token: 'secret', clientId: 'app', scopes, resource }
}

let ran = 0

/** A server object whose tool `restricted` needs the scope `admin`. */
function buildServer(challenge: Challenge = requireScopes('admin', 'write') as Challenge): McpServer {
  const server = new McpServer({ name: 'scopes', version: '1' }, { capabilities: { tools: {} } })
  const run = () => {
    ran++
    return { content: [{ type: 'text' as const, text: 'done' }] }
  }
  server.registerTool('restricted', { scopeChallenge: challenge as never }, run)
  server.registerTool('open', {}, run)
  return server
}

function start(server: EndpointOptions['server'], options: Partial<EndpointOptions> = {}) {
  const errors: unknown[] = []
  const endpoint = createEndpoint({ server, onError: (error) => errors.push(error), ...options })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  ran = 0
  return { endpoint, errors }
}

/** Without a session. */
function lone(endpoint: Endpoint, auth: AuthInfo): TestClient {
  return Object.assign(new TestClient(endpoint), { auth })
}

const oneUser = { principal: () => 'one' }

const restricted = { name: 'restricted', arguments: {} }

describe('a call that needs a scope which its token lacks is refused with 403, and its tool does not run', () => {
  const ways: Record<string, () => Promise<TestClient>> = {
    'in a session': () => openSession(start(() => buildServer(), oneUser).endpoint, { auth: holding('write') }),
    'of a shared server object': () =>
      openSession(
        start(
          sharedServer(() => buildServer()),
          oneUser,
        ).endpoint,
        { auth: holding('write') },
      ),
    'without sessions': async () => lone(start(() => buildServer(), { sessions: false }).endpoint, holding('write')),
  }
  test.each(Object.entries(ways))('%s', async (_way, open) => {
    const client = await open()
    const reply = await client.call('tools/call', restricted, 7)
    expect(reply.status).toBe(403)
    expect(toJson(reply)).toMatchObject({ id: 7, error: { code: -32000 } })
    expect(reply.headers['www-authenticate']).toBe(
      'Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="admin write", error="insufficient_scope", error_description="Insufficient scope"',
    )
    expect(ran).toBe(0)
    client.auth = holding('write', 'admin')
    expect((await client.call('tools/call', restricted)).status).toBe(200)
    client.auth = holding()
    expect((await client.call('tools/call', { name: 'open', arguments: {} })).status).toBe(200)
    expect(ran).toBe(2)
  })
})

test('of a batch that needs a scope no call runs', async () => {
  const { endpoint } = start(() => buildServer(), oneUser)
  const client = await openSession(endpoint, { version: '2025-03-26', auth: holding() })
  const calls = ['open', 'restricted'].map((name, id) => {
    return { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: {} } }
  })
  expect((await client.post(calls)).status).toBe(403)
  expect(ran).toBe(0)
})

test('a request without any token is left to the option auth', async () => {
  const client = await openSession(start(() => buildServer()).endpoint)
  expect((await client.call('tools/call', restricted)).status).toBe(200)
})

test('a session that ends while its server object is asked is gone', async () => {
  const asked = deferred()
  const answered = deferred()
  const challenge = async () => {
    asked.resolve()
    await answered.promise
  }
  const { endpoint } = start(() => buildServer(challenge), oneUser)
  const client = await openSession(endpoint, { auth: holding() })
  const calling = client.call('tools/call', restricted)
  await asked.promise
  await client.delete()
  answered.resolve()
  expect((await calling).status).toBe(404)
  expect(ran).toBe(0)
})

test.each<[string, Challenge]>([
  ['throws', () => JSON.parse('{')],
  ['rejects', async () => JSON.parse('{')],
  ['gives null', () => null],
  ['names no scope', () => ({ scopes: [] })],
  ['names what is no scope', async () => ({ scopes: ['a"\r\nx: y'] })],
  ['describes it with more than a header holds', () => ({ scopes: ['a'], errorDescription: 'a\nb' })],
])('a scopeChallenge that %s lets nobody in, and onError is told', async (_what, challenge) => {
  const { endpoint, errors } = start(() => buildServer(challenge), oneUser)
  const client = await openSession(endpoint, { auth: holding('admin') })
  const reply = await client.call('tools/call', restricted)
  expect(reply.status).toBe(500)
  expect(toJson(reply)).toMatchObject({ id: 1, error: { code: -32603, message: 'Internal error' } })
  expect(errors).toHaveLength(1)
  expect(ran).toBe(0)
})
