import type { SessionRecord } from '../backplane/backplane.ts'
import type { HttpRequest } from '../http/http.ts'
import { toFailure } from '../http/reply.ts'
import { within } from '../promises/deadline.ts'
import type { JsonRpcNotification, JsonRpcRequest, JsonRpcResponse } from '../rpc/json-rpc.ts'
import type { LiveSession } from './live-session.ts'

/** Puts a message of the handshake to the server object. Rejects when it does not answer in time. */
export function askServer(
  session: LiveSession,
  message: JsonRpcRequest,
  timeoutMs: number,
  request?: HttpRequest,
): Promise<JsonRpcResponse> {
  const answer = session.calls.request(message, request)
  return within(timeoutMs, answer, `the server object to answer ${message.method}`).catch((error: unknown) => {
    throw toFailure('server', error)
  })
}

/** The messages that bring a fresh server object to where the old one was. */
export function toHandshake(record: SessionRecord): (JsonRpcRequest | JsonRpcNotification)[] {
  const { initializeParams, initialized, logLevel, subscriptions } = record
  const messages: (JsonRpcRequest | JsonRpcNotification)[] = [toRequest('initialize', initializeParams)]
  if (initialized) messages.push({ jsonrpc: '2.0', method: 'notifications/initialized' })
  if (logLevel !== null) messages.push(toRequest('logging/setLevel', { level: logLevel }))
  return [...messages, ...subscriptions.map((uri) => toRequest('resources/subscribe', { uri }))]
}

function toRequest(method: string, params: Readonly<Record<string, unknown>>): JsonRpcRequest {
  return { jsonrpc: '2.0', id: method, method, params }
}
