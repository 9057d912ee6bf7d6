import { describe, expect, onTestFinished, test } from 'vitest'
import type { Adapter } from '../../../test-support/adapters/adapter.ts'
import { skipsBrowser, useBrowser } from '../../../test-support/browser.ts'
import { McpClient, ping } from '../../../test-support/client/mcp-client.ts'
import { type SendOptions, send } from '../../../test-support/client/reply.ts'
import { endpointWith } from '../../../test-support/endpoints.ts'
import { listen } from '../../../test-support/listen.ts'
import { type AuthInfo, type Mountable, sessionKey } from '../../core/src/index.ts'
import { toNodeHandler } from '../../core/src/node/index.ts'
import { adapters as express } from '../../express/test/adapter.ts'
import { adapters as fastify } from '../../fastify/test/adapter.ts'
import { adapter as hono } from '../../hono/test/adapter.ts'
import { adapters as koa } from '../../koa/test/adapter.ts'
import { inspector } from '../src/index.ts'
import { commandHeader, type View } from '../src/protocol.ts'

/** A framework, with an app that lets in whoever it knows. Who of them may look is the inspector's to decide. */
interface Way {
  readonly name: string
  serve(endpoint: Mountable, page: Mountable): Promise<{ readonly origin: string }>
}

const challenge = { 'www-authenticate': 'Basic realm="app"' }
const password = 'of everybody here'

function toUser(authorization = ''): AuthInfo | undefined {
  const [name, given] = atob(authorization.replace('Basic ', '')).split(':', 2)
  if (name === undefined || given !== password) return undefined
  return { token: name, clientId: name, scopes: name === 'admin' ? ['admin'] : [] }
}

function toHeaders(name: string): Record<string, string> {
  return { authorization: `Basic ${btoa(`${name}:${password}`)}` }
}

function wayOf<M>(adapter: Adapter<M>, requireUser: M, before: readonly M[] = []): Way {
  return {
    name: adapter.name,
    serve: (endpoint, page) =>
      adapter.serve({
        before,
        routes: [
          { path: '/mcp', mounted: endpoint },
          { path: '/inspector', before: [requireUser], mounted: page },
        ],
      }),
  }
}

const node: Way = {
  name: 'node:http',
  serve(endpoint, page) {
    const [serveEndpoint, servePage] = [toNodeHandler(endpoint), toNodeHandler(page)]
    return listen((request, response) => {
      const auth = toUser(request.headers.authorization)
      if (request.url === '/mcp') void serveEndpoint(request, response)
      else if (auth) void servePage(Object.assign(request, { auth }), response)
      else response.writeHead(401, challenge).end()
    })
  },
}

const ways: readonly Way[] = [
  ...express.map((adapter) =>
    wayOf(
      adapter,
      (request, response, next) => {
        const auth = toUser(request.headers.authorization)
        if (!auth) return void response.status(401).set(challenge).end()
        Object.assign(request, { auth })
        next()
      },
      [adapter.framework.json()],
    ),
  ),
  ...fastify.map((adapter) =>
    wayOf(adapter, (app) =>
      app.addHook('onRequest', async (request, reply) => {
        request.auth = toUser(request.headers.authorization)
        if (!request.auth) await reply.code(401).headers(challenge).send()
      }),
    ),
  ),
  ...koa.map((adapter) =>
    wayOf(adapter, async (ctx, next) => {
      ctx.state.auth = toUser(ctx.get('authorization'))
      if (!ctx.state.auth) ctx.throw(401, { headers: challenge })
      await next()
    }),
  ),
  wayOf(hono, async (c, next) => {
    const auth = toUser(c.req.header('authorization'))
    c.set('auth', auth)
    return auth ? next() : c.body(null, 401, challenge)
  }),
  node,
]

/** The others in a browser are for `pnpm test:mounts`: each takes some seconds. */
const inBrowser = process.env.MOUNTS === 'more' ? ways : ways.slice(0, 1)

async function start({ serve }: Way) {
  const endpoint = endpointWith()
  const page = inspector(endpoint, { allow: ({ auth }) => auth?.scopes.includes('admin') === true })
  const { origin } = await serve(endpoint, page)
  return { origin, client: await McpClient.open(`${origin}/mcp`) }
}

test.each(ways)(
  'on $name, behind its authentication: shows who may look what happens, and ends a session for them alone',
  async (way) => {
    const { origin, client } = await start(way)
    const key = await sessionKey(client.headers['mcp-session-id'] as string)
    const own = { [commandHeader]: '1', origin, 'sec-fetch-site': 'same-origin' }
    const ask = (query: string, name?: string, options: SendOptions = {}) =>
      send(`${origin}/inspector${query}`, {
        method: 'GET',
        ...options,
        headers: { ...(name !== undefined && toHeaders(name)), ...own },
      })
    const end = { method: 'POST', body: { action: 'end', key } }
    for (const [name, status] of [
      [undefined, 401],
      ['guest', 403],
    ] as const) {
      for (const reply of [await ask('', name), await ask('?view', name), await ask('', name, end)]) {
        expect([name, reply.status]).toEqual([name, status])
        expect(await reply.text()).not.toContain(key)
      }
    }

    const page = await ask('', 'admin')
    expect([page.status, page.headers['content-type']]).toEqual([200, expect.stringMatching(/^text\/html/)])
    expect(page.headers['content-security-policy']).toContain("default-src 'none'")
    expect(await page.text()).toContain('<title>MCP inspector</title>')
    const view = async (query: string) => (await (await ask(`?view${query}`, 'admin')).json()) as unknown as View
    const { lastSeq, rows } = await view(`&session=${key}`)
    expect(rows).toMatchObject([{ key, client: 'raw 1' }])
    expect(await client.textOf('echo', { text: 'seen' })).toBe('seen')
    const { happenings } = await view(`&since=${lastSeq}`)
    expect(happenings.map(({ kind, phase, text }) => [kind, phase, text?.includes('seen')])).toEqual([
      ['call', 'start', true],
      ['call', 'end', true],
    ])
    expect(await (await ask('', 'admin', end)).json()).toEqual({ ended: true })
    expect((await client.post(ping)).status).toBe(404)
  },
)

describe.skipIf(skipsBrowser())('in a browser', { timeout: 60_000 }, () => {
  const browser = useBrowser()

  test.each(inBrowser)('on $name: asks for the password, is live, and ends a session', async (way) => {
    const { origin, client } = await start(way)
    const context = await browser().newContext({ httpCredentials: { username: 'admin', password } })
    onTestFinished(() => context.close())
    const page = await context.newPage()
    await page.goto(`${origin}/inspector`)
    await page.getByRole('status').getByText('Live').waitFor()
    await page.getByRole('link', { name: 'raw 1' }).click()
    const detail = page.getByRole('region', { name: 'raw 1' })
    await detail.getByRole('heading', { name: 'Streams' }).waitFor()
    expect(await client.textOf('echo', { text: 'of Lisbon' })).toBe('of Lisbon')
    await detail.getByRole('button', { name: 'Follow tools/call echo' }).click()
    await detail.getByText('of Lisbon').first().waitFor()
    await detail.getByRole('button', { name: 'End session' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'End it' }).click()
    await page.getByText('This session has ended.').waitFor()
    expect((await client.post(ping)).status).toBe(404)
  })
})
