import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A TCP proxy on loopback. It can cut what is open, as a network would, and keep back what comes next. */
export interface GatedProxy {
  /** The given URL, by way of the proxy. */
  readonly url: string
  /** Resets every open connection. Returns how many there were. */
  cut(): number
  /** New connections are accepted and get nowhere, until `release`. */
  hold(): void
  release(): void
  close(): Promise<void>
}

export async function openGatedProxy(target: string): Promise<GatedProxy> {
  const { port: targetPort, pathname } = new URL(target)
  const sockets = new Set<Socket>()
  let held: Socket[] | undefined

  const track = (socket: Socket) => {
    sockets.add(socket)
    // A cut is what this proxy is for; 'close' follows every error.
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
  }
  const relay = (fromClient: Socket) => {
    const toServer = connect(Number(targetPort), '127.0.0.1')
    track(toServer)
    fromClient.on('close', () => toServer.destroy())
    toServer.on('close', () => fromClient.destroy())
    fromClient.pipe(toServer).pipe(fromClient)
  }
  const server = createServer((fromClient) => {
    track(fromClient)
    if (held) held.push(fromClient)
    else relay(fromClient)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve)
  })

  const cut = () => {
    const connections = sockets.size
    for (const socket of sockets) socket.resetAndDestroy()
    return connections
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    cut,
    hold() {
      held ??= []
    },
    release() {
      const waiting = held ?? []
      held = undefined
      for (const socket of waiting) if (!socket.destroyed) relay(socket)
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        cut()
      }),
  }
}
