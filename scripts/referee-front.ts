import { once } from 'node:events'
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream'

/** A balancer on loopback that knows no sessions. */
export interface RunningFront {
  readonly url: string
  stop(): void
}

/** Sends each request to the next node, whatever is in it, and passes bytes on as they come. */
export async function startFront(nodes: readonly string[]): Promise<RunningFront> {
  const targets = nodes.map((node) => new URL(node))
  const [first] = targets as [URL, ...URL[]]
  let next = 0
  const server = createServer((request, response) => {
    pass(request, response, targets[next++ % targets.length] ?? first)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}${first.pathname}`,
    stop() {
      server.close()
      server.closeAllConnections()
    },
  }
}

function pass(request: IncomingMessage, response: ServerResponse, { hostname, port }: URL): void {
  const { method, url: path, headers } = request
  const passed = httpRequest({ hostname, port, method, path, headers })
  passed.once('response', (reply) => {
    response.writeHead(reply.statusCode ?? 502, withoutHop(reply.headers))
    // A stream may be silent for long after its head.
    response.flushHeaders()
    // What breaks off on the one side breaks off on the other.
    pipeline(reply, response, () => undefined)
  })
  passed.once('error', () => {
    if (response.headersSent) response.destroy()
    else response.writeHead(502).end()
  })
  response.once('close', () => passed.destroy())
  request.pipe(passed)
}

/** Without what is said of one connection. */
function withoutHop({ connection: _, 'keep-alive': __, 'transfer-encoding': ___, ...headers }: IncomingHttpHeaders) {
  return headers
}
