import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'

const spaced = new WeakSet<Socket>()

/** The parser of Node drops white space around values, as it must. Only a double looks at the bytes itself. */
export function watchWhiteSpace(server: Server): void {
  server.on('connection', (socket: Socket) => {
    socket.prependListener('data', (chunk: Buffer) => {
      if (/^mcp-(method|name):(?: ?[^\S\r\n]{2}| ?\t)/im.test(chunk.toString('latin1'))) spaced.add(socket)
    })
  })
}

export function hasWhiteSpace({ socket }: IncomingMessage): boolean {
  return spaced.has(socket)
}
