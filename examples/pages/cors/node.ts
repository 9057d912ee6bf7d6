import { createServer, type Server } from 'node:http'
import type { Endpoint } from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import cors from 'cors'

export function createApp(endpoint: Endpoint, webApp: string): Server {
  const allow = cors({ origin: webApp, exposedHeaders: ['Mcp-Session-Id', 'WWW-Authenticate'], maxAge: 7_200 })
  const serve = toNodeHandler(endpoint)
  return createServer((request, response) => allow(request, response, () => serve(request, response)))
}
