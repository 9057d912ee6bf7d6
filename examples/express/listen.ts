import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Backplane } from '@throughline/mcp-http-core'
import { createEndpoint, mcp } from '@throughline/mcp-http-express'
import express from 'express'
import { buildServer } from './server.ts'

export const framework = 'Express'

/** Serves the example on Express at `/mcp`, on 127.0.0.1. Port 0 takes a free one. */
export async function listen(
  port: number,
  backplane?: Backplane,
): Promise<{ port: number; close: () => Promise<void> }> {
  const endpoint = createEndpoint({ server: buildServer, ...(backplane && { backplane }) })
  const app = express()
  app.all('/mcp', mcp(endpoint))

  const server = createServer(app)
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
