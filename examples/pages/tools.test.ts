import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { ElicitRequestSchema, ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { McpServer as McpServer2 } from '@modelcontextprotocol/server'
import { createEndpoint, type EndpointOptions, mcp } from '@throughline/mcp-http-express'
import express from 'express'
import { expect, onTestFinished, test } from 'vitest'
import { addBooking } from './booking.ts'
import { addReport } from './report.ts'
import { addReport as addReport2 } from './report-sdk2.ts'

async function serve(server: EndpointOptions['server']) {
  const endpoint = createEndpoint({ server })
  const listening = express().all('/mcp', mcp(endpoint)).listen(0, '127.0.0.1')
  await once(listening, 'listening')
  onTestFinished(async () => {
    await endpoint.close({ drainMs: 0 })
    listening.close()
  })
  const { port } = listening.address() as AddressInfo
  return { endpoint, url: new URL(`http://127.0.0.1:${port}/mcp`) }
}

const info = { name: 'pages', version: '1.0.0' }

test.each<[string, EndpointOptions['server']]>([
  ['1.x', () => withTools(new McpServer(info), addReport)],
  ['2.x', () => withTools(new McpServer2(info), addReport2)],
])('a long job reports its progress on SDK %s', async (_sdk, server) => {
  const { url } = await serve(server)
  const client = new Client(info)
  await client.connect(new StreamableHTTPClientTransport(url))
  onTestFinished(() => client.close())
  const seen: number[] = []
  const onprogress = ({ progress }: { progress: number }) => seen.push(progress)
  await client.callTool({ name: 'report', arguments: { steps: 2 } }, undefined, { onprogress })
  expect(seen).toEqual([1, 2])
})

test('a tool asks the user', async () => {
  const { url } = await serve(() => withTools(new McpServer(info), addBooking))
  const client = new Client(info, { capabilities: { elicitation: {} } })
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { nights: 3 } }))
  await client.connect(new StreamableHTTPClientTransport(url))
  onTestFinished(() => client.close())
  const { content } = await client.callTool({ name: 'book', arguments: { city: 'Lisbon' } })
  expect(content).toEqual([{ type: 'text', text: '3 nights' }])
})

test('the app tells a client that a resource has changed', async () => {
  const capabilities = { resources: { subscribe: true } }
  const { endpoint, url } = await serve(() => new McpServer(info, { capabilities }))
  const client = new Client(info)
  const updated = new Promise((resolve) => {
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => resolve(params.uri))
  })
  await client.connect(new StreamableHTTPClientTransport(url))
  onTestFinished(() => client.close())
  await endpoint.notify({ method: 'notifications/resources/updated', params: { uri: 'orders://1' } })
  expect(await updated).toBe('orders://1')
})

function withTools<Server>(server: Server, add: (server: Server) => void): Server {
  add(server)
  return server
}
