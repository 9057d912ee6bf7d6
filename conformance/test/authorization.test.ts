import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import KoaRouter from '@koa/router'
import {
  type AuthInfo,
  type BearerAuth,
  createBearerAuth,
  createEndpoint,
  type Endpoint,
} from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import { mcp as mcpForExpress } from '@throughline/mcp-http-express'
import { mcp as mcpForFastify } from '@throughline/mcp-http-fastify'
import { mcp as mcpForHono } from '@throughline/mcp-http-hono'
import { mcp as mcpForKoa } from '@throughline/mcp-http-koa'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { expect, onTestFinished, test } from 'vitest'
import { issueTokens } from '../doubles/auth.ts'
import { startReferenceServer } from '../doubles/reference-server.ts'
import { type Credentials, probeTarget } from '../src/client/target.ts'
import { createFixture } from '../src/fixture/index.ts'
import { requirements } from '../src/requirements/index.ts'
import { checkRequirement } from '../src/runner.ts'

const chosen = requirements.filter(({ id }) => id.startsWith('auth/'))

/** Serves an endpoint at `/mcp`, and the metadata of its authorization where clients look for it. */
type Mount = (endpoint: Endpoint, auth: BearerAuth) => RequestListener | Promise<RequestListener>

const mounts = {
  node(endpoint, auth) {
    const [serve, serveMetadata] = [toNodeHandler(endpoint), toNodeHandler(auth.metadata)]
    return (request, response) => {
      if (request.url === auth.metadataPath) void serveMetadata(request, response)
      else if (request.url?.split('?', 1)[0] === '/mcp') void serve(request, response)
      else response.writeHead(404).end()
    }
  },
  express(endpoint, auth) {
    const app = express()
    app.all('/mcp', mcpForExpress(endpoint))
    app.all(auth.metadataPath, mcpForExpress(auth.metadata))
    return app
  },
  async fastify(endpoint, auth) {
    const app = Fastify()
    app.register(mcpForFastify, { path: '/mcp', endpoint })
    app.register(mcpForFastify, { path: auth.metadataPath, endpoint: auth.metadata })
    await app.ready()
    return (request, response) => app.routing(request, response)
  },
  koa(endpoint, auth) {
    const router = new KoaRouter()
    router.all('/mcp', mcpForKoa(endpoint))
    router.all(auth.metadataPath, mcpForKoa(auth.metadata))
    return new Koa().use(router.routes()).callback()
  },
  hono(endpoint, auth) {
    const app = new Hono()
    app.all('/mcp', mcpForHono(endpoint))
    app.get(auth.metadataPath, mcpForHono(auth.metadata))
    return getRequestListener(app.fetch)
  },
} satisfies Record<string, Mount>

const credentials = issueTokens()

/** As a verifier that asks the issuer about each token. */
function verify(token: string, resource: string): AuthInfo | undefined {
  if (!Object.values(credentials).includes(token)) return undefined
  return {
    token,
    clientId: 'conformance',
    scopes: token === credentials.weak ? ['profile'] : ['mcp'],
    expiresAt: Math.floor(Date.now() / 1_000) + (token === credentials.expired ? -60 : 3_600),
    resource: new URL(token === credentials.foreign ? 'https://other.example.com/mcp' : resource),
    extra: { iss: 'https://issuer.example.com', sub: token === credentials.other ? 'bob' : 'alice' },
  }
}

/** Starts the everything server with `createBearerAuth`; it ends with the test. */
async function start(mount: Mount): Promise<URL> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  const auth = createBearerAuth({
    verify: (token) => verify(token, url),
    resource: url,
    authorizationServers: ['https://issuer.example.com'],
    requiredScopes: ['mcp'],
  })
  const endpoint = createEndpoint({ server: createFixture().createServer, auth })
  server.on('request', await mount(endpoint, auth))
  onTestFinished(async () => {
    await endpoint.close({ drainMs: 0 })
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return new URL(url)
}

/** What the checks of authorization come to that is not `pass`. */
async function findUnmet(url: URL, given: Credentials): Promise<string[]> {
  const target = await probeTarget(url, { credentials: given })
  const results = await Promise.all(chosen.map((requirement) => checkRequirement(requirement, target)))
  return results.flatMap(({ id, verdict, message }) => (verdict === 'pass' ? [] : [`${verdict} ${id}: ${message}`]))
}

test.each(Object.entries(mounts))(
  'createBearerAuth on %s meets every requirement of authorization',
  { timeout: 30_000 },
  async (_adapter, mount) => {
    expect(await findUnmet(await start(mount), credentials)).toEqual([])
  },
)

test('the reference server with tokens meets every requirement of authorization', { timeout: 30_000 }, async () => {
  const server = await startReferenceServer({ auth: true })
  onTestFinished(() => server.close())
  expect(await findUnmet(new URL(server.url), credentials)).toEqual([])
})

test('without the tokens that a check needs it is not testable, and says which option gives them', async () => {
  const server = await startReferenceServer({ auth: true })
  onTestFinished(() => server.close())
  const unmet = await findUnmet(new URL(server.url), { token: credentials.token })
  expect(unmet.every((line) => line.startsWith('not-testable'))).toBe(true)
  const options = ['other', 'expired', 'weak', 'foreign'].map((kind) => `--${kind}-token`)
  for (const option of options) expect(unmet.join('\n')).toContain(option)
})

test('a server that asks nobody for a token cannot be tested', async () => {
  const server = await startReferenceServer()
  onTestFinished(() => server.close())
  const unmet = await findUnmet(new URL(server.url), credentials)
  expect(unmet).toHaveLength(chosen.length)
  for (const line of unmet) expect(line).toContain('needs a server that asks for a token')
})

test('no token is in what a failed check tells', { timeout: 30_000 }, async () => {
  const server = await startReferenceServer({ auth: true, defects: new Set(['no-challenge-on-401']) })
  onTestFinished(() => server.close())
  // The same user twice: what another user must not do, this one may, and each such check fails.
  const target = await probeTarget(new URL(server.url), { credentials: { ...credentials, other: credentials.token } })
  const results = await Promise.all(chosen.map((requirement) => checkRequirement(requirement, target)))
  const told = JSON.stringify(results)
  expect(results.filter(({ transcript }) => transcript !== '').length).toBeGreaterThan(4)
  for (const token of Object.values(credentials)) expect(told).not.toContain(token)
})
