import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** What stands between the suite and a server. */
export interface RunningProxy {
  /** The server's URL, by way of the proxy. */
  readonly url: string
  close(): void
}

/** A way on which every byte takes `delayMs`, in both directions, as on a server on another continent. */
export async function startDelayingProxy(target: string, delayMs: number): Promise<RunningProxy> {
  const { hostname: host, port, pathname } = new URL(target)
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (fromClient) => {
    const toServer = connect({ host, port: Number(port), allowHalfOpen: true })
    for (const socket of [fromClient, toServer]) {
      sockets.add(socket)
      socket.setNoDelay(true).once('close', () => sockets.delete(socket))
    }
    pass(fromClient, toServer, delayMs)
    pass(toServer, fromClient, delayMs)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Bytes, the end and a reset alike, in their order: each is on its way for as long, however many are. */
function pass(from: Socket, to: Socket, delayMs: number): void {
  let last = Promise.resolve()
  const later = (act: () => void): void => {
    const arrival = sleep(delayMs)
    last = last.then(() => arrival).then(act)
  }
  from.on('data', (chunk) => later(() => void to.write(chunk)))
  from.on('end', () => later(() => to.end()))
  // 'close' follows, and takes the other side along.
  from.on('error', () => undefined)
  from.on('close', (hadError) => later(() => (hadError ? to.resetAndDestroy() : to.destroySoon())))
}
