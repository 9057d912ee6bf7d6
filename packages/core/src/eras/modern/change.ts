import type { JsonRpcNotification } from '../../rpc/json-rpc.ts'
import type { Filter } from './subscription.ts'

/** Something that subscriptions hear of. */
export interface Change {
  /** Changes with the same key are one to who has heard of none. */
  readonly key: string
  /** The member of the filter that asks for it; of a resource that was updated, its URI. */
  readonly list: keyof Filter | undefined
  readonly uri: string | undefined
  /** The notification as JSON, around the id of a subscription. */
  readonly head: string
  readonly tail: string
}

const lists: Readonly<Record<string, keyof Filter>> = {
  'notifications/tools/list_changed': 'toolsListChanged',
  'notifications/prompts/list_changed': 'promptsListChanged',
  'notifications/resources/list_changed': 'resourcesListChanged',
}

const subscriptionKey = 'io.modelcontextprotocol/subscriptionId'

/** `undefined`: a notification that no subscription can ask for. */
export function toChange({ method, params }: JsonRpcNotification): Change | undefined {
  const list = Object.hasOwn(lists, method) ? lists[method] : undefined
  const uri = method === 'notifications/resources/updated' ? params?.uri : undefined
  if (typeof uri !== 'string' && !list) return undefined
  const { _meta, ...others } = params ?? {}
  const { [subscriptionKey]: _id, ...meta } = (_meta ?? {}) as Record<string, unknown>
  const known = `${membersOf(others)}"_meta":{${membersOf(meta)}${JSON.stringify(subscriptionKey)}:`
  return {
    key: list ? method : `${method} ${uri}`,
    list,
    uri: list ? undefined : (uri as string),
    head: `{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":{${known}`,
    tail: '}}}',
  }
}

/** All that who listens with such a filter can hear of. */
export function changesOf(filter: Filter): Change[] {
  const methods = Object.entries(lists).flatMap(([method, list]) => (filter[list] === true ? [{ method }] : []))
  const method = 'notifications/resources/updated'
  const updates = (filter.resourceSubscriptions ?? []).map((uri) => ({ method, params: { uri } }))
  return [...methods, ...updates].flatMap((notification) => toChange({ jsonrpc: '2.0', ...notification }) ?? [])
}

/** The members of an object as JSON, each with a comma after it. */
function membersOf(value: object): string {
  const inner = JSON.stringify(value).slice(1, -1)
  return inner === '' ? '' : `${inner},`
}
