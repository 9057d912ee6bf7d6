import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createSecureServer, type Http2SecureServer } from 'node:http2'
import {
  type AuthInfo,
  createBearerAuth,
  createEndpoint,
  type EndpointOptions,
  type Mountable,
} from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import type { Browser, Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { skipsBrowser, useBrowser } from '../../test-support/browser.ts'
import { listen } from '../../test-support/listen.ts'
import { findAdapter } from '../mounts/index.ts'
import { createFixtureEndpoints } from '../mounts/start.ts'
import { createFixture } from '../src/fixture/index.ts'
import { createModernFixture } from '../src/fixture/modern.ts'
import { apps } from './browser/apps.ts'
import { type Attack, call, callHeaders, crossSite, rebound } from './browser/attacks.ts'
import { type Exchange, preflights, record } from './browser/record.ts'
import { emptyHtml, openPage, openWebApp, servePage, serveWebApp } from './browser/web-app.ts'
import { type ClientKind, clientKinds, modernClient, type Progress } from './interop/clients.ts'
import { openGatedProxy } from './interop/gated-proxy.ts'
import type { Inbox } from './interop/inbox.ts'
import { expectNothingHeld, expectStats, upTo } from './interop/meet.ts'

type AppName = keyof typeof apps

const names = Object.keys(apps) as AppName[]
const isMore = process.env.MOUNTS === 'more'
/** The others are for `pnpm test:mounts`. */
const chosen = isMore ? names : names.slice(0, 1)

const [sdk1, sdk2] = clientKinds as [ClientKind, ClientKind]
const listChanged = { method: 'notifications/tools/list_changed' }

describe.skipIf(skipsBrowser()).each(chosen)('%s in a browser', { timeout: 60_000 }, (name) => {
  // Names of loopback, each of a site of its own.
  const browser = useBrowser('--host-resolver-rules=MAP *.example 127.0.0.1')

  test.each(isMore ? [sdk1, sdk2] : [sdk1])('$name: a session, and nothing is lost with a connection', async (kind) => {
    const { app, url, seen, endpoint } = await startApp(browser(), name)
    const proxy = await openGatedProxy(url)
    onTestFinished(() => proxy.close())
    expect(await app.ask('connect', kind.name, proxy.url)).toEqual({ hasSession: true, protocolVersion: '2025-11-25' })
    expect(await app.ask('toolNames')).toContain('burst')
    await app.page.exposeFunction('progressed', (progress: number) => void (progress === 3 && proxy.cut()))
    const called = await app.ask('call', 'burst', { count: 10, delayMs: 20 })
    expect(called).toEqual({ text: 'burst done', isError: false, progress: upTo(10) })
    expect(await app.ask('hasResumed')).toBe(true)
    await endpoint.notify(listChanged)
    expect(await app.ask('changes', 1)).toBe(1)
    await app.ask('end')
    await expectStats(endpoint, { sessions: 0, connections: 0, calls: 0 })
    const asked = new Set(preflights(seen).flatMap(({ headers }) => headers))
    expect([...asked].sort()).toEqual(['content-type', 'last-event-id', 'mcp-protocol-version', 'mcp-session-id'])
  })

  test('a client of 2026-07-28: calls, progress, a cancel', async () => {
    const { app, url, seen, endpoint } = await startApp(browser(), name)
    const connected = await app.ask('connect', modernClient.name, url)
    expect(connected).toEqual({ hasSession: false, protocolVersion: '2026-07-28' })
    expect(await app.ask('toolNames')).toContain('test_x_mcp_header')
    // What the client leaves out in a page, and an app may add: findings/official-client-omits-param-headers-in-pages.sh
    await expect(app.ask('call', 'test_x_mcp_header', { region: 'eu' })).rejects.toThrow(/Mcp-Param-Region/)
    const mirrored = await app.ask('call', 'test_x_mcp_header', { region: 'eu' }, { 'Mcp-Param-Region': 'eu' })
    expect(JSON.parse(mirrored.text)).toEqual({ region: 'eu' })
    expect(await app.ask('call', 'burst', { count: 5 })).toMatchObject({ progress: upTo(5) })
    await app.ask('cancel', 'abort_probe', { key: 'page' })
    await expectStats(endpoint, { calls: 0 })
    expect(await app.ask('call', 'abort_query', { key: 'page' })).toMatchObject({ text: 'aborted' })
    await app.ask('end')
    const asked = new Set(preflights(seen).flatMap(({ headers }) => headers))
    const expected = ['content-type', 'mcp-method', 'mcp-name', 'mcp-param-region', 'mcp-protocol-version']
    expect([...asked].sort()).toEqual(expected)
  })

  test.each([
    ['goes elsewhere', (page: Page) => page.goto('about:blank')],
    ['is closed', (page: Page) => page.close()],
  ])('a page of 2026-07-28 hears of changes until it %s, and nothing of it is left', async (_how, leave) => {
    const { app, url, seen, endpoint } = await startApp(browser(), name)
    await app.ask('connect', modernClient.name, url)
    expect(await app.ask('listen')).toBe(true)
    await expectStats(endpoint, { streams: 1, connections: 1 })
    for (let count = 1; count <= 2; count++) {
      await endpoint.notify(listChanged)
      expect(await app.ask('changes', count)).toBe(count)
    }
    const before = seen.items.length
    await leave(app.page)
    await expectNothingHeld(endpoint)
    // It was this that ended the stream.
    expect((await seen.count(before + 1)).slice(before).map(({ method }) => method)).toEqual(['POST'])
    const asked = new Set(preflights(seen).flatMap(({ headers }) => headers))
    expect([...asked].sort()).toEqual(['content-type', 'mcp-method', 'mcp-protocol-version'])
  })

  test('a page without a token sees why, finds the metadata, and comes back with one', async () => {
    const { app, url } = await startApp(browser(), name, (resource) => {
      const auth = createBearerAuth({ resource, authorizationServers: ['https://id.example.com'], verify })
      return { auth, documents: { [auth.metadataPath]: auth.metadata } }
    })
    expect(await app.ask('refusalOf', sdk1.name, url)).toBe(401)
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
    const refused = await app.ask('request', url, { method: 'POST', headers, body: '{}' })
    expect(refused.status).toBe(401)
    const challenge = refused.headers['www-authenticate'] ?? ''
    expect(challenge).toMatch(/resource_metadata="/)
    const metadataUrl = /resource_metadata="([^"]*)"/.exec(challenge)?.[1] ?? ''
    // As the SDK asks for it.
    const found = await app.ask('request', metadataUrl, { headers: { 'MCP-Protocol-Version': '2025-11-25' } })
    expect(JSON.parse(found.text)).toMatchObject({ resource: url })
    const opened = await app.ask('connect', sdk1.name, url, { Authorization: 'Bearer of-alice' })
    expect(opened).toMatchObject({ hasSession: true })
    await app.ask('end')
  })

  test.runIf(isMore)('asks once for what it sends often', async () => {
    const { app, url, seen } = await startApp(browser(), name)
    await app.ask('connect', sdk1.name, url)
    await app.ask('call', 'echo', { text: 'a' })
    const before = preflights(seen).length
    // Longer than Chromium remembers by itself.
    await app.page.waitForTimeout(6_000)
    await app.ask('call', 'echo', { text: 'b' })
    await app.ask('end')
    expect(preflights(seen).length - before).toBe(0)
  })

  test('another page of another origin gets nowhere', async () => {
    const { app, url, endpoint, seen } = await startApp(browser(), name)
    const other = await openWebApp(browser(), await serveWebApp())
    expect(await other.ask('refusalOf', sdk1.name, url)).toBe(0)
    expect(seen.items.map(({ method, status }) => [method, status])).not.toContainEqual(['POST', 200])
    expect(endpoint.stats().sessions).toBe(0)
    expect(await app.ask('refusalOf', sdk1.name, url)).toBe(200)
    await app.ask('end')
  })

  // Of another site, and of the same on another port.
  test.each(isMore ? ['evil.example', '127.0.0.1'] : ['evil.example'])(
    'a page of http://%s attacks: all is refused, nothing is lost',
    async (host) => {
      const { url, seen, expectUntouched } = await startAttacked(name)
      const page = await openPage(browser(), await servePage(emptyHtml, host))
      for (const attack of crossSite) await expectRefused(page, attack, url, seen)
      await expectUntouched()
    },
  )

  test('a page whose name was rebound to the server attacks: all is refused, nothing is lost', async () => {
    const { url, seen, expectUntouched } = await startAttacked(name)
    // What the name led to before and what it leads to now are one origin to the browser.
    const rebindTo = url.replace('127.0.0.1', 'evil.example')
    const page = await openPage(browser(), rebindTo.replace('/mcp', '/attack'))
    for (const attack of rebound) await expectRefused(page, attack, rebindTo, seen)
    await expectUntouched()
  })
})

