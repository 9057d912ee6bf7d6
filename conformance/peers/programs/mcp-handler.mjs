// The handler is for frameworks with Request and Response; of those, Hono runs on Node.
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { createMcpHandler } from 'mcp-handler'
import { z } from 'zod'
import { countUp, waitFor } from './tools.mjs'

const content = (text) => ({ content: [{ type: 'text', text }] })

const handler = createMcpHandler((server) => {
  const echo = { description: 'Returns a text', inputSchema: z.object({ text: z.string() }) }
  server.registerTool('echo', echo, async ({ text }) => content(text))
  server.registerTool('count', { description: 'Counts to three', inputSchema: z.object({}) }, async (_, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken
    const report = async (progress) => {
      if (progressToken === undefined) return
      await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 3 } })
    }
    return content(await countUp(report))
  })
  const wait = { description: 'Waits', inputSchema: z.object({ ms: z.number() }) }
  server.registerTool('wait', wait, async ({ ms }) => content(await waitFor(ms)))
})

const app = new Hono()
app.all('/mcp', (c) => handler(c.req.raw))
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env.PORT) })
