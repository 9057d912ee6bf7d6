import type { AddressInfo } from 'node:net'
import type { Backplane } from '@throughline/mcp-http-core'
import { createEndpoint, mcp } from '@throughline/mcp-http-fastify'
import Fastify from 'fastify'
import { buildServer } from './server.ts'

export const framework = 'Fastify'

/** Serves the weather server of the tour on Fastify, at `/mcp` on 127.0.0.1. Port 0 takes a free one. */
export async function listen(port: number, backplane?: Backplane): Promise<{ port: number; close(): Promise<void> }> {
  const endpoint = createEndpoint({ server: buildServer, ...(backplane && { backplane }) })
  const app = Fastify({ forceCloseConnections: true })
  app.register(mcp, { prefix: '/mcp', endpoint })
  // Fastify waits for open responses: event streams must end first.
  app.addHook('preClose', () => endpoint.close({ drainMs: 1_000 }))
  await app.listen({ port, host: '127.0.0.1' })
  return { port: (app.server.address() as AddressInfo).port, close: () => app.close() }
}
