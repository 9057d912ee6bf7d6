import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Server as NetServer, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Defect } from './doubles.ts'
import { Endpoint } from './endpoint.ts'
import { createFront } from './http2.ts'
import { watchWhiteSpace } from './white-space.ts'
import type { Settings } from './wire.ts'

/**
 * A plain Streamable HTTP server for revisions 2025-03-26 to 2026-07-28, right in every requirement the suite checks.
 * With a defect it breaks one rule and keeps the others, so that the check of that rule can be seen to fail.
 */
export interface ReferenceServer {
  readonly url: string
  /** Ends sessions and sockets. */
  close(): Promise<void>
}

export type ReferenceOptions = Partial<Omit<Settings, 'defects'>> & { readonly defects?: ReadonlySet<Defect> }

const defaults: Settings = {
  defects: new Set(),
  upgradeAfterMs: 100,
  sessionIdleMs: 1_800_000,
  keepAliveMs: 15_000,
  retryMs: 500,
  maxBodyBytes: 4_194_304,
  maxSessions: 10_000,
  receiveTimeoutMs: 10_000,
  maxLogBytes: 2_097_152,
  stateless: false,
  modernOnly: false,
  http2: false,
  publicPorts: new Set(),
  auth: false,
}

/** Starts one on a free port of 127.0.0.1. */
export async function startReferenceServer(options: ReferenceOptions = {}): Promise<ReferenceServer> {
  const settings: Settings = { ...defaults, ...options }
  const endpoint = new Endpoint(settings)
  const serve = (request: IncomingMessage, response: ServerResponse): void => void endpoint.serve(request, response)
  const { receiveTimeoutMs } = settings
  const server = createServer(
    { headersTimeout: receiveTimeoutMs, requestTimeout: receiveTimeoutMs, connectionsCheckingInterval: 500 },
    serve,
  )
  if (settings.defects.has('body-after-continue-is-lost')) {
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      response.writeContinue()
      request.once('data', () => response.writeHead(400).end())
    })
  }
  if (settings.defects.has('modern-white-space-counts')) watchWhiteSpace(server)
  if (settings.defects.has('slow-head-is-500')) server.on('clientError', answerLateHeads)
  const isOpen = settings.defects.has('listens-on-every-interface')
  const port = await listen(server, isOpen ? undefined : '127.0.0.1')
  if (!settings.http2) return { url: `http://127.0.0.1:${port}/mcp`, close: () => close(server, endpoint) }
  const front = createFront(server, settings)
  const sockets = new Set<Socket>()
  front.on('connection', (socket) => sockets.add(socket))
  return {
    url: `http://127.0.0.1:${await listen(front, '127.0.0.1')}/mcp`,
    async close() {
      front.close()
      for (const socket of sockets) socket.destroy()
      await close(server, endpoint)
    },
  }
}

async function listen(server: NetServer, host: string | undefined): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return (server.address() as AddressInfo).port
}

/** Only what took too long is answered wrongly. */
function answerLateHeads({ code }: NodeJS.ErrnoException, socket: Duplex): void {
  const statuses: Readonly<Record<string, string>> = {
    ERR_HTTP_REQUEST_TIMEOUT: '500 Internal Server Error',
    HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  }
  if (socket.writable) socket.end(`HTTP/1.1 ${statuses[code ?? ''] ?? '400 Bad Request'}\r\nConnection: close\r\n\r\n`)
}

async function close(server: Server, endpoint: Endpoint): Promise<void> {
  endpoint.close()
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeAllConnections()
  await closed
}
