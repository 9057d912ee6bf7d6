import type { IncomingMessage } from 'node:http'
import { type Adapter, routerPrefix } from '../adapter.ts'
import { readsBeforeOrigin, readsLargeBodies, replacesInvalidBytes } from '../parser-exceptions.ts'

export const hono: Adapter<'hono'> = {
  name: 'hono',
  package: '@throughline/mcp-http-hono',
  framework: ['hono', '@hono/node-server'],
  // What is in front only reads the text, which the endpoint then judges.
  parser: { exceptions: [readsBeforeOrigin, replacesInvalidBytes, readsLargeBodies] },
  compression: true,
  nested: true,
  exceptions: [],
  async serve(routes, { parser, compression, nested }) {
    const [{ Hono }, { getRequestListener }, { mcp }] = await Promise.all([
      import('hono'),
      import('@hono/node-server'),
      import('@throughline/mcp-http-hono'),
    ])
    const root = new Hono({ strict: false })
    const app = nested ? root.basePath(routerPrefix) : root
    if (compression) app.use((await import('hono/compress')).compress())
    // What a validator does: it looks at the body before the handler.
    if (parser) {
      app.use(async (c, next) => {
        await c.req.text()
        await next()
      })
    }
    for (const { path, serves } of routes) app.all(path, mcp(serves))
    return getRequestListener(app.fetch)
  },
  async serveBare(answer) {
    const [{ Hono }, { getRequestListener }] = await Promise.all([import('hono'), import('@hono/node-server')])
    const app = new Hono<{ Bindings: { incoming: IncomingMessage } }>()
    app.all('/mcp', async (c) => {
      const { status, text, headers } = await answer(c.env.incoming)
      return text === undefined ? c.body(null, status) : c.body(text, status, headers)
    })
    return getRequestListener(app.fetch)
  },
}
