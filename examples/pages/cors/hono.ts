import { type Endpoint, mcp } from '@throughline/mcp-http-hono'
import { Hono } from 'hono'
import { cors } from 'hono/cors'

export function createApp(endpoint: Endpoint, webApp: string): Hono {
  const app = new Hono()
  app.use(cors({ origin: webApp, exposeHeaders: ['Mcp-Session-Id', 'WWW-Authenticate'], maxAge: 7_200 }))
  app.all('/mcp', mcp(endpoint))
  return app
}
