import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Router from '@koa/router'
import type { Backplane } from '@throughline/mcp-http-core'
import { createEndpoint, mcp } from '@throughline/mcp-http-koa'
import Koa from 'koa'
import { buildServer } from './server.ts'

export const framework = 'Koa'

/** Serves the example on Koa at `/mcp`, on 127.0.0.1. Port 0 takes a free one. */
export async function listen(
  port: number,
  backplane?: Backplane,
): Promise<{ port: number; close: () => Promise<void> }> {
  const endpoint = createEndpoint({ server: buildServer, ...(backplane && { backplane }) })
  const router = new Router()
  router.all('/mcp', mcp(endpoint))

  const server = createServer(new Koa().use(router.routes()).callback())
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      await endpoint.close({ drainMs: 1_000 })
      server.close()
      server.closeAllConnections()
    },
  }
}
