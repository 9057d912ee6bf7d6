import type { ClientPort, Send, Subscriber, SubscriberEvents } from './redis-client.ts'

type Listener = (message: string, channel: string) => void

/** What is used of a client of `redis`. */
interface NodeRedis {
  readonly isOpen: boolean
  /** Missing in a Cluster of some versions. */
  readonly isReady?: boolean
  connect(): Promise<unknown>
  destroy(): unknown
  duplicate(): NodeRedis
  subscribe(channel: string, listener: Listener): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  on(event: string, listener: (...args: never[]) => void): unknown
  /** Not of a Cluster or Sentinel. */
  unref?(): void
}

interface SingleClient extends NodeRedis {
  sendCommand(args: readonly string[], options: object): Promise<unknown>
}

interface SentinelClient extends NodeRedis {
  sendCommand(isReadonly: boolean, args: readonly string[], options: object): Promise<unknown>
  acquire(): unknown
}

interface ClusterClient extends NodeRedis {
  readonly masters: readonly unknown[]
  sendCommand(key: string | undefined, isReadonly: boolean, args: readonly string[], options: object): Promise<unknown>
  nodeClient(node: unknown): Promise<SingleClient>
}

type AnyClient = SingleClient | SentinelClient | ClusterClient

export function isNodeRedis(client: unknown): client is AnyClient {
  const { subscribe, duplicate } = (client ?? {}) as Partial<NodeRedis>
  return (
    'sendCommand' in ((client ?? {}) as object) && typeof subscribe === 'function' && typeof duplicate === 'function'
  )
}

/** Replies as text, whatever the client is set to. What is not sent by then is not sent any more. */
const options = { typeMapping: {}, timeout: 1_500 }

export function fromNodeRedis(client: AnyClient): ClientPort {
  return {
    // Its `keyPrefix` is for keys of its own methods.
    prefix: '',
    status: () => (client.isOpen ? (client.isReady === false ? 'connecting' : 'ready') : 'closed'),
    send(key, args) {
      if ('nodeClient' in client) return client.sendCommand(key, false, args, options)
      if ('acquire' in client) return client.sendCommand(false, args, options)
      return client.sendCommand(args, options)
    },
    async servers() {
      if (!('nodeClient' in client)) return [(args) => this.send(undefined, args)]
      const nodes = await Promise.all(client.masters.map((node) => client.nodeClient(node)))
      return nodes.map(
        (node): Send =>
          (args) =>
            node.sendCommand(args, options),
      )
    },
    openSubscriber: (events) => openSubscriber(client, events),
  }
}

function openSubscriber(client: AnyClient, events: SubscriberEvents): Subscriber {
  let isEnded = false
  let opened: NodeRedis | undefined
  const end = (): void => {
    isEnded = true
    try {
      // A Sentinel's gives a promise.
      Promise.resolve(opened?.destroy()).catch(() => undefined)
    } catch {
      // It was not connected yet.
    }
  }
  const open = async (): Promise<NodeRedis> => {
    const subscriber = (await findNode(client)).duplicate()
    opened = subscriber
    watch(subscriber, events)
    if (!isEnded) await subscriber.connect()
    if (isEnded) end()
    subscriber.unref?.()
    return subscriber
  }
  const opening = open()
  opening.catch(() => events.lost())
  const hear: Listener = (message, channel) => events.message(channel, message)
  return {
    subscribe: async (channel) => (await opening).subscribe(channel, hear),
    unsubscribe: async (channel) => (await opening).unsubscribe(channel),
    end,
  }
}

/** In a Cluster one node tells the messages of all. */
async function findNode(client: AnyClient): Promise<NodeRedis> {
  if (!('nodeClient' in client)) return client
  return await client.nodeClient(client.masters[Math.floor(Math.random() * client.masters.length)])
}

function watch(subscriber: NodeRedis, events: SubscriberEvents): void {
  let isFirst = true
  // Without a listener it would end the process. The client itself tells its owner of errors.
  subscriber.on('error', () => undefined)
  subscriber.on('ready', () => {
    // By then it has subscribed anew.
    if (isFirst) isFirst = false
    else events.back()
  })
  subscriber.on('end', () => events.lost())
  // Of a Sentinel, which follows its master by itself.
  subscriber.on('topology-change', () => events.back())
}
