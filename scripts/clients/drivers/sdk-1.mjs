import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import * as types from '@modelcontextprotocol/sdk/types.js'

/** @modelcontextprotocol/sdk 1.x, over Streamable HTTP. */
export function connect(url, hooks) {
  return connectOver(new StreamableHTTPClientTransport(new URL(url)), hooks)
}

/** Over any transport. */
export async function connectOver(transport, { answer, changed }) {
  // The oldest know no such question.
  const canAnswer = types.ElicitRequestSchema !== undefined
  const client = new Client(
    { name: 'driver', version: '1.0.0' },
    { capabilities: canAnswer ? { elicitation: {} } : {} },
  )
  if (canAnswer) client.setRequestHandler(types.ElicitRequestSchema, answer)
  client.setNotificationHandler(types.ToolListChangedNotificationSchema, changed)
  await client.connect(transport)
  return {
    async list() {
      const { tools } = await client.listTools()
      return tools.map(({ name }) => name)
    },
    call: (name, args, { onProgress, signal } = {}) =>
      client.callTool({ name, arguments: args }, undefined, { onprogress: onProgress, signal }),
    close: () => client.close(),
  }
}
