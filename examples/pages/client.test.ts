import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { createEndpoint, mcp } from '@throughline/mcp-http-express'
import express from 'express'
import { expect, onTestFinished, test } from 'vitest'
import { buildServer } from './server.ts'

async function connect(): Promise<Client> {
  const endpoint = createEndpoint({ server: () => buildServer() })
  const server = express().all('/mcp', mcp(endpoint)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = new Client({ name: 'test', version: '1.0.0' })
  const { port } = server.address() as AddressInfo
  await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`)))
  onTestFinished(async () => {
    await client.close()
    await endpoint.close({ drainMs: 0 })
    server.close()
  })
  return client
}

test('forecasts', async () => {
  const client = await connect()
  const { content } = await client.callTool({ name: 'forecast', arguments: { city: 'Lisbon' } })
  expect(content).toEqual([{ type: 'text', text: 'Lisbon: sunny' }])
})
