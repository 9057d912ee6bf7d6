import { createServer } from 'node:http'
import type { Endpoint } from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import { type Address, type Listening, toListening } from './listening.ts'

export function listen(endpoint: Endpoint, { port, host }: Address): Promise<Listening> {
  const serveMcp = toNodeHandler(endpoint)
  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0]
    // Some clients add a slash.
    if (path === '/mcp' || path === '/mcp/') serveMcp(request, response).catch(console.error)
    else response.writeHead(path === '/health' ? (endpoint.closing ? 503 : 200) : 404).end()
  })
  return toListening(server.listen(port, host))
}
