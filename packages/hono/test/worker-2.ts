import { McpServer } from '@modelcontextprotocol/server'
import { mcp } from '@throughline/mcp-http-hono'
import { Hono } from 'hono'
import { z } from 'zod'

/** A server of SDK 2.x with one tool, which serves clients of both eras. */
function buildServer(): McpServer {
  const server = new McpServer({ name: 'worker', version: '2' }, { capabilities: { tools: { listChanged: true } } })
  server.registerTool('echo', { inputSchema: z.object({ text: z.string() }) }, ({ text }) => ({
    content: [{ type: 'text', text }],
  }))
  return server
}

const app = new Hono()
app.all('/mcp', mcp({ server: () => buildServer() }))

// biome-ignore lint/style/noDefaultExport: what runtimes load
export default app
