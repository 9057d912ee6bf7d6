import { expect, test } from 'vitest'
import { openSession, TestClient, toInitializeParams, toJson } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestRequest } from '../../../test-support/in-process/test-request.ts'
import { waitFor } from '../../../test-support/waiting.ts'
import { type AuthInfo, type BearerAuthOptions, createBearerAuth, Rejection } from '../src/index.ts'

const challenge =
  'Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="mcp"'

function verify(token: string): AuthInfo | undefined {
  const [sub, scope = 'mcp', seconds = '60', ...resource] = token.split('/')
  if (sub === 'sdk') throw Object.assign(new Error('bad'), { errorCode: 'invalid_token' })
  if (sub === 'invalid') return undefined
  const expiresAt = Math.floor(Date.now() / 1_000) + Number(seconds)
  return {
    ...{ token, clientId: 'client', scopes: [scope], expiresAt, extra: { iss: 'issuer', sub } },
    ...(resource.length > 0 && { resource: new URL(`https://${resource.join('/')}`) }),
  }
}

const options: BearerAuthOptions = {
  verify,
  resource: 'https://mcp.example.com/mcp',
  authorizationServers: ['https://auth.example.com'],
  requiredScopes: ['mcp'],
}

const invalid = (description: string) => `${challenge}, error="invalid_token", error_description="${description}"`
const malformed = invalid('Expected Bearer and one token in Authorization')
const foreign = invalid('The token is for another resource than https://mcp.example.com/mcp')

const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

test.each<[string, Record<string, string>, number, string, url?: string]>([
  ['no token', {}, 401, challenge],
  ['a token in the query', {}, 401, challenge, '/mcp?access_token=alice'],
  ['another scheme', { authorization: 'Basic YTpi' }, 401, malformed],
  ['two tokens', { authorization: 'Bearer a, Bearer b' }, 401, malformed],
  ['an invalid token', bearer('invalid'), 401, `${challenge}, error="invalid_token"`],
  ['a token an SDK verifier throws at', bearer('sdk'), 401, `${challenge}, error="invalid_token"`],
  ['an expired token', bearer('alice/mcp/-1'), 401, invalid('The token has expired')],
  ['a token for another resource', bearer('alice/mcp/60/other.example'), 401, foreign],
  ['a token without the scope', bearer('alice/other'), 403, `${challenge}, error="insufficient_scope"`],
])(
  '%s: refused for every method, known and unknown session alike, before the body is read',
  async (_, headers, status, expected, url = '/mcp') => {
    const { endpoint } = createTestEndpoint({}, { auth: createBearerAuth(options) })
    const known = new TestClient(endpoint)
    const opened = await known.post(
      { ...ping, method: 'initialize', params: toInitializeParams() },
      { headers: bearer('alice') },
    )
    for (const sessionId of [opened.headers['mcp-session-id'] as string, 'x'.repeat(32)]) {
      for (const method of ['POST', 'GET', 'DELETE']) {
        const all = { 'mcp-session-id': sessionId, ...headers }
        const request = new TestRequest(method, { url, headers: all, body: ping })
        const reply = await endpoint.handle(request)
        expect(reply).toMatchObject({ status, headers: { 'www-authenticate': expected, 'cache-control': 'no-store' } })
        expect(toJson(reply)).not.toHaveProperty('id')
        expect(request.bodyRead).toBe(false)
      }
    }
    expect(endpoint.stats().sessions).toBe(1)
  },
)

const named = (name: string) => Object.assign(new Error('gone'), { name })
const coded = (code: string, error = new Error('gone')) => Object.assign(error, { code })

test.each<[string, Error]>([
  ['a refused connection', coded('ECONNREFUSED')],
  ['a certificate that is not trusted', coded('DEPTH_ZERO_SELF_SIGNED_CERT')],
  [
    'a certificate of another name, as fetch wraps it',
    new TypeError('x', { cause: coded('ERR_TLS_CERT_ALTNAME_INVALID') }),
  ],
  ['an answer that is no HTTP', new TypeError('x', { cause: coded('HPE_INVALID_CONSTANT') })],
  ['keys that are none', coded('ERR_JWKS_INVALID')],
  ['a fetch of which nothing is known', new TypeError('fetch failed')],
  ['a fetch of Deno', new TypeError('error sending request for url (https://id.example.com/jwks)')],
  ['a fetch of Bun', coded('ConnectionRefused')],
  ['a fetch that took too long', named('TimeoutError')],
])('a verifier that fails for %s is 503, not a login', async (_what, error) => {
  const told: string[] = []
  const auth = createBearerAuth({ ...options, verify: () => Promise.reject(error) })
  const { endpoint } = createTestEndpoint({}, { auth, onError: (_error, where) => told.push(where) })
  const request = new TestRequest('POST', { body: ping, headers: bearer('alice') })
  const { status, headers } = await endpoint.handle(request)
  expect([status, headers['retry-after'], told]).toEqual([503, '5', ['auth']])
})

