import type { EventKind } from '../backplane/backplane.ts'
import type { JsonRpcNotification, JsonRpcRequest } from '../rpc/json-rpc.ts'
import type { Call } from './call.ts'

const progress = 'notifications/progress'

/** How dear a message is when the log's budget runs out. */
export function kindOf(method: string): EventKind {
  return method === progress ? 'progress' : 'notification'
}

/** What progress of this request has to name; `undefined` where the client wants none. */
export function progressTokenOf({ params }: JsonRpcRequest): unknown {
  return (params?._meta as { progressToken?: unknown } | undefined)?.progressToken
}

/**
 * The call that runs and whose token this progress names. Frameworks leave out which call they report of, and the token
 * says it. `undefined` for anything else, where the client cannot be sent it, and where several calls have that token.
 */
export function callOfProgress({ method, params }: JsonRpcNotification, running: Iterable<Call>): Call | undefined {
  const token = params?.progressToken
  if (method !== progress || token === undefined) return undefined
  const calls = [...running].filter(({ progressToken, exchange }) => progressToken === token && exchange)
  const [only] = calls
  return only?.exchange?.canCarry && calls.length === 1 ? only : undefined
}
