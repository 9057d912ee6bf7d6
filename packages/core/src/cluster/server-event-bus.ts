import type { MessageBus } from '../backplane/backplane.ts'
import { type ErrorSource, toReport } from '../http/error-source.ts'
import { withMethods } from '../option-checks.ts'
import type { JsonRpcNotification } from '../rpc/json-rpc.ts'
import { NodeMessages, toNotification } from './node-messages.ts'

/** A change, in the words of SDK 2.x (`ServerEvent`). */
export type ServerEvent = (
  | { kind: 'tools_list_changed' | 'prompts_list_changed' | 'resources_list_changed' }
  | { kind: 'resource_updated'; uri: string }
) & { params?: Record<string, unknown> }

/** The option `bus` of `createMcpHandler` of SDK 2.x, and of what is built on it. */
export interface ServerEventBus {
  publish(event: ServerEvent): void
  /** Returns what ends the subscription. */
  subscribe(listener: (event: ServerEvent) => void): () => void
}

export interface ServerEventBusOptions {
  /** Receives errors of the message bus and of listeners. By default they go to `console.error`. Must not throw. */
  readonly onError?: (error: unknown, where: ErrorSource) => void
}

const methods = {
  tools_list_changed: 'notifications/tools/list_changed',
  prompts_list_changed: 'notifications/prompts/list_changed',
  resources_list_changed: 'notifications/resources/list_changed',
  resource_updated: 'notifications/resources/updated',
} as const

const lists = ['tools_list_changed', 'prompts_list_changed', 'resources_list_changed'] as const

/**
 * A bus between several processes for servers on the SDK's own `createMcpHandler`, mcp-handler, Mastra or xmcp, which
 * bring none. It hears what `notify` of an endpoint on the same message bus tells, and is heard by its clients. After the
 * message bus was away it tells that all lists may have changed; updates of single resources that it missed stay untold.
 *
 * @example
 * ```ts
 * const handler = createMcpHandler(() => buildServer(), { bus: createServerEventBus(redisBackplane(client).bus) })
 * ```
 */
export function createServerEventBus(bus: MessageBus, { onError }: ServerEventBusOptions = {}): ServerEventBus {
  const report = toReport(onError, 'onError')
  const fail = (error: unknown): void => report(error, 'message-bus')
  withMethods<MessageBus>('publish', 'subscribe')(bus, 'the message bus')
  const listeners = new Set<(event: ServerEvent) => void>()
  let nodes: NodeMessages | undefined

  const tell = (event: ServerEvent): void => {
    for (const listener of [...listeners]) {
      try {
        listener(event)
      } catch (error) {
        fail(error)
      }
    }
  }
  // Which resources are waited for is not known here.
  const missed = (): void => {
    for (const kind of lists) tell({ kind })
  }
  // Nothing is subscribed to before somebody publishes or listens: module scope may not.
  const connect = (): NodeMessages => {
    nodes ??= new NodeMessages(
      bus,
      { notify: (message, to) => toEvents(message, to).forEach(tell), sessionEnded: nothing, missed },
      fail,
    )
    return nodes
  }

  return {
    publish({ kind, params, ...event }) {
      const given = 'uri' in event ? { ...params, uri: event.uri } : params
      connect()
        .publish({ type: 'notify', notification: toNotification(methods[kind], given) })
        .catch(fail)
    },
    subscribe(listener) {
      // Each subscription counts by itself, also of one function.
      const own = (event: ServerEvent): void => listener(event)
      listeners.add(own)
      connect()
      return () => void listeners.delete(own)
    },
  }
}

/** There are no sessions here. */
function nothing(): void {
  return
}

/** One event, or none for what subscriptions cannot ask for, or what is for one session. */
function toEvents({ method, params }: JsonRpcNotification, to: string | undefined): ServerEvent[] {
  if (to !== undefined) return []
  const kind = (Object.keys(methods) as (keyof typeof methods)[]).find((name) => methods[name] === method)
  if (kind === undefined) return []
  if (kind !== 'resource_updated') return [params ? { kind, params } : { kind }]
  return typeof params?.uri === 'string' ? [{ kind, uri: params.uri, params }] : []
}
