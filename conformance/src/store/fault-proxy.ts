import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { StoreFaults } from './store-under-test.ts'

export interface FaultProxyOptions {
  /** @default '127.0.0.1' */
  readonly host?: string
  /** Of the database. */
  readonly port: number
}

/** Stands between the client of a store and its database, and breaks what goes through. */
export interface FaultProxy {
  /** Where the store connects, on 127.0.0.1. */
  readonly port: number
  readonly faults: Required<StoreFaults>
  close(): Promise<void>
}

/** A TCP proxy that can be cut off, and can lose the reply to a command. It knows no protocol: not for TLS that names a host. */
export async function openFaultProxy({ host = '127.0.0.1', port }: FaultProxyOptions): Promise<FaultProxy> {
  const pairs = new Set<Pair>()
  const state = { isCut: false, losesReply: false }
  const server = createServer((client) => {
    // Without a listener its error would end the process.
    client.on('error', () => undefined)
    if (state.isCut) client.destroy()
    else pairs.add(new Pair(client, connect({ host, port }), { state, onEnd: (pair) => pairs.delete(pair) }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cutAll = () => {
    for (const pair of [...pairs]) pair.cut()
  }
  return {
    port: (server.address() as AddressInfo).port,
    faults: {
      disconnect() {
        state.isCut = true
        cutAll()
      },
      reconnect() {
        state.isCut = false
      },
      loseNextReply() {
        state.losesReply = true
      },
    },
    async close() {
      cutAll()
      await end(server)
    },
  }
}

interface PairOptions {
  readonly state: { losesReply: boolean }
  readonly onEnd: (pair: Pair) => void
}

/** A connection of the client, and the one to the database that carries on what it says. */
class Pair {
  readonly #client: Socket
  readonly #database: Socket
  readonly #options: PairOptions
  /** The client has been answered before: what it says now is a command, not how the connection begins. */
  #isEstablished = false
  #losesReply = false

  constructor(client: Socket, database: Socket, options: PairOptions) {
    this.#client = client
    this.#database = database
    this.#options = options
    client.on('data', (bytes) => this.#command(bytes))
    database.on('data', (bytes) => this.#reply(bytes))
    for (const socket of [client, database]) {
      socket.on('error', () => this.cut())
      socket.on('close', () => this.cut())
    }
  }

  cut(): void {
    this.#client.destroy()
    this.#database.destroy()
    this.#options.onEnd(this)
  }

  #command(bytes: Buffer): void {
    const { state } = this.#options
    if (state.losesReply && this.#isEstablished) {
      state.losesReply = false
      this.#losesReply = true
    }
    this.#database.write(bytes)
  }

  #reply(bytes: Buffer): void {
    this.#isEstablished = true
    if (this.#losesReply) this.cut()
    else this.#client.write(bytes)
  }
}

async function end(server: Server): Promise<void> {
  server.close()
  await once(server, 'close')
}
