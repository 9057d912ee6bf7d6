import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'
import { capabilities, serverInfo, toContent } from './tools.ts'

/** A server of SDK 1.x as most are written: `echo` and 29 tools more, with schemas made in the factory and no validator shared. */
export function createServer30(): McpServer {
  const server = new McpServer(serverInfo, { capabilities })
  server.registerTool('echo', { inputSchema: { text: z.string() } }, ({ text }) => toContent(text))
  for (let i = 1; i < 30; i++) {
    const inputSchema = {
      query: z.string().min(1).describe('What to look for'),
      limit: z.number().int().min(1).max(100).optional().describe('How many at most'),
      order: z.enum(['newest', 'oldest']).default('newest'),
    }
    const description = `Searches the records of kind ${i}`
    server.registerTool(`search_${i}`, { title: `Search ${i}`, description, inputSchema }, ({ query, order }) =>
      toContent(`${query} ${order}`),
    )
  }
  return server
}
