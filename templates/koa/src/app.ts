import Router from '@koa/router'
import type { Endpoint } from '@throughline/mcp-http-core'
import { mcp } from '@throughline/mcp-http-koa'
import Koa from 'koa'
import { type Address, type Listening, toListening } from './listening.ts'

export function listen(endpoint: Endpoint, { port, host }: Address): Promise<Listening> {
  const router = new Router()
  router.all('/mcp', mcp(endpoint))
  router.get('/health', (ctx) => {
    ctx.status = endpoint.closing ? 503 : 200
    ctx.body = { ok: !endpoint.closing }
  })
  return toListening(new Koa().use(router.routes()).listen(port, host))
}
