import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { onTestFinished } from 'vitest'

type Progress = (progress: { progress: number }) => void

/** A client that closes with the test, and asks for 2026-07-28 first. */
export async function connect(url: string) {
  const client = new Client({ name: 'test', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } })
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  onTestFinished(() => client.close())
  return {
    callTool: (params: { name: string; arguments: Record<string, unknown> }, onprogress?: Progress) =>
      client.callTool(params, onprogress && { onprogress }),
  }
}
