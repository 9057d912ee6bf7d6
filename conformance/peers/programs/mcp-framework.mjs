import { MCPServer, MCPTool } from 'mcp-framework'
import { z } from 'zod'
import { countUp, waitFor } from './tools.mjs'

class EchoTool extends MCPTool {
  name = 'echo'
  description = 'Returns a text'
  schema = z.object({ text: z.string().describe('What to return') })

  async execute({ text }) {
    return text
  }
}

class CountTool extends MCPTool {
  name = 'count'
  description = 'Counts to three'
  schema = z.object({})

  async execute() {
    return await countUp((progress) => this.reportProgress(progress, 3))
  }
}

class WaitTool extends MCPTool {
  name = 'wait'
  description = 'Waits'
  schema = z.object({ ms: z.number().describe('How long') })

  async execute({ ms }) {
    return await waitFor(ms)
  }
}

const server = new MCPServer({
  name: 'tiny',
  version: '1.0.0',
  transport: { type: 'http-stream', options: { port: Number(process.env.PORT), endpoint: '/mcp' } },
})
for (const tool of [EchoTool, CountTool, WaitTool]) server.addTool(tool)
await server.start()
