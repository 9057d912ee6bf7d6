import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { InMemorySessionAdapter, McpServer, StreamableHttpTransport } from 'mcp-lite'
import { z } from 'zod'
import { countUp, waitFor } from './tools.mjs'

const content = (text) => ({ content: [{ type: 'text', text }] })

const server = new McpServer({ name: 'tiny', version: '1.0.0', schemaAdapter: (schema) => z.toJSONSchema(schema) })
server.tool('echo', {
  description: 'Returns a text',
  inputSchema: z.object({ text: z.string() }),
  handler: ({ text }) => content(text),
})
server.tool('count', {
  description: 'Counts to three',
  inputSchema: z.object({}),
  handler: async (_, context) => content(await countUp((progress) => context.progress?.({ progress, total: 3 }))),
})
server.tool('wait', {
  description: 'Waits',
  inputSchema: z.object({ ms: z.number() }),
  handler: async ({ ms }) => content(await waitFor(ms)),
})

// What its documentation calls a single server in production.
const sessionAdapter = new InMemorySessionAdapter({ maxEventBufferSize: 1024 })
const handle = new StreamableHttpTransport({ sessionAdapter }).bind(server)
const app = new Hono()
app.all('/mcp', (c) => handle(c.req.raw))
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env.PORT) })
