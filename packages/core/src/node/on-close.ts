import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { isNetwork } from './emulated.ts'
import type { NodeResponse } from './node-handler.ts'

/** Calls `listener` when the response is complete or its connection is gone; at once when that is past. */
export function onClose(to: NodeResponse, listener: () => void): void {
  // The compatibility API of HTTP/2 is the same for all that is used here.
  const response = to as ServerResponse
  const socket = response.req?.socket
  if (response.closed || response.destroyed || socket?.destroyed) return listener()
  if (!response.socket && isNetwork(socket)) return queueOn(socket).add(response, listener)
  response.on('close', listener)
  // Where Node's objects are emulated a response is complete, but often not closed.
  if (!isNetwork(socket)) response.on('finish', listener)
}

/** Whether a pipelined request's response waits for those before it. */
export function isQueued(response: ServerResponse): boolean {
  return response.socket === null && !response.closed && isNetwork(response.req?.socket)
}

/** Whether responses of ours wait on the socket for one that is now complete. */
export function isAwaited({ req }: ServerResponse): boolean {
  return queues.has(req?.socket)
}

const queues = new WeakMap<Socket, ResponseQueue>()

function queueOn(socket: Socket): ResponseQueue {
  const queue = queues.get(socket) ?? new ResponseQueue(socket)
  queues.set(socket, queue)
  return queue
}

/**
 * Responses that wait for those before them on one socket. Node does not tell them when it breaks. One listener on the
 * socket serves all of them, however many requests a client sends at once, and is gone when nothing waits.
 */
class ResponseQueue {
  readonly #socket: Socket
  readonly #waiting = new Map<ServerResponse, (() => void)[]>()

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('close', this.#socketClosed)
  }

  add(response: ServerResponse, listener: () => void): void {
    const listeners = this.#waiting.get(response)
    if (listeners) return void listeners.push(listener)
    this.#waiting.set(response, [listener])
    response.once('close', () => this.#settle(response))
  }

  readonly #socketClosed = (): void => {
    for (const response of [...this.#waiting.keys()]) this.#settle(response)
  }

  #settle(response: ServerResponse): void {
    const listeners = this.#waiting.get(response) ?? []
    this.#waiting.delete(response)
    if (this.#waiting.size === 0) {
      queues.delete(this.#socket)
      this.#socket.off('close', this.#socketClosed)
    }
    for (const listener of listeners) listener()
  }
}
