import { randomUUID } from 'node:crypto'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import express from 'express'
import { statefulHandlers } from 'express-mcp-handler'
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
  return server
}

const app = express()
app.use(express.json())
const { postHandler, getHandler, deleteHandler } = statefulHandlers(createServer, { sessionIdGenerator: randomUUID })
app.post('/mcp', postHandler)
app.get('/mcp', getHandler)
app.delete('/mcp', deleteHandler)
app.listen(Number(process.env.PORT), '127.0.0.1')
