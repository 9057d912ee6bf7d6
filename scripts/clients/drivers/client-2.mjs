import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

/** @modelcontextprotocol/client 2.x. `setting` is its mode of version negotiation, or the revision that it is pinned to. */
export async function connect(url, { answer, changed, setting }) {
  const mode = setting === 'legacy' || setting === 'auto' ? setting : { pin: setting }
  const client = new Client(
    { name: 'driver', version: '1.0.0' },
    {
      capabilities: { elicitation: {} },
      versionNegotiation: { mode },
      listChanged: { tools: { onChanged: changed } },
    },
  )
  client.setRequestHandler('elicitation/create', answer)
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  return {
    async list() {
      const { tools } = await client.listTools()
      return tools.map(({ name }) => name)
    },
    call: (name, args, { onProgress, signal } = {}) =>
      client.callTool({ name, arguments: args }, { onprogress: onProgress, signal }),
    close: () => client.close(),
  }
}
