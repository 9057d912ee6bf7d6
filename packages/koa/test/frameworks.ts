import Router from '@koa/router'
import Koa, { type Middleware } from 'koa'
import { koaBody } from 'koa-body'
import bodyParser from 'koa-bodyparser'
import Koa2 from 'koa2'

/** Both major versions that the adapter is made for. */
export const frameworks: readonly (readonly [name: string, framework: typeof Koa])[] = [
  ['Koa 3', Koa],
  ['Koa 2', Koa2],
]

export type Framework = typeof Koa

/** A way to mount the endpoint at `/mcp` or below. */
export interface Mount {
  readonly name: string
  readonly path: string
  mount(app: Koa, handler: Middleware): void
}

/** The endpoint at `/mcp` and nowhere else, without a router. */
export function atPath(handler: Middleware, path = '/mcp'): Middleware {
  return (ctx, next) => (ctx.path === path ? handler(ctx, next) : next())
}

function behind(name: string, create: () => Middleware): Mount {
  return { name: `${name} in front`, path: '/mcp', mount: (app, handler) => app.use(create()).use(atPath(handler)) }
}

function before(name: string, create: () => Middleware): Mount {
  return { name: `${name} behind it`, path: '/mcp', mount: (app, handler) => app.use(atPath(handler)).use(create()) }
}

/** Body parsers, with the JSON-RPC message in whatever form they leave it. */
export const parsers: readonly (readonly [name: string, create: () => Middleware])[] = [
  ['koa-bodyparser', () => bodyParser()],
  ['koa-bodyparser for every type', () => bodyParser({ strict: false, enableTypes: ['json', 'form', 'text'] })],
  ['koa-bodyparser that leaves text', () => bodyParser({ enableTypes: ['text'], extendTypes: { text: ['json'] } })],
  ['koa-body', () => koaBody()],
  ['koa-body that is not strict', () => koaBody({ jsonStrict: false, includeUnparsed: true, multipart: true })],
  ['koa-body on the Node request', () => koaBody({ patchKoa: false, patchNode: true })],
]

/** Every way of mounting that the documentation shows or that Koa users know. */
export const mounts: readonly Mount[] = [
  { name: 'app.use', path: '/mcp', mount: (app, handler) => app.use(handler) },
  ...parsers.map(([name, create]) => behind(name, create)),
  before('koa-bodyparser', () => bodyParser()),
  before('koa-body', () => koaBody()),
  {
    name: '@koa/router',
    path: '/mcp',
    mount: (app, handler) => {
      const router = new Router()
      router.all('/mcp', handler)
      app.use(router.routes()).use(router.allowedMethods())
    },
  },
  {
    name: '@koa/router with a prefix and a parser on the route',
    path: '/api/v1/mcp',
    mount: (app, handler) => {
      const router = new Router({ prefix: '/api/v1' })
      router.all('/mcp', bodyParser(), handler)
      app.use(router.routes()).use(router.allowedMethods())
    },
  },
  {
    name: 'a router with a parameter in a router',
    path: '/tenants/42/mcp',
    mount: (app, handler) => {
      const inner = new Router()
      inner.all('/mcp', handler)
      const outer = new Router()
      outer.use('/tenants/:tenant', koaBody(), inner.routes())
      app.use(outer.routes())
    },
  },
]
