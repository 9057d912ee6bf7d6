import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AuthInfo, createBearerAuth, createEndpoint, type ServerFactory } from '@throughline/mcp-http-core'
import { expect, onTestFinished, test } from 'vitest'
import { issueTokens } from '../doubles/auth.ts'
import { startReferenceServer } from '../doubles/reference-server.ts'
import { type Adapter, adapters } from '../mounts/index.ts'
import { probeTarget } from '../src/client/find-target.ts'
import type { Credentials } from '../src/client/target.ts'
import { createFixture } from '../src/fixture/index.ts'
import { createModernFixture } from '../src/fixture/modern.ts'
import { requirements } from '../src/requirements/index.ts'
import { checkRequirement } from '../src/runner.ts'

const all = requirements.filter(({ id }) => id.startsWith('auth/'))
const ofScopes = all.filter(({ needs }) => needs.includes('role:missing_scope'))
const chosen = all.filter((requirement) => !ofScopes.includes(requirement))

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

/** Server objects of SDK 1.x in sessions, and of SDK 2.x in 2026-07-28. */
function buildBoth(): ServerFactory {
  const [fixture, modern] = [createFixture(), createModernFixture()]
  return ({ era }) => (era === '2026' ? modern : fixture).createServer()
}

/** Starts the everything server with `createBearerAuth` and its metadata; it ends with the test. */
async function start({ serve }: Adapter, buildServer = buildBoth()): Promise<URL> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  const auth = createBearerAuth({
    verify: (token) => verify(token, url),
    resource: url,
    authorizationServers: ['https://issuer.example.com'],
    requiredScopes: ['mcp'],
  })
  const endpoint = createEndpoint({ server: buildServer, auth })
  const routes = [
    { path: '/mcp', serves: endpoint },
    { path: auth.metadataPath, serves: auth.metadata },
  ]
  server.on('request', await serve(routes, { parser: false, compression: false, nested: false }))
  onTestFinished(async () => {
    await endpoint.close({ drainMs: 0 })
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return new URL(url)
}

/** What the checks of authorization come to that is not `pass`. */
async function findUnmet(url: URL, given: Credentials, checks = chosen): Promise<string[]> {
  const target = await probeTarget(url, { credentials: given })
  const results = await Promise.all(checks.map((requirement) => checkRequirement(requirement, target)))
  return results.flatMap(({ id, verdict, message }) => (verdict === 'pass' ? [] : [`${verdict} ${id}: ${message}`]))
}

test.each(adapters.map((adapter) => [adapter.name, adapter] as const))(
  'createBearerAuth on %s meets every requirement of authorization',
  { timeout: 30_000 },
  async (_name, adapter) => {
    expect(await findUnmet(await start(adapter), credentials)).toEqual([])
  },
)

test.each(adapters.map((adapter) => [adapter.name, adapter] as const))(
  'a scope that a tool of SDK 2.x names is challenged on %s, in both eras',
  async (_name, adapter) => {
    const modern = createModernFixture()
    const url = await start(adapter, () => modern.createServer())
    expect(await findUnmet(url, credentials, ofScopes)).toEqual([])
  },
)

test('the reference server with tokens meets every requirement of authorization', { timeout: 30_000 }, async () => {
  const server = await startReferenceServer({ auth: true })
  onTestFinished(() => server.close())
  expect(await findUnmet(new URL(server.url), credentials, all)).toEqual([])
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
