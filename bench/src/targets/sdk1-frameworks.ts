// SDK 1.x on each framework, as its users mount it.
import { getRequestListener } from '@hono/node-server'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { listen, type RunningTarget } from './running-target.ts'
import { createSdk1Handler, type Sdk1Options, Sdk1Sessions } from './sdk1.ts'

/** The parsers' own limits, 100 KiB and 1 MiB, would refuse W5. */
const bodyLimit = 4 * 1_048_576

/** With Express's JSON parser in front, as the SDK's examples have it. */
export async function startOnExpress(options: Sdk1Options = {}): Promise<RunningTarget> {
  const { handle } = createSdk1Handler(options)
  const app = express().use(express.json({ limit: bodyLimit }))
  app.all('/mcp', (request, response, next) => {
    handle(request, response, request.body).catch(next)
  })
  return { url: await listen(app) }
}

/** Fastify parses JSON unless it is told not to. */
export async function startOnFastify(options: Sdk1Options = {}): Promise<RunningTarget> {
  const { handle } = createSdk1Handler(options)
  const app = Fastify({ bodyLimit })
  app.all('/mcp', (request, reply) => {
    reply.hijack()
    handle(request.raw, reply.raw, request.body).catch(() => reply.raw.destroy())
  })
  await app.ready()
  return { url: await listen((request, response) => app.routing(request, response)) }
}

/** Koa has no parser of its own. */
export async function startOnKoa(options: Sdk1Options = {}): Promise<RunningTarget> {
  const { handle } = createSdk1Handler(options)
  const app = new Koa()
  app.use(async (ctx) => {
    ctx.respond = false
    await handle(ctx.req, ctx.res)
  })
  return { url: await listen(app.callback()) }
}

/** The transport for web standards, which the SDK has for Hono and the like. */
export async function startOnHono(options: Sdk1Options = {}): Promise<RunningTarget> {
  const sessions = new Sdk1Sessions(WebStandardStreamableHTTPServerTransport, options)
  const app = new Hono()
  app.all('/mcp', async (c) => {
    const sessionId = c.req.header('mcp-session-id')
    const known = sessionId === undefined ? undefined : sessions.get(sessionId)
    if (sessionId !== undefined && !known) return c.body(null, 404)
    return (known ?? (await sessions.create())).handleRequest(c.req.raw)
  })
  return { url: await listen(getRequestListener(app.fetch)) }
}
