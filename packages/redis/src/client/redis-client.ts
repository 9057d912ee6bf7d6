import { expected } from '@throughline/mcp-http-core'
import { fromIoredis, isIoredis } from './ioredis.ts'
import { fromNodeRedis, isNodeRedis } from './node-redis.ts'

type Method = (...parameters: never[]) => unknown

/**
 * A client of `ioredis`, `iovalkey` or `redis` (node-redis), for one server, Sentinel or Cluster. It is told by these
 * methods.
 */
export type RedisClient = { readonly duplicate: Method } & (
  | { readonly call: Method }
  | { readonly sendCommand: Method }
)

export type Send = (args: readonly string[]) => Promise<unknown>

/** The few things that are done with a client, whichever it is. */
export interface ClientPort {
  /** What the client itself puts before keys, except those of `SCAN`. */
  readonly prefix: string
  /** The number of the database. One server has several, and all of them the same channels. */
  readonly database: number
  /**
   * `closed`: it was never connected, or has been closed, and does not connect by itself. `idle`: it does when it is used
   * first, or when its owner says so.
   */
  status(): 'ready' | 'connecting' | 'idle' | 'closed'
  /** Of one that is idle. Does not throw. */
  connect?(): void
  /** In a Cluster the command goes to the node that has the key, or to any. */
  send(key: string | undefined, args: readonly string[]): Promise<unknown>
  /** A way to each server that holds keys. */
  servers(): Promise<readonly Send[]>
  openSubscriber(events: SubscriberEvents): Subscriber
}

/** A connection of our own that listens. In a Cluster it is to one node, which tells the messages of all. */
export interface Subscriber {
  /** Resolves when messages are heard. */
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  /** Does not throw. */
  end(): void
}

export interface SubscriberEvents {
  message(channel: string, message: string): void
  /** The connection was broken, and all that was subscribed to is heard again. */
  back(): void
  /** Nothing will be heard any more. */
  lost(): void
}

/** @throws TypeError for what is none of the clients that are known. */
export function toClientPort(client: unknown): ClientPort {
  if (isIoredis(client)) return fromIoredis(client)
  if (isNodeRedis(client)) return fromNodeRedis(client)
  const known =
    '`new Redis()` or `new Cluster()` of ioredis or iovalkey, `createClient()`, `createCluster()` or `createSentinel()` of redis'
  throw expected(`the client to be one of ${known}`, client)
}

/** One node of a Cluster, to listen to. */
export function anyOf<Node>(nodes: readonly Node[]): Node | undefined {
  return nodes[Math.floor(Math.random() * nodes.length)]
}