describe.skipIf(!isMore || skipsBrowser())('tabs of one browser', { timeout: 60_000 }, () => {
  const browser = useBrowser('--ignore-certificate-errors')
  const stalledAfterMs = 3_000

  /** How many of eight tabs get a session, one after the other. Each keeps its standalone stream. */
  async function countSessions(createServer: () => Server | Http2SecureServer, scheme: string): Promise<number> {
    const webApp = await serveWebApp()
    const [endpoint] = createFixtureEndpoints([{ allowedOrigins: [webApp] }])
    onTestFinished(() => endpoint.close({ drainMs: 0 }))
    const app = await apps.node(endpoint, webApp)
    const server = createServer().on('request', (request, response) => void app.emit('request', request, response))
    const { port } = await listen(server)
    const profile = await browser().newContext()
    onTestFinished(() => profile.close())
    for (let sessions = 0; sessions < 8; sessions++) {
      const tab = await openWebApp(profile, webApp)
      const connected = tab.ask('connect', sdk1.name, `${scheme}://127.0.0.1:${port}/mcp`).then(() => true)
      const stalled = tab.page.waitForTimeout(stalledAfterMs).then(() => false)
      // What has stalled goes with its tab.
      for (const promise of [connected, stalled]) promise.catch(() => undefined)
      if (!(await Promise.race([connected, stalled]))) return sessions
      await expectStats(endpoint, { connections: sessions + 1 })
    }
    return 8
  }

  test('over HTTP/1.1 six have sessions, and every further request waits', async () => {
    expect(await countSessions(() => createServer(), 'http')).toBe(6)
  })

  test('over HTTP/2 all have', async () => {
    const read = (name: string) => readFileSync(new URL(`certificates/${name}`, import.meta.url))
    const options = { key: read('key.pem'), cert: read('cert.pem') }
    expect(await countSessions(() => createSecureServer(options), 'https')).toBe(8)
  })
})