test.each([
  ['jose says so', coded('ERR_JWS_SIGNATURE_VERIFICATION_FAILED')],
  ['jose finds no key for it', coded('ERR_JWKS_NO_MATCHING_KEY')],
  ['its own code stumbles over it', new TypeError("Cannot read properties of undefined (reading 'sub')")],
])('a token at which a verifier throws because %s is 401', async (_what, error) => {
  const auth = createBearerAuth({ ...options, verify: () => Promise.reject(error) })
  const { endpoint } = createTestEndpoint({}, { auth, onError: () => undefined })
  expect((await endpoint.handle(new TestRequest('POST', { body: ping, headers: bearer('alice') }))).status).toBe(401)
})

test('a valid token reaches the handler and binds the session', async () => {
  const { endpoint } = createTestEndpoint(
    { whoami: ({ extra }) => ({ sub: extra.authInfo?.extra?.sub }) },
    { auth: createBearerAuth(options) },
  )
  const client = new TestClient(endpoint)
  const opened = await client.post(
    { ...ping, method: 'initialize', params: toInitializeParams() },
    { headers: bearer('alice') },
  )
  client.sessionId = opened.headers['mcp-session-id'] as string
  const whoami = { ...ping, method: 'whoami' }
  expect(toJson(await client.post(whoami, { headers: bearer('alice/mcp/90/mcp.example.com/mcp') })).result).toEqual({
    sub: 'alice',
  })
  expect((await client.post(whoami, { headers: bearer('mallory') })).status).toBe(404)
})

test('the metadata document is served at its path-aware place', async () => {
  const auth = createBearerAuth(options)
  expect(auth.metadataPath).toBe('/.well-known/oauth-protected-resource/mcp')
  const reply = await auth.metadata.handle(new TestRequest('GET'))
  expect(reply).toMatchObject({
    status: 200,
    headers: { 'content-type': 'application/json', 'access-control-allow-origin': '*' },
  })
  expect(JSON.parse(reply.body as string)).toEqual({
    resource: 'https://mcp.example.com/mcp',
    authorization_servers: ['https://auth.example.com'],
    scopes_supported: ['mcp'],
    bearer_methods_supported: ['header'],
  })
  expect((await auth.metadata.handle(new TestRequest('POST'))).status).toBe(405)
  expect(createBearerAuth({ ...options, resource: 'https://mcp.example.com' }).metadataPath).toBe(
    '/.well-known/oauth-protected-resource',
  )
})

test('when the token expires its stream ends', async () => {
  const { endpoint } = createTestEndpoint({}, { keepAliveMs: 100 })
  const client = await openSession(endpoint, {
    auth: { token: 't', clientId: 'c', scopes: [], expiresAt: Date.now() / 1_000 + 0.3 },
  })
  const reader = await client.read()
  expect(reader.ended).toBe(false)
  await waitFor(() => reader.ended, 2_000)
})

test('a function of the application says who sends, or refuses', async () => {
  const { endpoint } = createTestEndpoint(
    {},
    {
      auth: async (request) => {
        const user = request.header('x-user')
        if (user === 'nobody') throw new Rejection('unauthorized')
        return user === undefined ? undefined : { token: '', clientId: user, scopes: [] }
      },
    },
  )
  const client = await openSession(endpoint)
  expect((await client.post(ping)).status).toBe(200)
  expect((await client.post(ping, { headers: { 'x-user': 'alice' } })).status).toBe(404)
  expect((await client.post(ping, { headers: { 'x-user': 'nobody' } })).status).toBe(401)
})

test.each<[Partial<BearerAuthOptions>, string]>([
  [{ resource: '/mcp' }, 'Expected resource'],
  [{ resource: 'ftp://x' }, 'Expected resource'],
  [{ authorizationServers: [] }, 'Expected authorizationServers'],
  [{ verify: undefined as unknown as BearerAuthOptions['verify'] }, 'Expected verify'],
])('%j is refused at start-up', (bad, message) => {
  expect(() => createBearerAuth({ ...options, ...bad })).toThrow(message)
})
