// A server of @modelcontextprotocol/sdk 1.x, whose server objects speak no 2026-07-28.
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'
import { serve } from './serve.mjs'

await serve(() => {
  const server = new McpServer({ name: 'one-era', version: '1.0.0' })
  server.registerTool('echo', { inputSchema: { text: z.string() } }, (args) => ({
    content: [{ type: 'text', text: args.text }],
  }))
  return server
})
