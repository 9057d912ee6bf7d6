import { getRequestListener } from '@hono/node-server'
import {
  createBearerAuth,
  createEndpoint,
  createMemoryBackplane,
  type Endpoint,
  type EndpointOptions,
} from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import { mcp as mcpForExpress } from '@throughline/mcp-http-express'
import { mcp as mcpForFastify } from '@throughline/mcp-http-fastify'
import { mcp as mcpForHono } from '@throughline/mcp-http-hono'
import { mcp as mcpForKoa } from '@throughline/mcp-http-koa'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { LeastLog } from './least-log.ts'
import { announcement, listen, type RunningTarget } from './running-target.ts'
import { createServer1 } from './server1.ts'

const maxSessions = 100_000

// Room for W6, which resumes 10,000 events while 10,000 other streams are stored. The bounds alone cost nothing.
const bounds = {
  maxEventsPerSession: 1_000_000,
  maxBytesPerSession: 1_000_000_000,
  maxEvents: 10_000_000,
  maxBytes: 2_000_000_000,
}

function createOurs(options: Partial<EndpointOptions> = {}): Endpoint {
  return createEndpoint({ server: createServer1, maxSessions, maxSessionsPerPrincipal: maxSessions, ...options })
}

function running(url: string, endpoint: Endpoint): RunningTarget {
  return { url, notify: () => endpoint.notify(announcement) }
}

/** Default options, or the ones given. */
export async function startOnNode(options: Partial<EndpointOptions> = {}): Promise<RunningTarget> {
  const endpoint = createOurs(options)
  return running(await listen(toNodeHandler(endpoint)), endpoint)
}

/** As `startOnNode`, with a log that keeps whole runs of W6. */
export function startForResume(): Promise<RunningTarget> {
  return startOnNode({ backplane: createMemoryBackplane({ ...bounds, retainMs: 3_600_000 }) })
}

/** What the event log costs is the difference to `startOnNode`. */
export function startWithoutLog(): Promise<RunningTarget> {
  return startOnNode({ backplane: { events: new LeastLog() } })
}

/** Verification that finds every token good: what remains is the cost of asking. */
export function startWithAuth(): Promise<RunningTarget> {
  const auth = createBearerAuth({
    verify: (token) => ({
      token,
      clientId: 'bench',
      scopes: [],
      extra: { iss: 'https://issuer.example', sub: 'bench' },
    }),
    resource: 'http://127.0.0.1/mcp',
    authorizationServers: ['https://issuer.example'],
  })
  return startOnNode({ auth })
}

export async function startBehindParser(): Promise<RunningTarget> {
  const endpoint = createOurs()
  const handle = toNodeHandler(endpoint)
  const parse = express.json({ limit: '4mb' }) as unknown as ConnectMiddleware
  const url = await listen((request, response) => {
    parse(request, response, () => {
      handle(request, response).catch(() => response.destroy())
    })
  })
  return running(url, endpoint)
}

type ConnectMiddleware = (
  request: Parameters<Parameters<typeof listen>[0]>[0],
  response: Parameters<Parameters<typeof listen>[0]>[1],
  next: (error?: unknown) => void,
) => void

export async function startOnExpress({ parser = false } = {}): Promise<RunningTarget> {
  const endpoint = createOurs()
  const app = express()
  if (parser) app.use(express.json({ limit: '4mb' }))
  app.all('/mcp', mcpForExpress(endpoint))
  return running(await listen(app), endpoint)
}

export async function startOnFastify(): Promise<RunningTarget> {
  const endpoint = createOurs()
  const app = Fastify()
  await app.register(mcpForFastify, { prefix: '/mcp', endpoint })
  await app.ready()
  return running(await listen((request, response) => app.routing(request, response)), endpoint)
}

export async function startOnKoa(): Promise<RunningTarget> {
  const endpoint = createOurs()
  const app = new Koa()
  app.use(mcpForKoa(endpoint))
  return running(await listen(app.callback()), endpoint)
}

export async function startOnHono(): Promise<RunningTarget> {
  const endpoint = createOurs()
  const app = new Hono()
  app.all('/mcp', mcpForHono(endpoint))
  return running(await listen(getRequestListener(app.fetch)), endpoint)
}
