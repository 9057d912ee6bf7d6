import express, { type Express, type RequestHandler } from 'express'
import express4 from 'express4'

/** Both major versions that the adapter is made for. */
export const frameworks: readonly (readonly [name: string, framework: typeof express])[] = [
  ['Express 5', express],
  ['Express 4', express4],
]

export type Framework = typeof express

/** A way to mount the endpoint at `/mcp` or below. */
export interface Mount {
  readonly name: string
  readonly path: string
  mount(framework: Framework, app: Express, handler: RequestHandler): void
}

const all: Mount['mount'] = (_framework, app, handler) => app.all('/mcp', handler)

function behind(name: string, create: (framework: Framework) => RequestHandler): Mount {
  return {
    name,
    path: '/mcp',
    mount: (framework, app, handler) => {
      app.use(create(framework))
      all(framework, app, handler)
    },
  }
}

/** Every way of mounting that the documentation shows or that Express users know. */
export const mounts: readonly Mount[] = [
  { name: 'app.all', path: '/mcp', mount: all },
  { name: 'app.use', path: '/mcp', mount: (_framework, app, handler) => app.use('/mcp', handler) },
  behind('express.json() in front', ({ json }) => json()),
  behind('express.json() for every type in front', ({ json }) => json({ type: () => true, strict: false })),
  behind('express.text() in front', ({ text }) => text({ type: 'application/json' })),
  behind('express.raw() in front', ({ raw }) => raw({ type: 'application/json' })),
  behind('express.urlencoded() in front', ({ urlencoded }) => urlencoded({ extended: false })),
  {
    name: 'express.json() on the route',
    path: '/mcp',
    mount: ({ json }, app, handler) => app.all('/mcp', json(), handler),
  },
  {
    name: 'a router with a prefix',
    path: '/api/v1/mcp',
    mount: ({ Router }, app, handler) => app.use('/api/v1', Router().all('/mcp', handler)),
  },
  {
    name: 'a router with a parameter and express.json()',
    path: '/tenants/42/mcp',
    mount: ({ Router, json }, app, handler) => app.use('/tenants/:tenant', json(), Router().use('/mcp', handler)),
  },
  {
    name: 'an app in an app',
    path: '/sub/mcp',
    mount: (framework, app, handler) => app.use('/sub', framework().all('/mcp', handler)),
  },
]
