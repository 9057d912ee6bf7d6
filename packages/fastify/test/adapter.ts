import type { AddressInfo } from 'node:net'
import { createEndpoint, type McpPluginOptions, mcp } from '@throughline/mcp-http-fastify'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import fastify4 from 'fastify4'
import { onTestFinished } from 'vitest'
import type { Adapter, AppServer, Mounted } from '../../../test-support/adapters/adapter.ts'
import type { Mount } from '../../../test-support/adapters/describe-mounts.ts'

export type Framework = typeof Fastify

/** What adds a hook to an app, or a plugin. */
export type Hook = (app: FastifyInstance) => unknown

export interface FastifyAdapter extends Adapter<Hook> {
  readonly framework: Framework
  readonly major: 4 | 5
}

/** Both major versions that the adapter is made for. The plugin uses nothing that differs; only the types know two. */
export const adapters = [toAdapter(Fastify, 5), toAdapter(fastify4 as unknown as Framework, 4)] as const

export const [adapter] = adapters

function toAdapter(framework: Framework, major: 4 | 5): FastifyAdapter {
  return {
    name: `Fastify ${major}`,
    framework,
    major,
    createEndpoint,
    jsonType: 'application/json; charset=utf-8',
    notFoundType: 'application/json; charset=utf-8',
    givesLengthToHead: true,
    tellsApp: true,
    inFront: (look) => (app) => {
      app.addHook('onRequest', async ({ raw: request }, { raw: response }) => look({ request, response }))
    },
    serve: async ({ before = [], routes }) => {
      const logged = createApp({}, framework)
      const { app } = logged
      for (const hook of before) await hook(app)
      for (const { path, before: own = [], mounted } of routes) {
        app.register((scope, _options, done) => {
          for (const hook of own) hook(scope)
          scope.register(mcp, { prefix: path, ...toPluginOptions(mounted) })
          done()
        })
      }
      addOtherRoutes(app)
      return serve(logged)
    },
  }
}

function toPluginOptions(mounted: Mounted): McpPluginOptions {
  return 'handle' in mounted ? { endpoint: mounted } : mounted
}

function addOtherRoutes(app: FastifyInstance): void {
  app.get('/health', async () => ({ ok: true }))
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(body as string)))
  })
  app.post('/form', async ({ body }) => body)
}

/** One line of Fastify's log. */
export interface LogEntry {
  readonly level: number
  readonly msg: string
  readonly reqId?: string
  readonly err?: { readonly message: string }
  readonly [name: string]: unknown
}

export interface Logged {
  readonly app: FastifyInstance
  readonly log: readonly LogEntry[]
  /** Lines of level warn and worse. */
  readonly errors: LogEntry[]
}

/** An app whose log can be read. */
export function createApp(options: FastifyServerOptions = {}, framework = Fastify): Logged {
  const log: LogEntry[] = []
  const errors: LogEntry[] = []
  const write = (line: string): void => {
    const entry = JSON.parse(line) as LogEntry
    log.push(entry)
    if (entry.level >= 40) errors.push(entry)
  }
  return { app: framework({ ...options, logger: { level: 'info', stream: { write } } }), log, errors }
}

export async function serve({ app, errors }: Logged): Promise<AppServer> {
  const origin = await listen(app)
  return { server: app.server, port: Number(new URL(origin).port), origin, errors }
}

/** Serves on a free port of loopback until the test is over. */
export async function listen(app: FastifyInstance): Promise<string> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(async () => {
    // A server of HTTP/2 has none.
    app.server.closeAllConnections?.()
    await app.close()
  })
  return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
}

/** Every way of mounting that the documentation shows or that Fastify users know. */
export function mountsOf({ framework, major }: FastifyAdapter): Mount[] {
  type Build = (app: FastifyInstance, options: McpPluginOptions) => unknown
  const mount = (name: string, path: string, build: Build, options: FastifyServerOptions = {}): Mount => ({
    name,
    path,
    // Larger than the limit of the app.
    largestBody: 2_000_000,
    serve: (mounted) => {
      const logged = createApp(options, framework)
      build(logged.app, toPluginOptions(mounted))
      return serve(logged)
    },
  })
  const lenient = major === 5 ? { routerOptions: { ignoreTrailingSlash: true } } : { ignoreTrailingSlash: true }
  return [
    mount('a prefix', '/mcp', (app, options) => app.register(mcp, { prefix: '/mcp', ...options })),
    mount('a path', '/mcp', (app, options) => app.register(mcp, { path: '/mcp', ...options })),
    mount('a prefix and a path', '/api/mcp', (app, options) =>
      app.register(mcp, { prefix: '/api', path: '/mcp', ...options }),
    ),
    mount('a prefix in a plugin with a parameter in its prefix', '/tenants/42/mcp', (app, options) =>
      app.register(
        (tenant, _options, done) => {
          tenant.register(mcp, { prefix: '/mcp', ...options })
          done()
        },
        { prefix: '/tenants/:tenant' },
      ),
    ),
    mount('an app that has parsers of its own', '/mcp', (app, options) => {
      const refuse = (_request: unknown, _payload: unknown, done: (error: Error) => void) => {
        done(new Error('not for MCP'))
      }
      app.addContentTypeParser('application/json', { parseAs: 'string' }, refuse)
      app.addContentTypeParser(/^application\/.*/, refuse)
      app.register(mcp, { prefix: '/mcp', ...options })
    }),
    mount(
      'an app that ignores trailing slashes and exposes no HEAD routes',
      '/mcp/',
      (app, options) => app.register(mcp, { prefix: '/mcp', ...options }),
      { ...lenient, exposeHeadRoutes: false, bodyLimit: 100 } as FastifyServerOptions,
    ),
  ]
}