interface AppOptions extends Partial<EndpointOptions> {
  /** What the app serves beside the endpoint, by path. */
  readonly documents?: Readonly<Record<string, Mountable>>
}

/** Serves an app of the documentation, and opens the web app that may call it. */
async function startApp(browser: Browser, name: AppName, toOptions: (url: string) => AppOptions = () => ({})) {
  const server = createServer()
  const seen = record(server)
  const url = `${(await listen(server)).origin}/mcp`
  const webApp = await serveWebApp()
  const { documents = {}, ...options } = toOptions(url)
  const [endpoint] = createFixtureEndpoints([{ retryMs: 20, allowedOrigins: [webApp], ...options }])
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  const app = await apps[name](endpoint, webApp)
  server.on('request', (request, response) => {
    const document = documents[request.url ?? '']
    if (document === undefined) app.emit('request', request, response)
    else void toNodeHandler(document)(request, response)
  })
  return { app: await openWebApp(browser, webApp), url, seen, endpoint }
}

/** Serves an endpoint with its defaults, and a client that is in the middle of its work while pages attack. */
async function startAttacked(name: AppName) {
  const server = createServer()
  const seen = record(server)
  const url = `${(await listen(server)).origin}/mcp`
  const built: string[] = []
  const [sessions, modern] = [createFixture(), createModernFixture()]
  const endpoint = createEndpoint({
    server: ({ era }) => {
      built.push(era)
      return (era === '2026' ? modern : sessions).createServer()
    },
  })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  const options = { parser: false, compression: false, nested: false }
  const listener = await findAdapter(name).serve([{ path: '/mcp', serves: endpoint }], options)
  server.on('request', (request, response) => {
    if (request.url === '/attack') response.setHeader('content-type', 'text/html').end(emptyHtml)
    else listener(request, response)
  })
  // What the pages send does run when it comes from elsewhere.
  const answer = await fetch(url, { method: 'POST', headers: callHeaders, body: call })
  expect(await answer.text()).toContain('"ran"')

  const witness = await sdk1.connect(url)
  const progress: number[] = []
  const onprogress = (it: Progress): void => void progress.push(it.progress)
  const running = witness.call('burst', { count: 100, delayMs: 10 }, { onprogress })
  const expectUntouched = async (): Promise<void> => {
    await endpoint.notify(listChanged)
    await witness.toolListChanged.count(1)
    expect(await running).toMatchObject({ text: 'burst done' })
    expect(progress).toEqual(upTo(100))
    await witness.terminate()
    await witness.close()
    expect(built).toEqual(['2026', '2025'])
    await expectNothingHeld(endpoint)
  }
  return { url, seen, expectUntouched }
}

async function expectRefused(page: Page, attack: Attack, target: string, seen: Inbox<Exchange>): Promise<void> {
  const from = seen.items.length
  const read = await page.evaluate(
    `(async (target, call) => {${attack.script}})(${JSON.stringify(target)}, ${JSON.stringify(call)})`,
  )
  await seen.count(from + attack.seen.length)
  const got = seen.items.slice(from).map(({ method, status }) => `${method} ${status}`)
  expect([attack.name, got, read]).toEqual([attack.name, attack.seen, attack.reads])
}

function verify(token: string): AuthInfo | undefined {
  return token === 'of-alice' ? { token, clientId: 'page', scopes: [], extra: { sub: 'alice' } } : undefined
}
