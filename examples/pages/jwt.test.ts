import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createEndpoint, type EndpointOptions } from '@throughline/mcp-http-core'
import { mcp } from '@throughline/mcp-http-express'
import express from 'express'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createJwtAuth } from './jwt.ts'
import { buildServer } from './server.ts'

const issuer = 'https://id.example.com'
const resource = 'https://mcp.example.com/mcp'

let keys: Awaited<ReturnType<typeof generateKeyPair>>
let others: Awaited<ReturnType<typeof generateKeyPair>>
beforeAll(async () => {
  keys = await generateKeyPair('ES256')
  others = await generateKeyPair('ES256')
})

interface TokenOptions {
  readonly claims?: JWTPayload
  readonly expires?: string
  readonly key?: (typeof keys)['privateKey']
}

function sign({ claims = {}, expires = '5m', key = keys.privateKey }: TokenOptions = {}): Promise<string> {
  const whole = { iss: issuer, aud: resource, sub: 'ada', client_id: 'desktop', scope: 'mcp openid', ...claims }
  return new SignJWT(whole).setProtectedHeader({ alg: 'ES256', kid: 'one' }).setExpirationTime(expires).sign(key)
}

async function serveKeys(): Promise<string> {
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'ES256' }
  return listenAs((_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }))
  })
}

/** The URL of an issuer's key set. */
async function listenAs(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
}

async function serve(jwksUrl?: string, onError?: EndpointOptions['onError']) {
  const auth = createJwtAuth({ issuer, resource, jwksUrl: jwksUrl ?? (await serveKeys()) })
  const endpoint = createEndpoint({ server: () => buildServer(), auth, ...(onError && { onError }) })
  const server = express().all('/mcp', mcp(endpoint)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    await endpoint.close({ drainMs: 0 })
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  return (token: string | undefined, body: object, sessionId = '') => {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(sessionId !== '' && { 'mcp-session-id': sessionId }),
    }
    return fetch(url, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...body }) })
  }
}

const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } }
const initialize = { id: 1, method: 'initialize', params }
const ping = { id: 2, method: 'ping' }

describe('a JWT', () => {
  test('opens a session, and another one after a refresh goes on with it', async () => {
    const post = await serve()
    const opened = await post(await sign(), initialize)
    expect(opened.status).toBe(200)
    const sessionId = opened.headers.get('mcp-session-id') ?? ''
    expect((await post(await sign({ expires: '10m' }), ping, sessionId)).status).toBe(200)
  })

  test('of another user finds no such session', async () => {
    const post = await serve()
    const opened = await post(await sign(), initialize)
    const sessionId = opened.headers.get('mcp-session-id') ?? ''
    expect((await post(await sign({ claims: { sub: 'bob' } }), ping, sessionId)).status).toBe(404)
  })

  test.each<[string, TokenOptions]>([
    ['for another audience', { claims: { aud: 'https://other.example.com/mcp' } }],
    ['of another issuer', { claims: { iss: 'https://evil.example.com' } }],
    ['that has expired', { expires: '-1s' }],
  ])('%s is refused with the challenge', async (_what, options) => {
    const post = await serve()
    const refused = await post(await sign(options), initialize)
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toContain('resource_metadata=')
  })

  test('with a signature of nobody known is refused with the challenge', async () => {
    const post = await serve()
    const refused = await post(await sign({ key: others.privateKey }), initialize)
    expect(refused.status).toBe(401)
  })

  test('is missing: the challenge says where to get one, and which scope', async () => {
    const post = await serve()
    const challenge = (await post(undefined, initialize)).headers.get('www-authenticate')
    expect(challenge).toContain('https://mcp.example.com/.well-known/oauth-protected-resource/mcp')
    expect(challenge).toContain('scope="mcp"')
  })

  test('without the scope is refused with 403', async () => {
    const post = await serve()
    expect((await post(await sign({ claims: { scope: 'openid' } }), initialize)).status).toBe(403)
  })

  test.each<[string, RequestListener]>([
    ['the issuer hangs up', (request) => request.socket.destroy()],
    ['it speaks no HTTP', (request) => request.socket.end('hello\r\n\r\n')],
    ['it answers 503', (_request, response) => response.writeHead(503).end()],
    ['it redirects', (_request, response) => response.writeHead(302, { location: '/login' }).end()],
    ['it answers with a page', (_request, response) => response.end('<h1>Maintenance</h1>')],
    ['it answers with other JSON', (_request, response) => response.end('{"error":"maintenance"}')],
    ['it hangs up in the middle', (_request, response) => response.write('{"keys":', () => response.destroy())],
  ])('cannot be verified while %s: 503, not a new login', async (_what, answer) => {
    const told: string[] = []
    const post = await serve(await listenAs(answer), (_error, where) => told.push(where))
    const refused = await post(await sign(), initialize)
    expect([refused.status, told]).toEqual([503, ['auth']])
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/)
  })

  test('cannot be verified while the keys are away: 503, not a new login', async () => {
    const told: string[] = []
    const away = createServer().listen(0, '127.0.0.1')
    await once(away, 'listening')
    const { port } = away.address() as AddressInfo
    await new Promise((resolve) => away.close(resolve))
    const post = await serve(`http://127.0.0.1:${port}/jwks`, (_error, where) => told.push(where))
    const answer = await post(await sign(), initialize)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(told).toEqual(['auth'])
  })
})
