import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Listening {
  readonly server: Server
  readonly port: number
  /** Without a path. */
  readonly origin: string
}

/** Serves on a free port of loopback until the test is over. */
export async function listen(served: RequestListener | Server, hostname = '127.0.0.1'): Promise<Listening> {
  const server = typeof served === 'function' ? createHttpServer(served) : served
  const port = await listenOn(server, hostname)
  onTestFinished(() => {
    if ('closeAllConnections' in server) (server as ReturnType<typeof createHttpServer>).closeAllConnections()
    server.close()
  })
  return { server, port, origin: `http://127.0.0.1:${port}` }
}

async function listenOn(server: Server, hostname: string): Promise<number> {
  server.listen(0, hostname)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
