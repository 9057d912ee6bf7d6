import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js'
import {
  CallToolRequestSchema,
  ListToolsRequestSchema,
  type ServerNotification,
  type ServerRequest,
} from '@modelcontextprotocol/sdk/types.js'
import { deferred } from './waiting.ts'

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

/** A tool that sends pieces of so many bytes until it is cancelled. */
export function flooding(bytes: number): {
  readonly flood: Tool
  /** Pieces that were taken so far. */
  readonly sent: () => number
  readonly stopped: Promise<void>
} {
  const stopped = deferred()
  let sent = 0
  const flood: Tool = async (_args, extra) => {
    const stop = cancelled(extra)
    while (!extra.signal.aborted) {
      await Promise.race([report(extra, 'x'.repeat(bytes)), stop])
      sent++
    }
    stopped.resolve()
  }
  return { flood, sent: () => sent, stopped: stopped.promise }
}

/** A factory of servers that waits to be told. */
export function slowFactory(): {
  readonly server: () => Promise<Server>
  readonly building: Promise<void>
  readonly finish: () => void
} {
  const building = deferred()
  const built = deferred()
  const make = serverWith()
  const server = async (): Promise<Server> => {
    building.resolve()
    await built.promise
    return make()
  }
  return { server, building: building.promise, finish: built.resolve }
}
