import type { ServerResponse } from 'node:http'
import type { NodeResponse } from './node-handler.ts'

/** Calls `listener` once when the response is complete or its connection is gone; at once when that is past. */
export function onClose(to: NodeResponse, listener: () => void): void {
  // The compatibility API of HTTP/2 is the same for all that is used here.
  const response = to as ServerResponse
  const { socket } = response.req
  if (response.closed || response.destroyed || socket?.destroyed) {
    listener()
  } else if (response.socket) {
    response.on('close', listener)
  } else {
    // A pipelined request's response waits for those before it, and Node does not tell it when they fail.
    socket.once('close', listener)
    response.once('close', () => {
      socket.off('close', listener)
      listener()
    })
  }
}
