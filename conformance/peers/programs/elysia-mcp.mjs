import { node } from '@elysiajs/node'
import { Elysia } from 'elysia'
import { mcp } from 'elysia-mcp'
import { z } from 'zod'
import { countUp, waitFor } from './tools.mjs'

const content = (text) => ({ content: [{ type: 'text', text }] })

async function setupServer(server) {
  const echo = { description: 'Returns a text', inputSchema: { text: z.string() } }
  server.registerTool('echo', echo, async ({ text }) => content(text))
  server.registerTool('count', { description: 'Counts to three', inputSchema: {} }, async (_, extra) => {
    const progressToken = extra._meta?.progressToken
    const report = async (progress) => {
      if (progressToken === undefined) return
      await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total: 3 } })
    }
    return content(await countUp(report))
  })
  server.registerTool('wait', { description: 'Waits', inputSchema: { ms: z.number() } }, async ({ ms }) =>
    content(await waitFor(ms)),
  )
}

new Elysia({ adapter: node() })
  .use(mcp({ serverInfo: { name: 'tiny', version: '1.0.0' }, capabilities: { tools: {} }, setupServer }))
  .listen({ port: Number(process.env.PORT), hostname: '127.0.0.1' })
