import { type AddressInfo, connect as connectPlain, createServer, isIP, type Server, type Socket } from 'node:net'
import { connect as connectSecure } from 'node:tls'

/** A TCP proxy on loopback that cuts what goes through it, as networks do. TLS begins behind it. */
export class CuttingProxy {
  readonly #server: Server
  /** Connections of clients. Each takes the one behind it along. */
  readonly #connections = new Set<Socket>()
  readonly #target: URL

  private constructor(target: URL) {
    this.#target = target
    this.#server = createServer((fromClient) => this.#relay(fromClient))
  }

  /** Starts one in front of `target`, on a free port. */
  static async open(target: URL): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(target)
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject).listen(0, '127.0.0.1', resolve)
    })
    return proxy
  }

  /** The target's URL, by way of the proxy. The target must get its own Host all the same. */
  get url(): URL {
    const { port } = this.#server.address() as AddressInfo
    return new URL(`http://127.0.0.1:${port}${this.#target.pathname}${this.#target.search}`)
  }

  /** Resets every open connection. */
  cut(): void {
    for (const socket of this.#connections) {
      // One that is being ended cannot be reset any more: its handle would stay open for ever.
      if (socket.writableEnded) socket.destroy()
      else socket.resetAndDestroy()
    }
  }

  close(): void {
    this.#server.close()
    this.cut()
  }

  #relay(fromClient: Socket): void {
    const toServer = connectTo(this.#target)
    this.#connections.add(fromClient)
    // Cuts are what it is for, and 'close' follows every error.
    fromClient
      .on('error', () => undefined)
      .on('close', () => {
        this.#connections.delete(fromClient)
        toServer.destroy()
      })
    toServer
      .on('error', () => undefined)
      .on('close', (hadError) => {
        // After a clean end the pipe ends the client's side, once everything was written.
        if (hadError) fromClient.destroy()
      })
    fromClient.pipe(toServer).pipe(fromClient)
  }
}

function connectTo(target: URL): Socket {
  const isSecure = target.protocol === 'https:'
  const host = target.hostname.replace(/^\[|\]$/g, '')
  const port = Number(target.port || (isSecure ? 443 : 80))
  if (!isSecure) return connectPlain({ host, port })
  // RFC 6066 §3: an address is no server name.
  return connectSecure(isIP(host) === 0 ? { host, port, servername: host } : { host, port })
}
