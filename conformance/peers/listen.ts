import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server to be compared, listening. */
export interface RunningPeer {
  readonly url: string
  close(): Promise<void>
}

/** Listens on a free port of 127.0.0.1; the endpoint is at `/mcp`. */
export async function listen(server: Server): Promise<RunningPeer> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
