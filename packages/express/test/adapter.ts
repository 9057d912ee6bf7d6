import { createEndpoint, mcp } from '@throughline/mcp-http-express'
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import express4 from 'express4'
import { expect } from 'vitest'
import type { Adapter, AppServer } from '../../../test-support/adapters/adapter.ts'
import type { Mount } from '../../../test-support/adapters/describe-mounts.ts'
import { listen } from '../../../test-support/listen.ts'

export type Framework = typeof express

export interface ExpressAdapter extends Adapter<RequestHandler> {
  readonly framework: Framework
}

/** Both major versions that the adapter is made for. */
export const adapters = [toAdapter('Express 5', express), toAdapter('Express 4', express4)]

function toAdapter(name: string, framework: Framework): ExpressAdapter {
  return {
    name,
    framework,
    createEndpoint,
    jsonType: 'application/json',
    notFoundType: 'text/html; charset=utf-8',
    givesLengthToHead: true,
    tellsApp: false,
    inFront: (look) => (request, response, next) => {
      Promise.resolve(look({ request, response })).then(() => next(), next)
    },
    serve: async ({ before = [], routes }) => {
      const app = framework()
      for (const handler of before) app.use(handler)
      for (const { path, before: own = [], mounted } of routes) app.all(path, ...own, mcp(mounted))
      app.get('/health', (_request, response) => void response.json({ ok: true }))
      app.post('/form', framework.urlencoded({ extended: false }), ({ body }, response) => void response.json(body))
      return serve(app)
    },
  }
}

/** Serves an app, with an error handler behind all its routes. */
export async function serve(app: Express): Promise<AppServer> {
  const errors: unknown[] = []
  const handler: ErrorRequestHandler = (error, _request, response, next) => {
    errors.push(error)
    if (response.headersSent) return next(error)
    response.status((error as { status?: number }).status ?? 500).send('error handler of the app')
  }
  app.use(handler)
  return { ...(await listen(app)), errors }
}

/** Every way of mounting that the documentation shows or that Express users know. */
export function mountsOf(framework: Framework): Mount[] {
  const { json, text, raw, urlencoded, Router } = framework
  const mount = (name: string, path: string, build: (app: Express, handler: RequestHandler) => unknown): Mount => ({
    name,
    path,
    serve: (mounted) => {
      const app = framework()
      build(app, mcp(mounted))
      return serve(app)
    },
  })
  const behind = (name: string, handler: RequestHandler): Mount => ({
    ...mount(`${name} in front`, '/mcp', (app, endpoint) => app.use(handler).all('/mcp', endpoint)),
    largestBody: 90_000,
  })
  return [
    mount('app.all', '/mcp', (app, handler) => app.all('/mcp', handler)),
    mount('app.use', '/mcp', (app, handler) => app.use('/mcp', handler)),
    parsing(behind('express.json()', json())),
    parsing(behind('express.json() for every type', json({ type: () => true, strict: false }))),
    behind('express.text()', text({ type: 'application/json' })),
    behind('express.raw()', raw({ type: 'application/json' })),
    behind('express.urlencoded()', urlencoded({ extended: false })),
    parsing(mount('express.json() on the route', '/mcp', (app, handler) => app.all('/mcp', json(), handler))),
    mount('a router with a prefix', '/api/v1/mcp', (app, handler) => app.use('/api/v1', Router().all('/mcp', handler))),
    parsing(
      mount('a router with a parameter and express.json()', '/tenants/42/mcp', (app, handler) =>
        app.use('/tenants/:tenant', json(), Router().use('/mcp', handler)),
      ),
    ),
    mount('an app in an app', '/sub/mcp', (app, handler) => app.use('/sub', framework().all('/mcp', handler))),
  ]
}

/** With express.json() in front. */
function parsing(mount: Mount): Mount {
  return {
    ...mount,
    largestBody: 90_000,
    expectMalformedRefused: async (reply, errors) => {
      expect(await reply.text()).toBe('error handler of the app')
      expect(errors).toHaveLength(1)
    },
  }
}
