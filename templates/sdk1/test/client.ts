import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { onTestFinished } from 'vitest'

type Progress = (progress: { progress: number }) => void

/** A client that closes with the test. */
export async function connect(url: string) {
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  onTestFinished(() => client.close())
  return {
    callTool: (params: { name: string; arguments: Record<string, unknown> }, onprogress?: Progress) =>
      client.callTool(params, undefined, onprogress && { onprogress }),
  }
}
