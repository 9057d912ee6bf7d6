import type { McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'

export function addReport(server: McpServer): void {
  server.registerTool('report', { inputSchema: z.object({ steps: z.number() }) }, async ({ steps }, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken
    for (let progress = 1; progress <= steps; progress++) {
      mcpReq.signal.throwIfAborted()
      if (progressToken === undefined) continue
      const params = { progressToken, progress, total: steps }
      await mcpReq.notify({ method: 'notifications/progress', params })
    }
    return { content: [{ type: 'text', text: `${steps} steps` }] }
  })
}
