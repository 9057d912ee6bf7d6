import { createMCPClient, ElicitationRequestSchema } from '@ai-sdk/mcp'

/** @ai-sdk/mcp. It has no way to hear of progress or of changes. */
export async function connect(url, { answer }) {
  const client = await createMCPClient({ transport: { type: 'http', url }, capabilities: { elicitation: {} } })
  client.onElicitationRequest(ElicitationRequestSchema, answer)
  return {
    list: async () => Object.keys(await client.tools()),
    call: (name, args, { signal } = {}) => client.callTool({ name, arguments: args, options: { signal } }),
    close: () => client.close(),
  }
}
