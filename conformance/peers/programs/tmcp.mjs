import { ZodJsonSchemaAdapter } from '@tmcp/adapter-zod'
import { HttpTransport } from '@tmcp/transport-http'
import { serve } from 'srvx'
import { McpServer } from 'tmcp'
import { tool } from 'tmcp/utils'
import { z } from 'zod'
import { countUp, waitFor } from './tools.mjs'

const server = new McpServer(
  { name: 'tiny', version: '1.0.0', description: 'A tiny server' },
  { adapter: new ZodJsonSchemaAdapter(), capabilities: { tools: { listChanged: true } } },
)
const echo = { name: 'echo', description: 'Returns a text', schema: z.object({ text: z.string() }) }
server.tool(echo, async ({ text }) => tool.text(text))
server.tool({ name: 'count', description: 'Counts to three' }, async () =>
  tool.text(await countUp((progress) => server.progress(progress, 3))),
)
const wait = { name: 'wait', description: 'Waits', schema: z.object({ ms: z.number() }) }
server.tool(wait, async ({ ms }) => tool.text(await waitFor(ms)))

const transport = new HttpTransport(server, { path: '/mcp' })
serve({
  hostname: '127.0.0.1',
  port: Number(process.env.PORT),
  fetch: async (request) => (await transport.respond(request)) ?? new Response(null, { status: 404 }),
})
