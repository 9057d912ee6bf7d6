import type { RequestListener } from 'node:http'
import { ZodJsonSchemaAdapter } from '@tmcp/adapter-zod'
import { HttpTransport } from '@tmcp/transport-http'
import { toNodeHandler } from 'srvx/node'
import { McpServer } from 'tmcp'
import { park } from './parking.ts'
import { listen, type RunningTarget } from './running-target.ts'
import { sendProgress } from './send-progress.ts'
import { echoInput, parkInput, progressInput, toContent } from './tools.ts'

/** tmcp, with one server object for all sessions, as its documentation has it. */
export async function startTmcp(): Promise<RunningTarget> {
  const server = new McpServer(
    { name: 'bench', version: '1.0.0', description: 'bench' },
    { adapter: new ZodJsonSchemaAdapter(), capabilities: { tools: {}, logging: {} } },
  )
  server.tool({ name: 'echo', description: 'echo', schema: echoInput }, ({ text }) => toContent(text))
  server.tool({ name: 'progress', description: 'progress', schema: progressInput }, async (input) => {
    await sendProgress(input, (progress) => void server.progress(progress, input.count))
    return toContent('done')
  })
  server.tool({ name: 'park', description: 'park', schema: parkInput }, async () => {
    await park()
    return toContent('released')
  })
  const transport = new HttpTransport(server, { path: '/mcp' })
  const handler = toNodeHandler(async (request: Request) => {
    return (await transport.respond(request)) ?? new Response(null, { status: 404 })
  })
  // It takes the objects of HTTP/2 as well, which its type asks for.
  return { url: await listen(handler as RequestListener) }
}
