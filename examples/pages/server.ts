import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'

const forecastInput = { city: z.string() }

/** What the samples of the documentation import. */
export function buildServer(): McpServer {
  const server = new McpServer({ name: 'weather', version: '1.0.0' })
  server.registerTool('forecast', { inputSchema: forecastInput }, ({ city }) => ({
    content: [{ type: 'text', text: `${city}: sunny` }],
  }))
  return server
}
