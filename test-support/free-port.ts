import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

// Nothing of vitest: scripts use it as well.

/** A port of loopback on which nothing listens: for a program of its own, or to be refused. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
