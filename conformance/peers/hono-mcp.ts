import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { StreamableHTTPTransport } from '@hono/mcp'
import { getRequestListener } from '@hono/node-server'
import { InMemoryEventStore } from '@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js'
import { Hono } from 'hono'
import { createFixture } from '../src/fixture/index.ts'
import { listen, type RunningPeer } from './listen.ts'

/** `@hono/mcp` with a map of transports, which its documentation leaves to the user. */
export async function startHonoMcp(): Promise<RunningPeer> {
  const fixture = createFixture()
  const eventStore = new InMemoryEventStore()
  const transports = new Map<string, StreamableHTTPTransport>()
  const open = async (): Promise<StreamableHTTPTransport> => {
    const transport = new StreamableHTTPTransport({
      sessionIdGenerator: () => randomUUID(),
      eventStore,
      onsessioninitialized: (id) => void transports.set(id, transport),
    })
    transport.onclose = () => void transports.delete(transport.sessionId ?? '')
    await fixture.createServer().connect(transport)
    return transport
  }
  const app = new Hono()
  app.all('/mcp', async (c) => {
    const id = c.req.header('mcp-session-id')
    const known = id === undefined ? undefined : transports.get(id)
    if (id !== undefined && known === undefined) return c.json({ error: 'Session not found' }, 404)
    return (await (known ?? (await open())).handleRequest(c)) ?? c.body(null, 204)
  })
  return await listen(createServer(getRequestListener(app.fetch)))
}
