import { anyOf, type ClientPort, type Subscriber, type SubscriberEvents } from './redis-client.ts'

/** Between two looks whether the nodes of a Cluster are known, in milliseconds. */
const lookMs = 20

/** What is used of a `Redis` of ioredis or iovalkey. */
interface Ioredis {
  readonly status: string
  readonly options?: {
    readonly keyPrefix?: string | Buffer
    readonly db?: number
    readonly enableAutoPipelining?: boolean
  }
  /** The socket: there, but in no type. */
  readonly stream?: { unref?(): unknown }
  call(command: string, ...args: string[]): Promise<unknown>
  pipeline(commands: (readonly string[])[]): { exec(): Promise<readonly (readonly [Error | null, unknown])[] | null> }
  connect(): Promise<unknown>
  disconnect(): unknown
  duplicate(options: object): Ioredis
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  on(event: string, listener: (...args: never[]) => void): unknown
  /** Of a Cluster. */
  nodes?(role: 'master'): Ioredis[]
}

export function isIoredis(client: unknown): client is Ioredis {
  const { call, duplicate } = (client ?? {}) as Partial<Ioredis>
  return typeof call === 'function' && typeof duplicate === 'function'
}

export function fromIoredis(client: Ioredis): ClientPort {
  return {
    prefix: String(client.options?.keyPrefix ?? ''),
    database: client.options?.db ?? 0,
    status() {
      if (client.status === 'ready') return 'ready'
      // Made with `lazyConnect`.
      if (client.status === 'wait') return 'idle'
      return client.status === 'end' ? 'closed' : 'connecting'
    },
    connect: () => void client.connect().catch(() => undefined),
    send: (_key, args) => (client.nodes && client.options?.enableAutoPipelining ? sendAlone : sendBy)(client, args),
    servers: async () => mastersOf(client).map((node) => (args) => sendBy(node, args)),
    openSubscriber: (events) => openSubscriber(client, events),
  }
}

function sendBy(node: Ioredis, args: readonly string[]): Promise<unknown> {
  return node.call(...(args as [string, ...string[]]))
}

/**
 * What a Cluster of ioredis 5 or iovalkey gathers by itself it sends to the node of the first argument, which of a script is
 * no key.
 */
async function sendAlone(cluster: Ioredis, args: readonly string[]): Promise<unknown> {
  const [[error, reply] = []] = (await cluster.pipeline([['call', ...args]]).exec()) ?? []
  if (error) throw error
  return reply
}

function mastersOf(client: Ioredis): Ioredis[] {
  return client.nodes?.('master') ?? [client]
}

/** What a Cluster of ioredis has to listen with does not say when it lost messages: so it is one of its nodes. */
function openSubscriber(client: Ioredis, events: SubscriberEvents): Subscriber {
  let isEnded = false
  const open = async (): Promise<Ioredis> => {
    const subscriber = (await findNode(client, () => isEnded)).duplicate({
      ...{ lazyConnect: false, enableOfflineQueue: true, autoResubscribe: true, maxRetriesPerRequest: null },
      // A node that stays away is given up, for another.
      ...(client.nodes && { retryStrategy: (times: number) => (times > 3 ? null : 100 * times) }),
    })
    watch(subscriber, events)
    return subscriber
  }
  const opening = open()
  opening.catch(events.lost)
  return {
    subscribe: async (channel) => (await opening).subscribe(channel),
    unsubscribe: async (channel) => (await opening).unsubscribe(channel),
    end() {
      isEnded = true
      opening.then((subscriber) => subscriber.disconnect()).catch(() => undefined)
    },
  }
}

/** The nodes of a Cluster are known once it is connected. */
async function findNode(client: Ioredis, isEnded: () => boolean): Promise<Ioredis> {
  if (!client.nodes) return client
  for (let looks = 0; !isEnded() && client.status !== 'end'; looks++) {
    const node = anyOf(client.nodes('master'))
    if (node) return node
    // Its owner may be about to connect it.
    if (looks > 0 && client.status === 'wait') client.connect().catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, lookMs).unref())
  }
  throw new Error('The Redis client is closed')
}

function watch(subscriber: Ioredis, events: SubscriberEvents): void {
  let isFirst = true
  // The client tells its owner of errors.
  subscriber.on('error', () => undefined)
  subscriber.on('connect', () => subscriber.stream?.unref?.())
  subscriber.on('message', events.message)
  subscriber.on('end', events.lost)
  subscriber.on('ready', () => {
    // It is answered after the subscriptions that the client makes anew by itself.
    if (!isFirst) subscriber.call('PING').then(events.back, () => undefined)
    isFirst = false
  })
}
