import { setTimeout as sleep } from 'node:timers/promises'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv'
import { z } from 'zod'

// Made once, used by every session: a validator and schemas of its own would cost each session about 25 KB.
const jsonSchemaValidator = new AjvJsonSchemaValidator()
const forecastInput = { city: z.string().min(1).describe('Name of a city') }
const reportInput = {
  steps: z.number().int().min(1).max(1_000).default(10),
  stepMs: z.number().int().min(0).max(60_000).default(500),
}
const bookingInput = { city: z.string().min(1) }
const bookingForm = {
  type: 'object' as const,
  properties: { nights: { type: 'integer' as const, minimum: 1, maximum: 30, title: 'Nights' } },
  required: ['nights'],
}

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] })

/** One MCP server object. Called once per session. */
export function buildServer(): McpServer {
  const server = new McpServer({ name: 'weather', version: '1.0.0' }, { jsonSchemaValidator })

  server.registerTool(
    'forecast',
    { description: 'The weather of tomorrow (made up)', inputSchema: forecastInput },
    ({ city }) => text(`${city}: ${8 + (city.length % 20)} °C, ${city.length % 2 ? 'dry' : 'rain'}`),
  )

  server.registerTool(
    'report',
    { description: 'A long job that reports its progress', inputSchema: reportInput },
    async ({ steps, stepMs }, { _meta, sendNotification, signal }) => {
      for (let step = 1; step <= steps; step++) {
        await sleep(stepMs, undefined, { signal })
        if (_meta?.progressToken === undefined) continue
        const params = { progressToken: _meta.progressToken, progress: step, total: steps }
        // Awaited: this is how a job slows down to the speed of its reader.
        await sendNotification({ method: 'notifications/progress', params })
      }
      return text(`report of ${steps} steps`)
    },
  )

  server.registerTool(
    'book',
    { description: 'Books a hotel; asks the user for how long', inputSchema: bookingInput },
    async ({ city }, { requestId }) => {
      const answer = await server.server.elicitInput(
        { message: `How many nights in ${city}?`, requestedSchema: bookingForm },
        { relatedRequestId: requestId },
      )
      return text(answer.action === 'accept' ? `${answer.content?.nights} nights in ${city}` : 'Nothing was booked')
    },
  )

  return server
}
