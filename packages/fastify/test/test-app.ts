import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js'
import {
  CallToolRequestSchema,
  ListToolsRequestSchema,
  type ServerNotification,
  type ServerRequest,
} from '@modelcontextprotocol/sdk/types.js'
import { createEndpoint, type Endpoint, type EndpointOptions, mcp } from '@throughline/mcp-http-fastify'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { expect, onTestFinished, vi } from 'vitest'

export type ToolExtra = RequestHandlerExtra<ServerRequest, ServerNotification>

/** A tool as a test writes it: what it returns becomes its text. */
export type Tool = (args: Record<string, unknown>, extra: ToolExtra) => unknown

const echo: Tool = ({ text }) => text

/** A factory of MCP servers with these tools, and `echo`. */
export function serverWith(tools: Record<string, Tool> = {}): () => Server {
  const all = new Map(Object.entries({ echo, ...tools }))
  return () => {
    const server = new Server({ name: 'test', version: '1' }, { capabilities: { tools: {}, logging: {} } })
    server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: [...all.keys()].map((name) => ({ name, inputSchema: { type: 'object' as const } })),
    }))
    server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
      const result = await all.get(params.name)?.(params.arguments ?? {}, extra)
      return {
        content: [
          { type: 'text' as const, text: typeof result === 'string' ? result : JSON.stringify(result ?? null) },
        ],
      }
    })
    return server
  }
}

/** Sends `data` on the call's own stream. */
export function report(extra: ToolExtra, data: unknown): Promise<void> {
  return extra.sendNotification({ method: 'notifications/message', params: { level: 'info', data } })
}

/** Resolves when the call is cancelled. */
export function cancelled({ signal }: ToolExtra): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

export interface Deferred<T = void> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
}

export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

/** One line of Fastify's log. */
export interface LogEntry {
  readonly level: number
  readonly msg: string
  readonly reqId?: string
  readonly err?: { readonly message: string }
  readonly [name: string]: unknown
}

export interface Logged {
  readonly app: FastifyInstance
  readonly log: readonly LogEntry[]
  /** Lines of level warn and worse. */
  readonly faults: () => readonly LogEntry[]
}

/** An app whose log can be read. */
export function createApp(options: FastifyServerOptions = {}, framework = Fastify): Logged {
  const log: LogEntry[] = []
  const write = (line: string): void => {
    log.push(JSON.parse(line) as LogEntry)
  }
  const app = framework({ ...options, logger: { level: 'info', stream: { write } } })
  return { app, log, faults: () => log.filter(({ level }) => level >= 40) }
}

/** Serves on a free port of loopback until the test is over. */
export async function listen(app: FastifyInstance): Promise<string> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(async () => {
    app.server.closeAllConnections()
    await app.close()
  })
  return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
}

export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly closed: Promise<void>
}

export interface Started extends Logged {
  readonly url: string
  readonly endpoint: Endpoint
  /** Every exchange so far, the newest last. */
  readonly exchanges: readonly Exchange[]
  /** Fails when anything was thrown, rejected, warned of or logged as a fault. */
  readonly expectNoFault: () => void
}

export interface StartOptions {
  readonly tools?: Record<string, Tool>
  readonly options?: Partial<EndpointOptions>
  /** What comes before the plugin. */
  readonly before?: (app: FastifyInstance) => unknown
  readonly fastify?: FastifyServerOptions
}

/** An app with an endpoint at `/mcp`. */
export async function start({ tools, options, before, fastify }: StartOptions = {}): Promise<Started> {
  const errors = watchProcess()
  const logged = createApp(fastify)
  const { app, faults } = logged
  const exchanges: Exchange[] = []
  app.addHook('onRequest', (request, reply, done) => {
    const closed = new Promise<void>((resolve) => reply.raw.once('close', resolve))
    exchanges.push({ request: request.raw, response: reply.raw, closed })
    done()
  })
  await before?.(app)
  const endpoint = createEndpoint({
    server: serverWith(tools),
    onError: (error) => errors.push(error),
    ...options,
  })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  app.register(mcp, { prefix: '/mcp', endpoint })
  const url = `${await listen(app)}/mcp`
  const expectNoFault = (): void => expect({ errors, faults: faults() }).toEqual({ errors: [], faults: [] })
  return { ...logged, url, endpoint, exchanges, expectNoFault }
}

/** Collects what a process must never see while a test runs. */
function watchProcess(): unknown[] {
  const faults: unknown[] = []
  const onFault = (fault: unknown): void => {
    faults.push(fault)
  }
  const names = ['unhandledRejection', 'uncaughtException', 'warning'] as const
  for (const name of names) process.on(name, onFault)
  onTestFinished(() => {
    for (const name of names) process.off(name, onFault)
  })
  return faults
}

/** Waits until the endpoint holds nothing but the sessions themselves. */
export async function settle(endpoint: Endpoint, sessions = 1): Promise<void> {
  await vi.waitFor(
    () => {
      const { connections, calls, streams, questions, detachedCalls, sessions: held } = endpoint.stats()
      // Each session has its standalone stream.
      expect({ connections, calls, questions, detachedCalls, streams, held }).toEqual({
        connections: 0,
        calls: 0,
        questions: 0,
        detachedCalls: 0,
        streams: sessions,
        held: sessions,
      })
    },
    { timeout: 3_000, interval: 10 },
  )
}
