import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import type { Endpoint } from '@throughline/mcp-http-core'
import { mcp } from '@throughline/mcp-http-hono'
import { Hono } from 'hono'
import { type Address, type Listening, toListening } from './listening.ts'

export function listen(endpoint: Endpoint, { port, host }: Address): Promise<Listening> {
  // Some clients add a slash: without `strict`, `/mcp/` is `/mcp`.
  const app = new Hono({ strict: false })
  app.all('/mcp', mcp(endpoint))
  app.get('/health', (c) => c.json({ ok: !endpoint.closing }, endpoint.closing ? 503 : 200))
  return toListening(serve({ fetch: app.fetch, port, hostname: host }) as Server)
}
