import { createServer } from 'node:http'
import { createTool } from '@mastra/core/tools'
import { MCPServer } from '@mastra/mcp'
import { z } from 'zod'
import { waitFor } from './tools.mjs'

const echo = createTool({
  id: 'echo',
  description: 'Returns a text',
  inputSchema: z.object({ text: z.string() }),
  execute: async ({ text }) => text,
})
const wait = createTool({
  id: 'wait',
  description: 'Waits',
  inputSchema: z.object({ ms: z.number() }),
  execute: ({ ms }) => waitFor(ms),
})

const server = new MCPServer({ id: 'tiny', name: 'tiny', version: '1.0.0', tools: { echo, wait } })

createServer(async (req, res) => {
  const url = new URL(req.url ?? '', `http://127.0.0.1:${process.env.PORT}`)
  await server.startHTTP({ url, httpPath: '/mcp', req, res })
}).listen(Number(process.env.PORT), '127.0.0.1')
