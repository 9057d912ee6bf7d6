import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { CallToolRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { mcp } from '@throughline/mcp-http-hono'
import { Hono } from 'hono'

/** A server with one tool that reports twice and echoes. */
function buildServer(): Server {
  const server = new Server({ name: 'worker', version: '1' }, { capabilities: { tools: {}, logging: {} } })
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { sendNotification }) => {
    for (const data of params.name === 'report' ? [1, 2] : []) {
      await sendNotification({ method: 'notifications/message', params: { level: 'info', data } })
    }
    return { content: [{ type: 'text', text: String(params.arguments?.text) }] }
  })
  return server
}

const app = new Hono()
app.use(async (c, next) => {
  await next()
  c.header('x-late', 'yes')
})
app.all('/mcp', mcp({ server: () => buildServer() }))

// biome-ignore lint/style/noDefaultExport: what runtimes load
export default app
