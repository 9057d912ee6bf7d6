import cors from '@koa/cors'
import Router from '@koa/router'
import { type Endpoint, mcp } from '@throughline/mcp-http-koa'
import Koa from 'koa'

export function createApp(endpoint: Endpoint, webApp: string): Koa {
  const app = new Koa()
  app.use(cors({ origin: webApp, exposeHeaders: ['Mcp-Session-Id', 'WWW-Authenticate'], maxAge: 7_200 }))
  app.use(new Router().all('/mcp', mcp(endpoint)).routes())
  return app
}
