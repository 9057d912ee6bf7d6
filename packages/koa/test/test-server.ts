import { once } from 'node:events'
import { createServer, type Server as HttpServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js'
import {
  CallToolRequestSchema,
  ListToolsRequestSchema,
  type ServerNotification,
  type ServerRequest,
} from '@modelcontextprotocol/sdk/types.js'
import { createEndpoint, type Endpoint, type EndpointOptions } from '@throughline/mcp-http-koa'
import type Koa from 'koa'
import { onTestFinished, vi } from 'vitest'

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
        content: [{ type: 'text' as const, text: typeof result === 'string' ? result : JSON.stringify(result) }],
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

export interface Listening {
  readonly server: HttpServer
  readonly port: number
  /** Without a path. */
  readonly origin: string
}

/** Serves on a free port of loopback until the test is over. */
export async function listen(listener: RequestListener): Promise<Listening> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { server, port, origin: `http://127.0.0.1:${port}` }
}

/** Makes an endpoint that ends with the test. */
export function endpointWith(tools: Record<string, Tool> = {}, options: Partial<EndpointOptions> = {}): Endpoint {
  const endpoint = createEndpoint({ server: serverWith(tools), ...options })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  return endpoint
}

/** What the app was told of. */
export function collectErrors(app: Koa): Error[] {
  const errors: Error[] = []
  app.on('error', (error: Error) => errors.push(error))
  return errors
}

/** Collects what a process must never see while a test runs, and what it prints. */
export function watchProcess(): { readonly faults: readonly unknown[] } {
  const faults: unknown[] = []
  const onFault = (fault: unknown): void => {
    faults.push(fault)
  }
  const names = ['unhandledRejection', 'uncaughtException', 'warning'] as const
  for (const name of names) process.on(name, onFault)
  const printing = vi.spyOn(console, 'error').mockImplementation(onFault)
  onTestFinished(() => {
    printing.mockRestore()
    for (const name of names) process.off(name, onFault)
  })
  return { faults }
}
