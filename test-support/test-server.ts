import { once } from 'node:events'
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js'
import {
  CallToolRequestSchema,
  ListToolsRequestSchema,
  type ServerNotification,
  type ServerRequest,
} from '@modelcontextprotocol/sdk/types.js'
import { expect, onTestFinished, vi } from 'vitest'
import type { Endpoint, EndpointOptions } from '../packages/core/src/index.ts'

export type ToolExtra = RequestHandlerExtra<ServerRequest, ServerNotification>

/** A tool as a test writes it: what it returns becomes its text. */
export type Tool = (args: Record<string, unknown>, extra: ToolExtra) => unknown

const echo: Tool = ({ text }) => text

/** A factory of MCP servers with these tools, and `echo`. */
export function serverWith(tools: Record<string, Tool> = {}, name = 'test'): () => Server {
  const all = new Map(Object.entries({ echo, ...tools }))
  return () => {
    const server = new Server({ name, version: '1' }, { capabilities: { tools: {}, logging: {} } })
    server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: [...all.keys()].map((tool) => ({ name: tool, inputSchema: { type: 'object' as const } })),
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

/** Resolves when the call is cancelled. */
export function cancelled({ signal }: ToolExtra): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** A tool that runs until it is cancelled. */
export function holding(before: (extra: ToolExtra) => Promise<void> = async () => undefined): {
  readonly hold: Tool
  readonly started: Promise<void>
  readonly stopped: Promise<void>
} {
  const started = deferred()
  const stopped = deferred()
  const hold: Tool = async (_args, extra) => {
    await before(extra)
    started.resolve()
    await cancelled(extra)
    stopped.resolve()
    return 'nobody reads this'
  }
  return { hold, started: started.promise, stopped: stopped.promise }
}

export interface Listening {
  readonly server: HttpServer
  readonly port: number
  /** Without a path. */
  readonly origin: string
}

/** Serves on a free port of loopback until the test is over. */
export async function listen(listener: RequestListener | HttpServer, hostname = '127.0.0.1'): Promise<Listening> {
  const server = typeof listener === 'function' ? createServer(listener) : listener
  server.listen(0, hostname)
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { server, port, origin: `http://127.0.0.1:${port}` }
}

/** What a server saw of one request. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly closed: Promise<unknown>
}

export interface StartOptions {
  readonly tools?: Record<string, Tool>
  readonly options?: Partial<EndpointOptions>
}

/** An app with an endpoint, and everything that could go wrong with it recorded. */
export interface Watched {
  readonly url: string
  readonly endpoint: Endpoint
  /** Every exchange so far, the newest last. */
  readonly exchanges: readonly Exchange[]
  /** Fails when anything was thrown, rejected, warned of, printed, or handed to the app. */
  readonly expectNoFault: () => void
}

/** The newest exchange, once there are `count`. */
export async function newest(exchanges: readonly Exchange[], count: number): Promise<Exchange> {
  await vi.waitFor(() => expect(exchanges.length).toBe(count), { interval: 2 })
  return exchanges.at(-1) as Exchange
}

/** Waits until the endpoint holds nothing but the sessions themselves. */
export async function settle(endpoint: Endpoint, sessions = 1): Promise<void> {
  await vi.waitFor(
    () => {
      const { connections, calls, streams, questions, detachedCalls, sessions: live } = endpoint.stats()
      // Each session has its standalone stream.
      expect({ connections, calls, streams, questions, detachedCalls, live }).toEqual({
        connections: 0,
        calls: 0,
        streams: sessions,
        questions: 0,
        detachedCalls: 0,
        live: sessions,
      })
    },
    { timeout: 3_000, interval: 10 },
  )
}

/** Collects what a process must never see or print while a test runs. */
export function watchProcess(): { readonly faults: readonly unknown[] } {
  const faults: unknown[] = []
  const onFault = (fault: unknown): void => {
    faults.push(fault)
  }
  const names = ['unhandledRejection', 'uncaughtException', 'warning'] as const
  for (const name of names) process.on(name, onFault)
  const printed = (['log', 'info', 'warn', 'error'] as const).map((name) =>
    vi.spyOn(console, name).mockImplementation(onFault),
  )
  onTestFinished(() => {
    for (const name of names) process.off(name, onFault)
    for (const spy of printed) spy.mockRestore()
  })
  return { faults }
}
