import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js'
import { createEndpoint, type EndpointOptions, mcp } from '@throughline/mcp-http-express'
import { describe, expect, onTestFinished, test } from 'vitest'
import { initializeMessage, McpClient, ping } from '../../../test-support/client/mcp-client.ts'
import { type Reply, type SendOptions, send } from '../../../test-support/client/reply.ts'
import { listen } from '../../../test-support/listen.ts'
import { cancelled, report, serverWith, type Tool } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { type Framework, frameworks } from './frameworks.ts'

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

const verifier = {
  verifyAccessToken: async (token: string): Promise<AuthInfo> => {
    const claims = users[token.split('.')[0] as string]
    if (!claims) throw new InvalidTokenError('Unknown token')
    const { iss, sub, clientId } = claims
    return { token, clientId, scopes: ['mcp'], expiresAt: Date.now() / 1000 + 60, extra: { iss, sub } }
  },
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

const whoami: Tool = (_args, { authInfo }) => authInfo ?? null

interface Started {
  readonly url: string
  /** The same endpoint without the middleware: a mistake in the app's routes. */
  readonly bareUrl: string
  readonly endpoint: ReturnType<typeof createEndpoint>
}

async function start(
  framework: Framework,
  tools: Record<string, Tool> = {},
  options: Partial<EndpointOptions> = {},
): Promise<Started> {
  const app = framework()
  const endpoint = createEndpoint({ server: serverWith({ whoami, ...tools }), ...options })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  app.all('/mcp', requireBearerAuth({ verifier, requiredScopes: ['mcp'] }), mcp(endpoint))
  app.all('/bare', mcp(endpoint))
  const { origin } = await listen(app)
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
  { method: 'POST', body: { jsonrpc: '2.0', id: 1, result: {} } },
  { method: 'POST', body: initializeMessage },
  { method: 'POST', body: 'no json' },
  { method: 'GET' },
  { method: 'GET', headers: { 'last-event-id': 'whatever' } },
  { method: 'DELETE' },
]

describe.each(frameworks)('%s with requireBearerAuth', (_name, framework) => {
  test('hands the verified token to the tool', async () => {
    const { url } = await start(framework)
    const client = await McpClient.open(url, bearer('alice.1'))
    expect(JSON.parse(await client.textOf('whoami'))).toMatchObject({
      token: 'alice.1',
      clientId: 'app',
      scopes: ['mcp'],
      extra: { sub: 'alice' },
    })
  })

  test('hands the token to the factory of the server', async () => {
    const seen: unknown[] = []
    const make = serverWith()
    const { url } = await start(
      framework,
      {},
      {
        server: ({ auth }) => {
          seen.push(auth?.extra?.sub)
          return make()
        },
      },
    )
    await McpClient.open(url, bearer('bob.1'))
    expect(seen).toEqual(['bob'])
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
        const ask = async (sessionId: string | undefined): Promise<unknown> => {
          const headers = { ...client.headers, ...request.headers, ...bearer(`${user}.1`), 'mcp-session-id': sessionId }
          return bytesOf(await send(url, { ...request, headers: headers as Record<string, string> }))
        }
        const answer = await ask(client.headers['mcp-session-id'])
        expect(answer).toMatchObject({ status: 404 })
        expect(answer).toEqual(await ask(unknownSession))
      }
      expect(endpoint.stats()).toEqual(before)
      expect(await client.textOf('echo', { text: 'still mine' })).toBe('still mine')
    },
  )

  test('another user can neither cancel nor answer in a session, nor resume its streams with a stolen event id', async () => {
    const started = deferred()
    let wasCancelled = false
    const finish = deferred()
    const { url } = await start(framework, {
      hold: async (_args, extra) => {
        void cancelled(extra).then(() => {
          wasCancelled = true
        })
        await report(extra, 'started')
        started.resolve()
        await finish.promise
        return 'whole'
      },
    })
    const client = await McpClient.open(url, bearer('alice.1'))
    const call = client.callMessage('hold')
    const reply = await client.post(call)
    const { id } = await reply.events.next()
    await started.promise
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: call.id } }
    expect((await client.post(cancel, bearer('bob.1'))).status).toBe(404)
    expect((await client.get({ ...bearer('bob.1'), 'last-event-id': id as string })).status).toBe(404)
    finish.resolve()
    expect(await reply.answer()).toMatchObject({ result: { content: [{ text: 'whole' }] } })
    expect(wasCancelled).toBe(false)
  })

  test('answers 401 to an anonymous request on an authenticated session: by the middleware', async () => {
    const { url } = await start(framework)
    const client = await McpClient.open(url, bearer('alice.1'))
    const { authorization: _authorization, ...headers } = client.headers
    for (const request of requests) {
      const reply = await send(url, { ...request, headers: { ...headers, ...request.headers } })
      expect(reply.status).toBe(401)
      expect(reply.headers['www-authenticate']).toContain('Bearer error="invalid_token"')
      await reply.text()
    }
    expect((await client.post(ping, bearer('mallory.1'))).status).toBe(401)
    expect(await client.textOf('echo', { text: 'fine' })).toBe('fine')
  })

  test('answers 404 where the middleware was forgotten: a session with an owner is nobody else’s', async () => {
    const { url, bareUrl } = await start(framework)
    const client = await McpClient.open(url, bearer('alice.1'))
    for (const request of requests) {
      const ask = async (sessionId: string): Promise<unknown> => {
        const headers = { ...client.headers, ...request.headers, 'mcp-session-id': sessionId }
        return bytesOf(await send(bareUrl, { ...request, headers }))
      }
      const answer = await ask(client.headers['mcp-session-id'] as string)
      expect(answer).toMatchObject({ status: 404 })
      expect(answer).toEqual(await ask(unknownSession))
    }
    expect(await client.textOf('echo', { text: 'fine' })).toBe('fine')
  })

  test('does not give an anonymous session to a user who logs in later', async () => {
    const { url, bareUrl } = await start(framework)
    const anonymous = await McpClient.open(bareUrl)
    const reply = await send(url, { headers: { ...anonymous.headers, ...bearer('alice.1') }, body: ping })
    expect(reply.status).toBe(404)
    expect((await anonymous.post(ping)).status).toBe(200)
  })

  test('counts a principal’s sessions, not everybody’s', async () => {
    const { url, endpoint } = await start(framework, {}, { maxSessionsPerPrincipal: 2 })
    const first = await McpClient.open(url, bearer('alice.1'))
    await McpClient.open(url, bearer('alice.1'))
    const bob = await McpClient.open(url, bearer('bob.1'))
    await McpClient.open(url, bearer('alice.2'))
    expect(endpoint.stats().sessions).toBe(3)
    expect((await first.post(ping)).status).toBe(404)
    expect((await bob.post(ping)).status).toBe(200)
  })
})
