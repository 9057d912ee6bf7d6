import cors from '@fastify/cors'
import { type Endpoint, mcp } from '@throughline/mcp-http-fastify'
import Fastify, { type FastifyInstance } from 'fastify'

export function createApp(endpoint: Endpoint, webApp: string): FastifyInstance {
  const app = Fastify()
  app.register(cors, {
    origin: webApp,
    methods: ['GET', 'POST', 'DELETE'], // without this, clients cannot end their session
    exposedHeaders: ['Mcp-Session-Id', 'WWW-Authenticate'],
    maxAge: 7_200,
  })
  app.register(mcp, { prefix: '/mcp', endpoint })
  return app
}
