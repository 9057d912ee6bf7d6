import { setTimeout as sleep } from 'node:timers/promises'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv'
import { z } from 'zod'

const jsonSchemaValidator = new AjvJsonSchemaValidator()
const forecastInput = { city: z.string().min(1).describe('Name of a city') }
const reportInput = { steps: z.number().int().min(1).max(1_000), stepMs: z.number().int().min(0).max(60_000) }
const announceInput = { number: z.number().int() }

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] })

/** One MCP server object. Called once per session, and once more on the node that takes a session over. */
export function buildServer(): McpServer {
  const server = new McpServer(
    { name: 'weather', version: '1.0.0' },
    { capabilities: { logging: {} }, jsonSchemaValidator },
  )

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
        await sendNotification({ method: 'notifications/progress', params })
      }
      return text(`report of ${steps} steps`)
    },
  )

  server.registerTool(
    'announce',
    { description: 'Sends a number to the standalone stream of the session', inputSchema: announceInput },
    async ({ number }) => {
      // Awaited: the answer says that the announcement is stored.
      await server.sendLoggingMessage({ level: 'info', data: { number } })
      return text(`announced ${number}`)
    },
  )

  return server
}
