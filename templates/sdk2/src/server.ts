import { setTimeout as sleep } from 'node:timers/promises'
import { McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] })

/** One MCP server object. Called once per session. */
export function buildServer(): McpServer {
  const server = new McpServer({ name: 'NAME', version: '1.0.0' })

  server.registerTool(
    'forecast',
    { description: 'The weather of tomorrow (made up)', inputSchema: z.object({ city: z.string() }) },
    ({ city }) => text(`${city}: sunny`),
  )

  server.registerTool(
    'count',
    { description: 'A long job that reports its progress', inputSchema: z.object({ to: z.number().int().min(1) }) },
    async ({ to }, { mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken
      for (let progress = 1; progress <= to; progress++) {
        await sleep(100, undefined, { signal: mcpReq.signal })
        if (progressToken === undefined) continue
        const params = { progressToken, progress, total: to }
        // Awaited: this is how a job slows down to the speed of its reader.
        await mcpReq.notify({ method: 'notifications/progress', params })
      }
      return text(`counted to ${to}`)
    },
  )

  return server
}
