import type { SessionRecord } from '../backplane/backplane.ts'
import type { JsonRpcNotification, JsonRpcRequest } from '../rpc/json-rpc.ts'
import type { AuthInfo, SessionContext } from '../rpc/server.ts'

type Params = Readonly<Record<string, unknown>>

/** The record of something that is stored nowhere. */
export function toStatelessRecord(protocolVersion: string): SessionRecord {
  return {
    key: crypto.randomUUID(),
    principal: null,
    protocolVersion,
    initializeParams: {},
    serverCapabilities: {},
    createdAt: Date.now(),
    term: 1,
    owner: '',
    initialized: false,
    logLevel: null,
    subscriptions: [],
  }
}

export function toContext(
  sessionId: string | undefined,
  { protocolVersion, clientInfo, capabilities }: Params,
  auth: AuthInfo | undefined,
  resumed: boolean,
): SessionContext {
  return {
    sessionId,
    requestedProtocolVersion: typeof protocolVersion === 'string' ? protocolVersion : undefined,
    clientInfo: clientInfo as SessionContext['clientInfo'],
    clientCapabilities: capabilities as SessionContext['clientCapabilities'],
    auth,
    resumed,
  }
}

/** What a fresh server object must have heard to be where the old one was. */
export function toHandshake(record: SessionRecord): (JsonRpcRequest | JsonRpcNotification)[] {
  const { initializeParams, initialized, logLevel, subscriptions } = record
  const messages: (JsonRpcRequest | JsonRpcNotification)[] = [toRequest('initialize', initializeParams)]
  if (initialized) messages.push({ jsonrpc: '2.0', method: 'notifications/initialized' })
  if (logLevel !== null) messages.push(toRequest('logging/setLevel', { level: logLevel }))
  return [...messages, ...subscriptions.map((uri) => toRequest('resources/subscribe', { uri }))]
}

function toRequest(method: string, params: Params): JsonRpcRequest {
  return { jsonrpc: '2.0', id: method, method, params }
}
