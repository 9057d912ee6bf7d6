import type { ClientPort, Send, Subscriber, SubscriberEvents } from './redis-client.ts'

/** How long a command waits for a connection, and how long it may take with that, in milliseconds. */
const connectMs = 1_500
const replyMs = 2_500

/** Between two looks whether the client is connected again. */
const lookMs = 20

/**
 * Commands that keep their deadlines. None waits in a queue of the client, to take effect when it was given up long
 * ago: each is sent when there is a connection, in the order in which they came.
 */
export class RedisPort {
  readonly #client: ClientPort
  #connecting: Promise<void> | undefined
  #atFirst: (() => void) | undefined
  /** Where the database is not 0: resolves once it was selected. */
  #selecting: Promise<unknown> | undefined

  constructor(client: ClientPort) {
    this.#client = client
  }

  /** What the client puts before keys by itself. */
  get prefix(): string {
    return this.#client.prefix
  }

  get database(): number {
    return this.#client.database
  }

  /** Calls this once, with the first command that finds a connection. */
  atFirst(work: () => void): void {
    this.#atFirst = work
  }

  /** Whether it is connected, or is being, without our doing. */
  get isConnecting(): boolean {
    return ['ready', 'connecting'].includes(this.#client.status())
  }

  /** @throws Error when there is no connection, no reply in time, or the reply is an error. */
  command(key: string | undefined, args: readonly string[]): Promise<unknown> {
    return within(replyMs, `a reply to ${args[0]}`, this.#send(args, key))
  }

  async servers(): Promise<readonly Send[]> {
    await this.#connected()
    const servers = await within(replyMs, 'the nodes of the Cluster', this.#client.servers())
    return servers.map((send) => (args) => within(replyMs, `a reply to ${args[0]}`, send(args)))
  }

  openSubscriber(events: SubscriberEvents): Subscriber {
    return this.#client.openSubscriber(events)
  }

  async #send(args: readonly string[], key: string | undefined): Promise<unknown> {
    await this.#connected()
    if (this.database !== 0) await this.#select()
    const atFirst = this.#atFirst
    this.#atFirst = undefined
    atFirst?.()
    return await this.#client.send(key, args)
  }

  /** `undefined` when it is, and nobody waits who came before. */
  #connected(): Promise<void> | undefined {
    if (this.#connecting || this.#client.status() === 'ready') return this.#connecting
    this.#connecting = this.#connect().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  /** Where its user may not select a database, `ioredis` goes on in database 0, and says so in an event alone. */
  #select(): Promise<unknown> {
    this.#selecting ??= this.#client.send(undefined, ['SELECT', String(this.database)]).catch((error: unknown) => {
      this.#selecting = undefined
      throw error
    })
    return this.#selecting
  }

  async #connect(): Promise<void> {
    this.#selecting = undefined
    const endsAt = performance.now() + connectMs
    for (;;) {
      const status = this.#client.status()
      if (status === 'ready') return
      if (status === 'idle') this.#client.connect?.()
      if (status === 'closed') throw new Error('The Redis client is closed, or was never connected')
      if (performance.now() > endsAt) throw new Error(`Expected a connection to Redis within ${connectMs} ms`)
      await new Promise((resolve) => setTimeout(resolve, lookMs))
    }
  }
}

/** Settles like `promise`, or rejects after `ms` milliseconds. */
export function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Expected ${what} from Redis within ${ms} ms`)), ms)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
