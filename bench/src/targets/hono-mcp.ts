import { randomUUID } from 'node:crypto'
import { StreamableHTTPTransport } from '@hono/mcp'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { listen, type RunningTarget } from './running-target.ts'
import { createServer1 } from './server1.ts'

/** `@hono/mcp` with a map of transports, which its documentation leaves to the user. */
export async function startHonoMcp({ json = false } = {}): Promise<RunningTarget> {
  const transports = new Map<string, StreamableHTTPTransport>()

  async function open(): Promise<StreamableHTTPTransport> {
    const transport = new StreamableHTTPTransport({
      sessionIdGenerator: () => randomUUID(),
      enableJsonResponse: json,
      onsessioninitialized: (sessionId) => void transports.set(sessionId, transport),
    })
    transport.onclose = () => void transports.delete(transport.sessionId ?? '')
    await createServer1().connect(transport)
    return transport
  }

  const app = new Hono()
  app.all('/mcp', async (c) => {
    const sessionId = c.req.header('mcp-session-id')
    const known = sessionId === undefined ? undefined : transports.get(sessionId)
    if (sessionId !== undefined && !known) return c.body(null, 404)
    return (await (known ?? (await open())).handleRequest(c)) ?? c.body(null, 204)
  })
  return { url: await listen(getRequestListener(app.fetch)) }
}
