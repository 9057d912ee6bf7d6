import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { fastify } from 'fastify'
import { Sessions, streamableHttp } from 'fastify-mcp'
import { z } from 'zod'
import { countUp, waitFor } from './tools.mjs'

const content = (text) => ({ content: [{ type: 'text', text }] })

function createServer() {
  const server = new McpServer({ name: 'tiny', version: '1.0.0' })
  server.tool('echo', 'Returns a text', { text: z.string() }, async ({ text }) => content(text))
  server.tool('count', 'Counts to three', {}, async (_, { _meta, sendNotification }) => {
    const progressToken = _meta?.progressToken
    const report = async (progress) => {
      if (progressToken === undefined) return
      await sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total: 3 } })
    }
    return content(await countUp(report))
  })
  server.tool('wait', 'Waits', { ms: z.number() }, async ({ ms }) => content(await waitFor(ms)))
  return server.server
}

const app = fastify()
app.register(streamableHttp, { stateful: true, mcpEndpoint: '/mcp', sessions: new Sessions(), createServer })
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })
