import { MCPServer } from 'mcp-use'
import { z } from 'zod'
import { countUp, waitFor } from './tools.mjs'

const content = (text) => ({ content: [{ type: 'text', text }] })

const server = new MCPServer({ name: 'tiny', version: '1.0.0' })
const echo = { name: 'echo', description: 'Returns a text', inputSchema: z.object({ text: z.string() }) }
server.tool(echo, async ({ text }) => content(text))
const count = { name: 'count', description: 'Counts to three', inputSchema: z.object({}) }
server.tool(count, async (_, context) => content(await countUp((progress) => context.reportProgress(progress, 3))))
const wait = { name: 'wait', description: 'Waits', inputSchema: z.object({ ms: z.number() }) }
server.tool(wait, async ({ ms }) => content(await waitFor(ms)))
await server.listen(Number(process.env.PORT), { host: '127.0.0.1' })
