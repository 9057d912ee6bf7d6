import { createServer, type Server } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { Endpoint } from '@throughline/mcp-http-core'
import { createApp as createExpress } from '../../../examples/pages/cors/express.ts'
import { createApp as createFastify } from '../../../examples/pages/cors/fastify.ts'
import { createApp as createHono } from '../../../examples/pages/cors/hono.ts'
import { createApp as createKoa } from '../../../examples/pages/cors/koa.ts'
import { createApp as createNode } from '../../../examples/pages/cors/node.ts'

type Create = (endpoint: Endpoint, webApp: string) => Server | Promise<Server>

/** The apps of docs/deployment.md that a web app of another origin may call. */
export const apps: Readonly<Record<'express' | 'fastify' | 'koa' | 'hono' | 'node', Create>> = {
  express: (...given) => createServer(createExpress(...given)),
  fastify: async (...given) => {
    const app = createFastify(...given)
    await app.ready()
    return createServer(app.routing)
  },
  koa: (...given) => createServer(createKoa(...given).callback()),
  hono: (...given) => createServer(getRequestListener(createHono(...given).fetch)),
  node: createNode,
}
