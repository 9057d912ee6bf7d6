import { setTimeout as sleep } from 'node:timers/promises'
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'

export function addReport(server: McpServer): void {
  server.registerTool('report', { inputSchema: { steps: z.number() } }, async ({ steps }, extra) => {
    const progressToken = extra._meta?.progressToken
    for (let progress = 1; progress <= steps; progress++) {
      await sleep(1_000, undefined, { signal: extra.signal })
      if (progressToken === undefined) continue
      const params = { progressToken, progress, total: steps, message: `Step ${progress}` }
      await extra.sendNotification({ method: 'notifications/progress', params })
    }
    return { content: [{ type: 'text', text: `${steps} steps` }] }
  })
}
