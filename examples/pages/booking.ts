import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'

const form = {
  type: 'object' as const,
  properties: { nights: { type: 'integer' as const, minimum: 1, title: 'Nights' } },
  required: ['nights'],
}

export function addBooking(server: McpServer): void {
  server.registerTool('book', { inputSchema: { city: z.string() } }, async ({ city }, { requestId, signal }) => {
    const options = { relatedRequestId: requestId, signal, timeout: 10 * 60_000 }
    const answer = await server.server.elicitInput({ message: `How long in ${city}?`, requestedSchema: form }, options)
    const text = answer.action === 'accept' ? `${answer.content?.nights} nights` : 'Nothing was booked'
    return { content: [{ type: 'text', text }] }
  })
}
