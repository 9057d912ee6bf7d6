import type { Server as HttpServer, ServerResponse } from 'node:http'
import type { createServer as createHttp2Server } from 'node:http2'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { createEndpoint, mcp } from '@throughline/mcp-http-hono'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HTTPException } from 'hono/http-exception'
import { validator } from 'hono/validator'
import { expect } from 'vitest'
import type { Adapter, AppServer, Mounted } from '../../../test-support/adapters/adapter.ts'
import type { Mount } from '../../../test-support/adapters/describe-mounts.ts'
import { type Listening, listen as listenOn } from '../../../test-support/listen.ts'

/** Hono on `@hono/node-server`. */
export const adapter: Adapter<MiddlewareHandler> = {
  name: 'Hono',
  createEndpoint,
  jsonType: 'application/json',
  notFoundType: 'text/plain; charset=UTF-8',
  givesLengthToHead: false,
  tellsApp: true,
  inFront: (look) => async (c, next) => {
    const { incoming, outgoing } = c.env as HttpBindings
    await look({ request: incoming, response: outgoing as ServerResponse })
    await next()
  },
  serve: async ({ before = [], routes }) => {
    const app = new Hono({ strict: false })
    const errors: unknown[] = []
    app.use(async (c, next) => {
      await next()
      if (c.error) errors.push(c.error)
    })
    for (const middleware of before) app.use(middleware)
    for (const { path, before: own = [], mounted } of routes) {
      for (const middleware of own) app.use(path, middleware)
      app.all(path, mcp(mounted))
    }
    app.get('/health', (c) => c.json({ ok: true }))
    app.post('/form', async (c) => c.json(await c.req.parseBody()))
    app.onError(answerError)
    return { ...(await listen(app)), errors }
  },
}

/** Serves on a free port of loopback until the test is over. */
export function listen({ fetch }: Pick<Hono, 'fetch'>, createServer?: typeof createHttp2Server): Promise<Listening> {
  return listenOn(createAdaptorServer({ fetch, ...(createServer && { createServer }) }) as HttpServer)
}

function answerError(error: Error, c: Context): Response {
  return error instanceof HTTPException ? error.getResponse() : c.text('error handler of the app', 500)
}

type Build = (app: Hono, handler: ReturnType<typeof mcp>) => unknown

function mount(name: string, path: string, build: Build): Mount {
  const serve = async (mounted: Mounted): Promise<AppServer> => {
    const app = new Hono()
    const errors: unknown[] = []
    app.onError((error, c) => {
      errors.push(error)
      return answerError(error, c)
    })
    build(app, mcp(mounted))
    return { ...(await listen(app)), errors }
  }
  return { name, path, serve }
}

function behind(name: string, middleware: MiddlewareHandler): Mount {
  return mount(`${name} in front`, '/mcp', (app, handler) => app.use(middleware).all('/mcp', handler))
}

/** Middleware that looks at the body of a POST first. */
export function reading(read: (c: Context) => unknown): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.method === 'POST') await read(c)
    await next()
  }
}

export const readsJson = reading((c) => c.req.json().catch(() => undefined))

/** Every way of mounting that the documentation shows or that Hono users know. */
export const mounts: readonly Mount[] = [
  mount('app.all', '/mcp', (app, handler) => app.all('/mcp', handler)),
  mount('basePath', '/api/v1/mcp', (app, handler) => app.basePath('/api/v1').all('/mcp', handler)),
  mount('app.route', '/tenants/42/mcp', (app, handler) =>
    app.route('/tenants/:tenant', new Hono().all('/mcp', handler)),
  ),
  mount('app.route with an error handler of its own', '/sub/mcp', (app, handler) =>
    app.route('/sub', new Hono().onError((_error, c) => c.text('of the sub-app', 500)).all('/mcp', handler)),
  ),
  mount('app.use', '/mcp', (app, handler) => app.use('/mcp', handler)),
  behind('c.req.json()', readsJson),
  behind(
    'c.req.text()',
    reading((c) => c.req.text()),
  ),
  behind(
    'c.req.arrayBuffer()',
    reading((c) => c.req.arrayBuffer()),
  ),
  behind(
    'c.req.json() begun',
    reading((c) => void c.req.json().catch(() => undefined)),
  ),
  behind(
    'c.req.raw.clone() read',
    reading((c) => c.req.raw.clone().text()),
  ),
  behind(
    'c.req.raw.clone()',
    reading((c) => void c.req.raw.clone()),
  ),
  behind('bodyLimit()', bodyLimit({ maxSize: 1_000_000 })),
  behind(
    'another Request in place of the first',
    reading(async (c) => {
      c.req.raw = new Request(c.req.raw, { body: await c.req.raw.arrayBuffer() })
    }),
  ),
  {
    ...mount('a validator on the route', '/mcp', (app, handler) =>
      app.all(
        '/mcp',
        validator('json', (value) => value),
        handler,
      ),
    ),
    expectMalformedRefused: async (reply) => {
      expect(await reply.text()).toBe('Malformed JSON in request body')
    },
  },
]
