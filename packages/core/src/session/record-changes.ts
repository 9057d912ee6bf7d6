import type { SessionChanges, SessionRecord } from '../backplane/backplane.ts'
import type { JsonRpcNotification, JsonRpcRequest } from '../rpc/json-rpc.ts'

/** Subscriptions that are remembered for a server object built anew; the oldest are forgotten first. */
const maxSubscriptions = 1_000

/** Notices what another node must know, beside the handshake, to build the server object anew. */
export function createObserver(
  session: { readonly record: SessionRecord },
  change: (changes: SessionChanges) => void,
): (message: JsonRpcRequest | JsonRpcNotification) => (() => void) | undefined {
  return (message) => {
    const changes = changeOf(message, session)
    return changes && (() => change(changes()))
  }
}

function changeOf(
  { method, params }: JsonRpcRequest | JsonRpcNotification,
  session: { readonly record: SessionRecord },
): (() => SessionChanges) | undefined {
  if (method === 'notifications/initialized') return session.record.initialized ? undefined : toInitialized
  const uri = params?.uri
  if (method === 'logging/setLevel' && typeof params?.level === 'string') {
    const logLevel = params.level
    return () => ({ logLevel })
  }
  if (typeof uri !== 'string') return undefined
  const others = (): string[] => session.record.subscriptions.filter((subscribed) => subscribed !== uri)
  if (method === 'resources/subscribe') return () => ({ subscriptions: [...others(), uri].slice(-maxSubscriptions) })
  if (method === 'resources/unsubscribe') return () => ({ subscriptions: others() })
  return undefined
}

function toInitialized(): SessionChanges {
  return { initialized: true }
}
