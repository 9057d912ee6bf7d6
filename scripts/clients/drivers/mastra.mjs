import { MCPClient } from '@mastra/mcp'

/** @mastra/mcp. Its tools are those that were listed: it cannot call another. */
export async function connect(url, { answer, changed, features }) {
  const server = { url: new URL(url), inputRequests: answer, enableProgressTracking: true }
  const client = new MCPClient({ servers: { it: server } })
  let onProgress
  await client.progress.onUpdate('it', (progress) => onProgress?.(progress))
  // In a session it refuses to.
  if (features.includes('change')) await client.tools.onListChanged('it', changed)
  const tools = await client.listTools()
  return {
    list: async () => Object.keys(await client.listTools()).map((name) => name.replace(/^it_/, '')),
    call(name, args, options = {}) {
      if (options.onProgress) onProgress = options.onProgress
      return tools[`it_${name}`].execute(args, { abortSignal: options.signal })
    },
    close: () => client.disconnect(),
  }
}
