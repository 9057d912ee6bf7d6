import { connect, type NetConnectOpts } from 'node:net'

/** A backend of the server, as it named itself when the connection was made: two words, with or without a sign. */
export interface Backend {
  readonly pid: number
  readonly secret: number
}

const cancelCode = 80_877_102

/**
 * Has the server stop what nobody waits for any more, as libpq does: without TLS, and without an answer. Else statements
 * that wait for a lock would keep their backends, and each that is asked instead another, until there are none for anybody.
 * Does not throw: a server that cannot be reached does not hear it.
 */
export function requestCancel(address: NetConnectOpts, { pid, secret }: Backend): void {
  const packet = Buffer.alloc(16)
  for (const [i, word] of [packet.length, cancelCode, pid, secret].entries()) packet.writeInt32BE(word | 0, 4 * i)
  const socket = connect(address)
  socket.on('error', () => undefined)
  socket.setTimeout(cancelMs, () => socket.destroy())
  socket.unref()
  socket.end(packet)
}

/** Milliseconds. */
const cancelMs = 1_500
