import type { JsonRpcRequest } from '../../rpc/json-rpc.ts'
import type { Filter } from './subscription.ts'

/** Most resources that one subscription hears of. The acknowledgement says which it does. */
const maxUris = 1_000

/** What the SDK's entry begins and ends a subscription with. */
export interface Opening {
  readonly filter: Filter
  readonly acknowledgement: string
  readonly completion: string
}

/** The request, without the resources that are too many. */
export function withFewerUris(request: JsonRpcRequest): JsonRpcRequest {
  const { notifications } = request.params ?? {}
  const uris = (notifications as Partial<Filter> | null | undefined)?.resourceSubscriptions
  if (!Array.isArray(uris) || uris.length <= maxUris) return request
  const fewer = { ...(notifications as Filter), resourceSubscriptions: uris.slice(0, maxUris) }
  return { ...request, params: { ...request.params, notifications: fewer } }
}

/** Reads the two events of a subscription that was opened and closed at once. `undefined`: it was refused. */
export async function readOpening(response: Response): Promise<Opening | undefined> {
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return undefined
  const text = await response.text()
  const [acknowledgement = '', completion = ''] = [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data as string)
  const { params } = JSON.parse(acknowledgement) as { params: { notifications: Filter } }
  return { filter: params.notifications, acknowledgement, completion }
}
