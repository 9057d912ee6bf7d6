import { describe, expect, test } from 'vitest'
import { TestClient, toJson } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestRequest } from '../../../test-support/in-process/test-request.ts'
import { type BearerAuthOptions, createBearerAuth, type HttpReply } from '../src/index.ts'

const metadataUrl = 'https://mcp.example.com/.well-known/oauth-protected-resource/mcp'

const options: BearerAuthOptions = {
  verify: () => undefined,
  resource: 'https://mcp.example.com/mcp',
  authorizationServers: ['https://auth.example.com'],
}

const withBearer = { headers: { authorization: 'Bearer abc' } }
const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }

async function refusal(thrown: unknown): Promise<{ reply: HttpReply; told: [unknown, string][] }> {
  const told: [unknown, string][] = []
  const verify = async (): Promise<never> => {
    throw thrown
  }
  const { endpoint } = createTestEndpoint(
    {},
    { auth: createBearerAuth({ ...options, verify }), onError: (error, where) => told.push([error, where]) },
  )
  return { reply: await new TestClient(endpoint).post(ping, withBearer), told }
}

const errorWith = (members: object): Error => Object.assign(new Error('secret detail'), members)

describe('a `verify` that throws', () => {
  test.each<[string, unknown]>([
    ['jose: expired', errorWith({ code: 'ERR_JWT_EXPIRED', name: 'JWTExpired' })],
    ['jose: signature', errorWith({ code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' })],
    ['jose: no key', errorWith({ code: 'ERR_JWKS_NO_MATCHING_KEY' })],
    ['jsonwebtoken: malformed', errorWith({ name: 'JsonWebTokenError' })],
    ['jsonwebtoken: expired', errorWith({ name: 'TokenExpiredError' })],
    ['the SDK: invalid', errorWith({ errorCode: 'invalid_token' })],
  ])('as libraries do for a bad token (%s) is 401 with the challenge, and nothing to report', async (_, thrown) => {
    const { reply, told } = await refusal(thrown)
    expect(reply.status).toBe(401)
    expect(reply.headers['www-authenticate']).toBe(`Bearer resource_metadata="${metadataUrl}", error="invalid_token"`)
    expect(told).toEqual([])
  })

  test.each<[string, unknown]>([
    ['an error', new Error('secret detail')],
    ['a TypeError', new TypeError("Cannot read properties of undefined (reading 'sub')")],
    ['an HTTP error of the client', errorWith({ status: 404 })],
    ['a text', 'no'],
    ['null', null],
  ])('%s is 401 with the challenge, and reported', async (_, thrown) => {
    const { reply, told } = await refusal(thrown)
    expect(reply.status).toBe(401)
    expect(reply.headers['www-authenticate']).toContain('error="invalid_token"')
    expect(reply.body).not.toContain('secret')
    expect(told).toEqual([[thrown, 'auth']])
  })

  test.each<[string, unknown]>([
    ['a refused connection', errorWith({ code: 'ECONNREFUSED' })],
    ['a name that is not resolved', errorWith({ code: 'EAI_AGAIN' })],
    ['fetch that failed', new TypeError('fetch failed', { cause: errorWith({ code: 'UND_ERR_CONNECT_TIMEOUT' }) })],
    ['a key set that does not come', errorWith({ code: 'ERR_JWKS_TIMEOUT' })],
    ['an HTTP error of the issuer', errorWith({ status: 502 })],
    ['an OAuth error of the issuer', errorWith({ errorCode: 'server_error' })],
  ])('because it cannot verify at all (%s) is 503 without a challenge, and reported', async (_, thrown) => {
    const { reply, told } = await refusal(thrown)
    expect(reply.status).toBe(503)
    expect(reply.headers['retry-after']).toMatch(/^\d+$/)
    expect(reply.headers).not.toHaveProperty('www-authenticate')
    expect(toJson(reply).error?.message).toContain('cannot be verified at the moment')
    expect(told).toEqual([[thrown, 'auth']])
  })
})

describe('options', () => {
  test.each<[string, object, string]>([
    ['misspelt', { scopes: ['mcp'] }, 'Unknown option: scopes'],
    ['without verify', { verify: undefined }, 'Expected verify to be a function'],
    ['without resource', { resource: undefined }, "Expected resource to be the endpoint's URL, got undefined"],
    ['of a path for the resource', { resource: '/mcp' }, "Expected resource to be the endpoint's URL"],
    ['without issuers', { authorizationServers: undefined }, 'Expected authorizationServers to be an array'],
    ['of no issuer', { authorizationServers: [] }, 'Expected authorizationServers to name at least one'],
    ['of a text for issuers', { authorizationServers: 'https://auth.example.com' }, 'to be an array of strings'],
    ['of an issuer that is no URL', { authorizationServers: ['auth'] }, 'each of authorizationServers'],
    ['of a text for scopes', { requiredScopes: 'mcp' }, 'Expected requiredScopes to be an array'],
    ['of two scopes in one', { requiredScopes: ['a b'] }, 'Expected each of requiredScopes to be a scope'],
    ['of a scope with a quote', { requiredScopes: ['a"'] }, 'Expected each of requiredScopes to be a scope'],
    ['of a path for the metadata', { metadataUrl: '/x' }, 'Expected metadataUrl to be a URL'],
  ])('%s fail when it is made', (_, given, message) => {
    expect(() => createBearerAuth({ ...options, ...given })).toThrow(message)
  })

  test('that are missing altogether fail too', () => {
    expect(() => createBearerAuth(undefined as never)).toThrow('Expected the options to be an object')
  })

  test('name the scopes in the first refusal', async () => {
    const auth = createBearerAuth({ ...options, requiredScopes: ['mcp', 'files:read'] })
    const { endpoint } = createTestEndpoint({}, { auth })
    const { headers } = await new TestClient(endpoint).post(ping)
    expect(headers['www-authenticate']).toBe(`Bearer resource_metadata="${metadataUrl}", scope="mcp files:read"`)
  })

  test('say where the metadata is, for a server under a sub-path', async () => {
    const url = 'https://example.com/tools/.well-known/oauth-protected-resource'
    const auth = createBearerAuth({ ...options, resource: 'https://example.com/tools/mcp', metadataUrl: url })
    expect(auth.metadataPath).toBe('/tools/.well-known/oauth-protected-resource')
    const document = await auth.metadata.handle(new TestRequest('GET'))
    expect(JSON.parse(document.body as string)).toMatchObject({ resource: 'https://example.com/tools/mcp' })
    const { headers } = await new TestClient(createTestEndpoint({}, { auth }).endpoint).post(ping)
    expect(headers['www-authenticate']).toBe(`Bearer resource_metadata="${url}"`)
  })
})

describe('half an answer of `verify` lets nobody in', () => {
  const full = { token: 't', clientId: 'c', scopes: ['admin'] }
  test.each<[string, object, string]>([
    ['scopes as the text that a token has', { ...full, scopes: 'superadmin' }, 'the scopes that verify gives'],
    ['a scope that is none', { ...full, scopes: ['admin', 5] }, 'the scopes that verify gives'],
    ['an expiry that is no number', { ...full, expiresAt: Number.NaN }, 'the expiresAt that verify gives'],
    ['an expiry in milliseconds', { ...full, expiresAt: 1_764_602_911_000 }, 'the expiresAt that verify gives'],
    ['an expiry as text', { ...full, expiresAt: '2030-01-01' }, 'the expiresAt that verify gives'],
  ])('%s', async (_what, identity, named) => {
    const told: unknown[] = []
    const auth = createBearerAuth({ ...options, verify: () => identity as never, requiredScopes: ['admin'] })
    const { endpoint } = createTestEndpoint({}, { auth, onError: (error) => told.push(error) })
    expect((await new TestClient(endpoint).post(ping, withBearer)).status).toBe(500)
    expect(told.map(String)).toEqual([expect.stringContaining(`TypeError: Expected ${named} to be `)])
  })

  test('and no scopes are none', async () => {
    const { scopes: _left, ...identity } = full
    const auth = createBearerAuth({ ...options, verify: () => identity as never, requiredScopes: ['admin'] })
    const { endpoint } = createTestEndpoint({}, { auth })
    expect((await new TestClient(endpoint).post(ping, withBearer)).status).toBe(403)
  })
})
