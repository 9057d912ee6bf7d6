import { createServer as createHttpServer, type RequestListener } from 'node:http'
import type { Server } from 'node:net'
import Router from '@koa/router'
import { createEndpoint, mcp } from '@throughline/mcp-http-koa'
import Koa, { type Middleware } from 'koa'
import { koaBody } from 'koa-body'
import bodyParser from 'koa-bodyparser'
import Koa2 from 'koa2'
import { expect } from 'vitest'
import type { Adapter, AppServer } from '../../../test-support/adapters/adapter.ts'
import type { Mount } from '../../../test-support/adapters/describe-mounts.ts'
import { listen } from '../../../test-support/listen.ts'

export type Framework = typeof Koa

export interface KoaAdapter extends Adapter<Middleware> {
  readonly framework: Framework
}

/** Both major versions that the adapter is made for. */
export const adapters = [toAdapter('Koa 3', Koa), toAdapter('Koa 2', Koa2)]

function toAdapter(name: string, framework: Framework): KoaAdapter {
  return {
    name,
    framework,
    createEndpoint,
    jsonType: 'application/json',
    notFoundType: 'text/plain; charset=utf-8',
    givesLengthToHead: true,
    tellsApp: true,
    inFront: (look) => async (ctx, next) => {
      await look({ request: ctx.req, response: ctx.res })
      await next()
    },
    serve: async ({ before = [], routes }) => {
      const app = new framework()
      for (const middleware of before) app.use(middleware)
      for (const { path, before: own = [], mounted } of routes) {
        app.use(new Router().all(path, ...own, mcp(mounted)).routes())
      }
      addOtherRoutes(app)
      return serve(app)
    },
  }
}

function addOtherRoutes(app: Koa): void {
  const router = new Router()
  router.get('/health', (ctx) => {
    ctx.body = { ok: true }
  })
  router.post('/form', bodyParser(), (ctx) => {
    ctx.body = ctx.request.body
  })
  app.use(router.routes()).use(router.allowedMethods())
}

/** Serves an app that listens to errors. */
export async function serve(
  app: Koa,
  createServer: (listener: RequestListener) => Server = createHttpServer,
): Promise<AppServer> {
  const errors: unknown[] = []
  app.on('error', (error: unknown) => errors.push(error))
  return { ...(await listen(createServer(app.callback()))), errors }
}

/** A middleware at one path and nowhere else, without a router. */
export function atPath(middleware: Middleware, path = '/mcp'): Middleware {
  return (ctx, next) => (ctx.path === path ? middleware(ctx, next) : next())
}

/** Body parsers, with the JSON-RPC message in whatever form they leave it. */
const parsers: readonly (readonly [name: string, create: () => Middleware])[] = [
  ['koa-bodyparser', () => bodyParser()],
  ['koa-bodyparser for every type', () => bodyParser({ strict: false, enableTypes: ['json', 'form', 'text'] })],
  ['koa-body', () => koaBody()],
  ['koa-body that is not strict', () => koaBody({ jsonStrict: false, includeUnparsed: true, multipart: true })],
  ['koa-body on the Node request', () => koaBody({ patchKoa: false, patchNode: true })],
]

/** Every way of mounting that the documentation shows or that Koa users know. */
export function mountsOf(framework: Framework): Mount[] {
  const mount = (name: string, path: string, build: (app: Koa, handler: Middleware) => unknown): Mount => ({
    name,
    path,
    serve: (mounted) => {
      const app = new framework()
      build(app, mcp(mounted))
      return serve(app)
    },
  })
  const behind = (name: string, create: () => Middleware): Mount =>
    mount(`${name} in front`, '/mcp', (app, handler) => app.use(create()).use(atPath(handler)))
  const before = (name: string, create: () => Middleware): Mount =>
    mount(`${name} behind it`, '/mcp', (app, handler) => app.use(atPath(handler)).use(create()))
  return [
    mount('app.use', '/mcp', (app, handler) => app.use(handler)),
    ...parsers.map(([name, create]) => parsing(behind(name, create))),
    behind('koa-bodyparser that leaves text', () =>
      bodyParser({ enableTypes: ['text'], extendTypes: { text: ['json'] } }),
    ),
    before('koa-bodyparser', () => bodyParser()),
    before('koa-body', () => koaBody()),
    mount('@koa/router', '/mcp', (app, handler) => {
      const router = new Router().all('/mcp', handler)
      app.use(router.routes()).use(router.allowedMethods())
    }),
    parsing(
      mount('@koa/router with a prefix and a parser on the route', '/api/v1/mcp', (app, handler) => {
        const router = new Router({ prefix: '/api/v1' }).all('/mcp', bodyParser(), handler)
        app.use(router.routes()).use(router.allowedMethods())
      }),
    ),
    parsing(
      mount('a router with a parameter in a router', '/tenants/42/mcp', (app, handler) => {
        const inner = new Router().all('/mcp', handler)
        app.use(new Router().use('/tenants/:tenant', koaBody(), inner.routes()).routes())
      }),
    ),
  ]
}

/** With a parser in front that refuses what is no JSON. */
function parsing(mount: Mount): Mount {
  return {
    ...mount,
    expectMalformedRefused: async (reply, errors) => {
      expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8')
      await reply.text()
      expect(errors).toMatchObject([{ status: 400 }])
    },
  }
}
