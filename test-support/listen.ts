import { once } from 'node:events'
import { createServer, type Server as HttpServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Listening {
  readonly server: HttpServer
  readonly port: number
  /** Without a path. */
  readonly origin: string
}

/** Serves on a free port of loopback until the test is over. */
export async function listen(listener: RequestListener | HttpServer, hostname = '127.0.0.1'): Promise<Listening> {
  const server = typeof listener === 'function' ? createServer(listener) : listener
  server.listen(0, hostname)
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { server, port, origin: `http://127.0.0.1:${port}` }
}

/** A port of loopback on which nothing listens: for a program of its own, or to be refused. */
export async function findFreePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
