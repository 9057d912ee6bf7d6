import type { Endpoint } from '@throughline/mcp-http-core'
import { mcp } from '@throughline/mcp-http-fastify'
import Fastify from 'fastify'
import { type Address, type Listening, toListening } from './listening.ts'

export async function listen(endpoint: Endpoint, { port, host }: Address): Promise<Listening> {
  const app = Fastify({ forceCloseConnections: true })
  app.register(mcp, { prefix: '/mcp', endpoint })
  app.get('/health', (_request, reply) => reply.code(endpoint.closing ? 503 : 200).send({ ok: !endpoint.closing }))
  await app.listen({ port, host })
  return { ...(await toListening(app.server)), close: () => app.close() }
}
