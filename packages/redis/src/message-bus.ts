import { randomBytes } from 'node:crypto'
import type { MessageBus } from '@throughline/mcp-http-core'
import type { Subscriber } from './client/redis-client.ts'
import { type RedisPort, within } from './client/redis-port.ts'
import type { Keys } from './keys.ts'

/** Milliseconds. */
export const busTimes = {
  /** After so long without any message one is sent to ourselves. */
  silence: 30_000,
  /** What a subscription and the message to ourselves may take. */
  answer: 2_500,
  /** Before another connection is tried in place of one that is gone. */
  pause: 1_000,
}

/**
 * The clients of a Cluster send a `PUBLISH` through any node, so that messages overtake each other. A script goes to the
 * node of its key. It is not known by its hash, since one that has to be sent again would be overtaken as well.
 */
const publish = "return redis.call('PUBLISH', ARGV[1], ARGV[2])"

interface Subscription {
  readonly listener: (message: string) => void
  readonly missed: () => void
}

interface Channel {
  readonly subscriptions: Set<Subscription>
  /** Settles when the server has heard of it. */
  readonly opening: Promise<unknown>
}

/** Pub/sub, on a connection of its own that is open while somebody listens. */
export class RedisBus implements MessageBus {
  readonly #redis: RedisPort
  readonly #keys: Keys
  readonly #times: typeof busTimes
  readonly #channels = new Map<string, Channel>()
  /** Nobody else's: shows that messages arrive. */
  readonly #ownChannel: string
  #subscriber: Subscriber | undefined
  #heardAt = 0
  #watch: NodeJS.Timeout | undefined

  constructor(redis: RedisPort, keys: Keys, times = busTimes) {
    this.#redis = redis
    this.#keys = keys
    this.#times = times
    this.#ownChannel = keys.ofChannel(`to ourselves ${randomBytes(12).toString('base64url')}`)
  }

  async publish(channel: string, message: string): Promise<void> {
    await this.#publish(this.#keys.ofChannel(channel), message)
  }

  async subscribe(
    channel: string,
    listener: (message: string) => void,
    missed: () => void = () => undefined,
  ): Promise<() => void> {
    const name = this.#keys.ofChannel(channel)
    const subscription = { listener, missed }
    const { subscriptions, opening } = this.#channels.get(name) ?? this.#open(name)
    subscriptions.add(subscription)
    const leave = (): void => {
      // By now the channel may be one that was begun anew.
      if (subscriptions.delete(subscription) && subscriptions.size === 0) this.#close(name)
    }
    try {
      await within(this.#times.answer, 'a subscription', opening)
      return leave
    } catch (error) {
      leave()
      throw error
    }
  }

  async #publish(name: string, message: string): Promise<void> {
    await this.#redis.command(name, ['EVAL', publish, '1', name, name, message])
  }

  #open(name: string): Channel {
    this.#subscriber ??= this.#connect()
    const opening = this.#subscriber.subscribe(name)
    opening.catch(() => undefined)
    const channel = { subscriptions: new Set<Subscription>(), opening }
    this.#channels.set(name, channel)
    return channel
  }

  #close(name: string): void {
    this.#channels.delete(name)
    if (this.#channels.size === 0) this.#disconnect()
    else this.#subscriber?.unsubscribe(name).catch(() => undefined)
  }

  /** Whatever else is told of a connection is of one that was given up. */
  #connect(): Subscriber {
    const isCurrent = (): boolean => this.#subscriber === subscriber
    const subscriber: Subscriber = this.#redis.openSubscriber({
      message: (name, message) => {
        if (isCurrent()) this.#hear(name, message)
      },
      back: () => {
        if (isCurrent()) this.#tellMissed()
      },
      lost: () => this.#replaceLater(subscriber),
    })
    subscriber.subscribe(this.#ownChannel).catch(() => undefined)
    clearInterval(this.#watch)
    this.#watch = setInterval(() => void this.#look(subscriber), this.#times.silence).unref()
    return subscriber
  }

  #disconnect(): void {
    clearInterval(this.#watch)
    this.#subscriber?.end()
    this.#subscriber = undefined
  }

  #hear(name: string, message: string): void {
    this.#heardAt = performance.now()
    for (const { listener } of [...(this.#channels.get(name)?.subscriptions ?? [])]) listener(message)
  }

  #tellMissed(): void {
    for (const { subscriptions } of this.#channels.values()) for (const { missed } of [...subscriptions]) missed()
  }

  /** A connection may be dead and look open for many minutes. */
  async #look(subscriber: Subscriber): Promise<void> {
    const askedAt = performance.now()
    if (this.#heardAt > askedAt - this.#times.silence) return
    try {
      await this.#publish(this.#ownChannel, '')
    } catch {
      // The database cannot be reached: that says nothing of this connection.
      return
    }
    await new Promise((resolve) => setTimeout(resolve, this.#times.answer).unref())
    if (this.#heardAt < askedAt && this.#subscriber === subscriber) this.#replace()
  }

  #replaceLater(subscriber: Subscriber): void {
    setTimeout(() => this.#subscriber === subscriber && this.#replace(), this.#times.pause).unref()
  }

  #replace(): void {
    this.#disconnect()
    const subscriber = this.#connect()
    this.#subscriber = subscriber
    const names = [...this.#channels.keys()]
    Promise.all(names.map((name) => subscriber.subscribe(name))).then(
      () => this.#subscriber === subscriber && this.#tellMissed(),
      // It may hear itself, and so never look dead, but not what it was opened for.
      () => this.#replaceLater(subscriber),
    )
  }
}
