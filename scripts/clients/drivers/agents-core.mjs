import { MCPServerStreamableHttp } from '@openai/agents-core'

/** @openai/agents-core. It has no way to hear of progress or of changes, and declares no elicitation. */
export async function connect(url) {
  const server = new MCPServerStreamableHttp({ url, name: 'driver' })
  await server.connect()
  return {
    async list() {
      const tools = await server.listTools()
      return tools.map(({ name }) => name)
    },
    call: (name, args, { signal } = {}) => server.callToolResult(name, args, null, { signal }),
    close: () => server.close(),
  }
}
