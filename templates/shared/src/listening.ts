import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Address {
  readonly port: number
  readonly host: string
}

export interface Listening {
  readonly port: number
  /** Close the endpoint first. */
  close(): Promise<void>
}

export async function toListening(server: Server): Promise<Listening> {
  if (!server.listening) await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
