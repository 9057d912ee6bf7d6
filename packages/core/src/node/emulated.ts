import type { ServerResponse } from 'node:http'
import type { NodeResponse } from './node-handler.ts'
import type { ConnectRequest } from './node-request.ts'

/**
 * Serverless adapters and test helpers emulate Node's objects, more or less of them: without a socket, or with one that
 * has no methods. This is needed in any case.
 */
const needed = {
  request: ['headers', 'on'],
  response: ['writeHead', 'write', 'end', 'on', 'once'],
} as const

/** Whether a socket leads to a network. `undefined`: there is none. */
export function isNetwork(socket: { readonly writableLength?: number } | null | undefined): boolean {
  return typeof socket?.writableLength === 'number'
}

/** Breaks a response off. One that is emulated has no network to leave, and may lack what Node's own goes by. */
export function destroy(response: ServerResponse): void {
  try {
    response.destroy()
  } catch (error) {
    if (isNetwork(response.req?.socket)) throw error
  }
}

/**
 * Costs nothing where there is a network.
 * @throws TypeError that names what an emulated request or response lacks.
 */
export function checkEmulated(request: ConnectRequest, response: NodeResponse): void {
  if (isNetwork(request?.socket)) return
  const missing = [
    ...needed.request.filter((name) => !request?.[name]).map((name) => `request.${name}`),
    ...needed.response.filter((name) => !response?.[name]).map((name) => `response.${name}`),
  ]
  if (missing.length === 0) return
  throw new TypeError(`Expected the request and response of node:http, got an emulation without ${missing.join(', ')}`)
}
