import type { SessionChanges, SessionRecord } from '../backplane/backplane.ts'
import { Rejection } from '../http/errors.ts'
import type { JsonRpcNotification, JsonRpcRequest } from '../rpc/json-rpc.ts'

/** Subscriptions that are remembered for a server object built anew; the oldest are forgotten first. */
const maxSubscriptions = 1_000

/** Characters of one URI, and of all that are remembered. */
const maxUri = 8_192
const maxUris = 262_144

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
  if (uri.length > maxUri && isSubscription(method)) {
    throw new Rejection('invalid_params', { message: `Invalid params: expected a uri of at most ${maxUri} characters` })
  }
  const others = (): string[] => session.record.subscriptions.filter((subscribed) => subscribed !== uri)
  if (method === 'resources/subscribe') return () => ({ subscriptions: withinBounds([...others(), uri]) })
  if (method === 'resources/unsubscribe') return () => ({ subscriptions: others() })
  return undefined
}

/** All that may have changed of a record. */
export function changesOf({ initialized, logLevel, subscriptions }: SessionRecord): SessionChanges {
  return { initialized, logLevel, subscriptions }
}

function toInitialized(): SessionChanges {
  return { initialized: true }
}

function isSubscription(method: string): boolean {
  return method === 'resources/subscribe' || method === 'resources/unsubscribe'
}

function withinBounds(uris: readonly string[]): readonly string[] {
  let total = 0
  let from = uris.length
  while (from > 0 && uris.length - from < maxSubscriptions) {
    total += (uris[from - 1] as string).length
    if (total > maxUris) break
    from--
  }
  return uris.slice(from)
}
