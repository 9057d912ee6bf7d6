import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Defect } from './doubles.ts'
import { Endpoint } from './endpoint.ts'
import type { Settings } from './wire.ts'

/**
 * A plain Streamable HTTP server for revisions 2025-03-26 to 2025-11-25, right in every requirement the suite checks.
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
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/mcp`, close: () => close(server, endpoint) }
}

async function close(server: Server, endpoint: Endpoint): Promise<void> {
  endpoint.close()
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeAllConnections()
  await closed
}
