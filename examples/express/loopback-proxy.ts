import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A TCP proxy on loopback whose connections can be cut, as a network would cut them. */
export interface LoopbackProxy {
  readonly port: number
  /** Destroys every open socket, without a goodbye. Returns how many connections there were. */
  cut(): number
  close(): Promise<void>
}

export async function openLoopbackProxy(targetPort: number): Promise<LoopbackProxy> {
  const sockets = new Set<Socket>()
  const track = (socket: Socket, other: Socket) => {
    sockets.add(socket)
    socket.on('close', () => {
      sockets.delete(socket)
      other.destroy()
    })
    // A cut is what this proxy is for; 'close' follows every error.
    socket.on('error', () => undefined)
  }
  const server = createServer((fromClient) => {
    const toServer = connect(targetPort, '127.0.0.1')
    track(fromClient, toServer)
    track(toServer, fromClient)
    fromClient.pipe(toServer).pipe(fromClient)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })

  const cut = () => {
    const connections = sockets.size / 2
    for (const socket of sockets) socket.resetAndDestroy()
    return connections
  }
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        cut()
      }),
  }
}
