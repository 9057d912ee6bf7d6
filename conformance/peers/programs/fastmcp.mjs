import { FastMCP } from 'fastmcp'
import { z } from 'zod'
import { countUp, waitFor } from './tools.mjs'

const server = new FastMCP({ name: 'tiny', version: '1.0.0' })
server.addTool({
  name: 'echo',
  description: 'Returns a text',
  parameters: z.object({ text: z.string() }),
  execute: async ({ text }) => text,
})
server.addTool({
  name: 'count',
  description: 'Counts to three',
  execute: (_, { reportProgress }) => countUp((progress) => reportProgress({ progress, total: 3 })),
})
server.addTool({
  name: 'wait',
  description: 'Waits',
  parameters: z.object({ ms: z.number() }),
  execute: ({ ms }) => waitFor(ms),
})
await server.start({
  transportType: 'httpStream',
  httpStream: { host: '127.0.0.1', port: Number(process.env.PORT) },
})
