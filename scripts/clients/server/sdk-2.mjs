// A server of @modelcontextprotocol/server 2.x, for both eras, with a tool for each thing that a client may be able to.
import { setTimeout as sleep } from 'node:timers/promises'
import { acceptedContent, inputRequired, McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { serve } from './serve.mjs'

const nameSchema = z.object({ name: z.string() })
const message = 'What is your name?'
const question = inputRequired.elicit({ message, requestedSchema: nameSchema })
const form = { message, requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } }
const text = (value) => ({ content: [{ type: 'text', text: value }] })

/** What became of each call of `wait`, whichever server object got it. */
const waiting = new Map()

await serve((session, { notify }) => {
  const server = new McpServer({ name: 'both-eras', version: '1.0.0' })
  const key = { inputSchema: z.object({ key: z.string() }) }

  server.registerTool('echo', { inputSchema: z.object({ text: z.string() }) }, (args) => text(args.text))

  server.registerTool('slow', { inputSchema: z.object({ steps: z.int() }) }, async ({ steps }, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken
    for (let progress = 1; progress <= steps && progressToken !== undefined; progress++) {
      await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: steps } })
      // Clients on stdio lose a progress that comes in one chunk with the answer.
      await sleep(100)
    }
    return text('slow done')
  })

  server.registerTool('wait', key, async ({ key }, { mcpReq }) => {
    waiting.set(key, 'running')
    mcpReq.signal.addEventListener('abort', () => waiting.set(key, 'cancelled'))
    await sleep(60_000, undefined, { signal: mcpReq.signal })
    waiting.set(key, 'finished')
    return text('finished')
  })
  server.registerTool('wait_state', key, ({ key }) => text(waiting.get(key) ?? 'unknown'))

  // As each era has it: a request to the client, or a result that asks.
  server.registerTool('ask', {}, async ({ mcpReq }) => {
    if (session.era === '2026') return askByResult(mcpReq)
    const { content } = await mcpReq.elicitInput(form)
    return text(`Hello, ${content?.name}!`)
  })
  // As the new one has it: the SDK makes it a request in a session.
  server.registerTool('ask_by_result', {}, ({ mcpReq }) => askByResult(mcpReq))

  server.registerTool('change', {}, async () => {
    await notify('notifications/tools/list_changed')
    return text('changed')
  })

  server.registerTool('large', { inputSchema: z.object({ bytes: z.int() }) }, ({ bytes }) =>
    text('0123456789abcdef'.repeat(bytes / 16)),
  )
  return server
})

function askByResult({ inputResponses }) {
  const name = acceptedContent(inputResponses, 'user', nameSchema)?.name
  return name === undefined ? inputRequired({ inputRequests: { user: question } }) : text(`Hello, ${name}!`)
}
