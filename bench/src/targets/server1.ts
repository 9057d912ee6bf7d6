import { McpServer, type ToolCallback } from '@modelcontextprotocol/sdk/server/mcp.js'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv'
import { park } from './parking.ts'
import { sendProgress } from './send-progress.ts'
import { capabilities, echoInput, parkInput, progressInput, serverInfo, toContent } from './tools.ts'

const jsonSchemaValidator = new AjvJsonSchemaValidator()

/** The tool of W1. */
export type Echo = ToolCallback<typeof echoInput>

/** The server of SDK 1.x that every target on it serves. */
export function createServer1(): McpServer {
  return createServer1With(({ text }) => toContent(text))
}

export function createServer1With(echo: Echo): McpServer {
  const server = new McpServer(serverInfo, { capabilities, jsonSchemaValidator })
  server.registerTool('echo', { inputSchema: echoInput }, echo)
  server.registerTool('progress', { inputSchema: progressInput }, async (input, { _meta, sendNotification }) => {
    const progressToken = _meta?.progressToken
    if (progressToken === undefined) return toContent('no progress token')
    await sendProgress(input, (progress) =>
      sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total: input.count } }),
    )
    return toContent('done')
  })
  server.registerTool('park', { inputSchema: parkInput }, async () => {
    await park()
    return toContent('released')
  })
  return server
}
