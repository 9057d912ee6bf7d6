import { anyOf, type ClientPort, type Send, type Subscriber, type SubscriberEvents } from './redis-client.ts'

/** What is used of a client of `redis`. */
interface NodeRedis {
  readonly isOpen: boolean
  readonly isReady?: boolean
  readonly options?: { readonly database?: number }
  sendCommand(...parameters: unknown[]): Promise<unknown>
  connect(): Promise<unknown>
  destroy(): unknown
  duplicate(): NodeRedis
  subscribe(channel: string, listener: (message: string, channel: string) => void): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  on(event: string, listener: (...args: never[]) => void): unknown
  unref?(): void
  /** Of a Cluster. */
  readonly masters?: readonly unknown[]
  nodeClient?(node: unknown): Promise<NodeRedis>
  /** Of a Sentinel. */
  acquire?(): unknown
}

export function isNodeRedis(client: unknown): client is NodeRedis {
  const { sendCommand, duplicate } = (client ?? {}) as Partial<NodeRedis>
  return typeof sendCommand === 'function' && typeof duplicate === 'function'
}

/** Replies are text, whatever the client is set to. What is not sent by then is not sent any more. */
const options = { typeMapping: {}, timeout: 1_500 }

export function fromNodeRedis(client: NodeRedis): ClientPort {
  const send: ClientPort['send'] = (key, args) => {
    if (client.nodeClient) return client.sendCommand(key, false, args, options)
    if (client.acquire) return client.sendCommand(false, args, options)
    return client.sendCommand(args, options)
  }
  return {
    // Its `keyPrefix` is for keys of its own methods.
    prefix: '',
    database: client.options?.database ?? 0,
    status() {
      if (!client.isOpen) return 'closed'
      return client.isReady === false ? 'connecting' : 'ready'
    },
    send,
    async servers() {
      if (!client.nodeClient) return [(args) => send(undefined, args)]
      const nodes = await Promise.all((client.masters ?? []).map((node) => client.nodeClient?.(node)))
      return nodes.map(
        (node): Send =>
          async (args) =>
            await node?.sendCommand(args, options),
      )
    },
    openSubscriber: (events) => openSubscriber(client, events),
  }
}

function openSubscriber(client: NodeRedis, events: SubscriberEvents): Subscriber {
  let subscriber: NodeRedis | undefined
  const open = async (): Promise<NodeRedis> => {
    const node = await client.nodeClient?.(anyOf(client.masters ?? []))
    subscriber = (node ?? client).duplicate()
    watch(subscriber, events)
    await subscriber.connect()
    subscriber.unref?.()
    return subscriber
  }
  const opening = open()
  opening.catch(events.lost)
  return {
    async subscribe(channel) {
      await (await opening).subscribe(channel, (message) => events.message(channel, message))
    },
    unsubscribe: async (channel) => (await opening).unsubscribe(channel),
    end() {
      // One that is still connecting gives up.
      for (const each of [Promise.resolve(subscriber), opening]) {
        each.then((connected) => connected?.destroy()).catch(() => undefined)
      }
    },
  }
}

function watch(subscriber: NodeRedis, events: SubscriberEvents): void {
  let isFirst = true
  // Without a listener it would end the process. The client tells its owner of errors.
  subscriber.on('error', () => undefined)
  subscriber.on('end', events.lost)
  subscriber.on('ready', () => {
    // By now it has subscribed anew.
    if (!isFirst) events.back()
    isFirst = false
  })
  // Of a Sentinel, which follows its master by itself.
  subscriber.on('topology-change', events.back)
}
