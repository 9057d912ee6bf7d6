// Each framework's own cost: the canned answer of `floor`, mounted as an adapter mounts, without a body parser.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { answer, serveFloor } from './floor.ts'
import { readJson } from './node-body.ts'
import { listen, type RunningTarget } from './running-target.ts'

export async function startExpressFloor(): Promise<RunningTarget> {
  const app = express()
  app.all('/mcp', (request, response, next) => {
    serveFloor(request, response).catch(next)
  })
  return { url: await listen(app) }
}

export async function startFastifyFloor(): Promise<RunningTarget> {
  const app = Fastify()
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  app.all('/mcp', async (request, reply) => {
    const { status, text, headers } = await toAnswer(request.raw)
    return reply.code(status).headers(headers).send(text)
  })
  await app.ready()
  return { url: await listen((request, response) => app.routing(request, response)) }
}

export async function startKoaFloor(): Promise<RunningTarget> {
  const app = new Koa()
  app.use(async (ctx) => {
    const { status, text, headers } = await toAnswer(ctx.req)
    ctx.set(headers)
    ctx.body = text ?? null
    // After the body: an empty one would make it 204.
    ctx.status = status
  })
  return { url: await listen(app.callback()) }
}

export async function startHonoFloor(): Promise<RunningTarget> {
  const app = new Hono<{ Bindings: { incoming: IncomingMessage } }>()
  app.all('/mcp', async (c) => {
    const { status, text, headers } = await toAnswer(c.env.incoming)
    return text === undefined ? c.body(null, status) : c.body(text, status, headers)
  })
  return { url: await listen(getRequestListener(app.fetch)) }
}

interface Answer {
  readonly status: 200 | 202
  readonly text: string | undefined
  readonly headers: Record<string, string>
}

async function toAnswer(request: IncomingMessage): Promise<Answer> {
  if (request.method === 'DELETE') return { status: 200, text: undefined, headers: {} }
  const message = await readJson(request)
  const text = answer(message)
  if (text === undefined) return { status: 202, text, headers: {} }
  const session: Record<string, string> = message.method === 'initialize' ? { 'mcp-session-id': randomUUID() } : {}
  return { status: 200, text, headers: { 'content-type': 'application/json', ...session } }
}
