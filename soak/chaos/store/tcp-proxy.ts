import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Stands before the store, so that it can move to another port. */
export class TcpProxy {
  readonly port: number
  readonly #sockets = new Set<Socket>()
  #target: number | undefined

  private constructor(server: Server, target: number) {
    this.#target = target
    this.port = (server.address() as AddressInfo).port
    server.on('connection', (socket) => this.#connect(socket))
  }

  static async start(target: number): Promise<TcpProxy> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new TcpProxy(server, target)
  }

  /** From now on connections go there; `undefined`: nowhere. Those that are open break. */
  pointTo(target: number | undefined): void {
    this.#target = target
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  #connect(near: Socket): void {
    if (this.#target === undefined) return void near.resetAndDestroy()
    const far = connect(this.#target, '127.0.0.1')
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.setNoDelay(true)
      this.#sockets.add(socket)
      // Both ends are told by `close`.
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  }
}
