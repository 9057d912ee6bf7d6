import { McpServer, type ServerOptions } from '@modelcontextprotocol/server'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/server/validators/ajv'
import { park } from './parking.ts'
import { sendProgress } from './send-progress.ts'
import { capabilities, echoInput, parkInput, progressInput, serverInfo, toContent } from './tools.ts'

const jsonSchemaValidator = new AjvJsonSchemaValidator()

/** The server of SDK 2.x that every target on it serves. */
export function createServer2(options: Pick<ServerOptions, 'supportedProtocolVersions'> = {}): McpServer {
  const server = new McpServer(serverInfo, { capabilities, jsonSchemaValidator, ...options })
  registerTools2(server)
  return server
}

/** For targets that build the server of SDK 2.x themselves. */
export function registerTools2(server: McpServer): void {
  server.registerTool('echo', { inputSchema: echoInput }, ({ text }) => toContent(text))
  server.registerTool('progress', { inputSchema: progressInput }, async (input, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken
    if (progressToken === undefined) return toContent('no progress token')
    await sendProgress(input, (progress) =>
      mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: input.count } }),
    )
    return toContent('done')
  })
  server.registerTool('park', { inputSchema: parkInput }, async () => {
    await park()
    return toContent('released')
  })
}
