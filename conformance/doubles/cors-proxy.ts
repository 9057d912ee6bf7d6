import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream'
import type { RunningProxy } from './delaying-proxy.ts'

const corsHeaders = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
  'access-control-allow-headers': '*',
  'access-control-expose-headers': 'Mcp-Session-Id, WWW-Authenticate',
}

/** A gateway that lets every page read every answer, as many are set up: the server behind it checks the Origin itself. */
export async function startCorsProxy(target: string): Promise<RunningProxy> {
  const upstream = new URL(target)
  const server = createServer((incoming, outgoing) => {
    if (incoming.method === 'OPTIONS') outgoing.writeHead(204, corsHeaders).end()
    else pass(incoming, outgoing, upstream)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${upstream.pathname}`,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

function pass(incoming: IncomingMessage, outgoing: ServerResponse, { hostname, port }: URL): void {
  const { method, url: path, rawHeaders: headers } = incoming
  const forwarded = send({ hostname, port, method, path, headers, agent: false }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, [
      ...withoutCors(answer.rawHeaders),
      ...Object.entries(corsHeaders).flat(),
    ])
    outgoing.flushHeaders()
    pipeline(answer, outgoing, () => undefined)
  })
  // The server may answer before the body comes.
  forwarded.flushHeaders()
  // Whichever side breaks takes the other along.
  forwarded.on('error', () => outgoing.destroy())
  outgoing.on('close', () => forwarded.destroy())
  pipeline(incoming, forwarded, () => undefined)
}

function withoutCors(rawHeaders: readonly string[]): string[] {
  const isOwn = (name = ''): boolean => name.toLowerCase() in corsHeaders
  return rawHeaders.filter((_, index) => !isOwn(rawHeaders[index - (index % 2)]))
}
