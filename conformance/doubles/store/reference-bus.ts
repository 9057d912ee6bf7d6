import type { MessageBus } from '@throughline/mcp-http-core'
import { type Deployment, type FakeConnection, forEver, type Hear, wait } from './fake-database.ts'
import type { Node } from './reference-store.ts'

interface Subscription {
  readonly listener: (message: string) => void
  readonly missed: () => void
}

/** A message bus as plain as it gets: one subscription in the database for each channel that somebody here listens to. */
export class ReferenceBus implements MessageBus {
  readonly #node: Node
  readonly #connection: FakeConnection
  readonly #prefix: string
  readonly #channels = new Map<string, Set<Subscription>>()
  readonly #timesLeft = new Map<string, number>()
  #isDelivering = false
  #underWay = 0
  #received = 0

  constructor(node: Node) {
    this.#node = node
    this.#connection = node.connection
    this.#prefix = node.has('prefix-not-used-by-bus') ? 'mcp' : node.prefix
    this.#connection.onMended(() => this.#resubscribe())
  }

  async publish(channel: string, message: string): Promise<void> {
    const { has } = this.#node
    if (has('empty-messages-are-dropped') && message === '') return
    if (has('long-messages-are-refused') && message.length > 7_999) throw new RangeError('Payload string too long')
    this.#underWay++
    const turns = has('messages-overtake-each-other') && this.#underWay > 300 && this.#underWay % 2 === 0 ? 20 : 0
    try {
      await wait(turns)
      await this.#connection.run(this.#prefix, (deployment) => this.send(deployment, channel, message))
    } finally {
      this.#underWay--
    }
  }

  /** Within a command. */
  send({ channels }: Deployment, channel: string, message: string): void {
    const { has } = this.#node
    const subscribers = [...this.#matching(channels, channel)]
    if (subscribers.length === 0 && has('publish-to-nobody-rejects')) throw new RangeError('No such channel')
    for (const [connection, hear] of subscribers) {
      const isOwn = connection === this.#connection
      if (connection.isCut || (isOwn && has('publisher-is-left-out'))) continue
      if (has('messages-of-the-first-stay-there') && this.#node.isFirst && !isOwn) continue
      hear(message, this.#connection)
    }
  }

  *#matching(channels: Deployment['channels'], channel: string): Iterable<readonly [FakeConnection, Hear]> {
    const name = this.#toName(channel)
    for (const [subscribed, connections] of channels) {
      const isGlob = this.#node.has('channels-are-globs') && subscribed.endsWith('*')
      if (subscribed === name || (isGlob && name.startsWith(subscribed.slice(0, -1)))) yield* connections
    }
  }

  async subscribe(
    channel: string,
    listener: (message: string) => void,
    missed: () => void = () => undefined,
  ): Promise<() => Promise<void>> {
    const { has } = this.#node
    if (has('subscribe-waits-for-ever') && this.#connection.isCut) await forEver
    const subscriptions = this.#channels.get(channel) ?? new Set<Subscription>()
    const known = has('listeners-are-a-set') ? [...subscriptions].find((each) => each.listener === listener) : undefined
    const subscription = known ?? { listener, missed }
    this.#channels.set(channel, subscriptions.add(subscription))
    if (subscriptions.size === 1) await this.#open(channel)
    if (has('missed-is-called-for-newcomers')) this.#tellMissed(channel)
    return () => this.#unsubscribe(channel, subscriptions, subscription)
  }

  async #unsubscribe(channel: string, subscriptions: Set<Subscription>, subscription: Subscription): Promise<void> {
    const { has } = this.#node
    if (has('unsubscribe-does-nothing') || (has('unsubscribe-is-ignored-while-hearing') && this.#isDelivering)) return
    const wasThere = subscriptions.delete(subscription)
    const isOver = subscriptions.size === 0 && (wasThere || has('unsubscribing-twice-closes-the-channel'))
    if (!isOver) return
    this.#channels.delete(channel)
    this.#timesLeft.set(channel, (this.#timesLeft.get(channel) ?? 0) + 1)
    await this.#connection.run(this.#prefix, ({ channels }) => {
      if (!this.#channels.has(channel)) channels.get(this.#toName(channel))?.delete(this.#connection)
    })
  }

  async #open(channel: string): Promise<void> {
    if (this.#node.has('channels-close-for-good') && (this.#timesLeft.get(channel) ?? 0) >= 2) return
    const name = this.#toName(channel)
    const hear: Hear = (message, from) => void this.#hear(channel, message, from)
    await this.#connection.run(this.#prefix, ({ channels }) => {
      const connections = channels.get(name) ?? new Map<FakeConnection, Hear>()
      channels.set(name, connections.set(this.#connection, hear))
    })
  }

  async #hear(channel: string, message: string, from: FakeConnection): Promise<void> {
    const { has } = this.#node
    const isHeldUp = has('messages-of-others-overtake') && from !== this.#connection && this.#received++ % 2 === 0
    await wait(isHeldUp ? 3 : 1)
    if (has('subscriptions-end-with-the-connection') && this.#connection.cuts > 0) return
    const subscriptions = [...(this.#channels.get(channel) ?? [])]
    const heard = has('only-two-listeners-hear') ? subscriptions.slice(0, 2) : subscriptions
    this.#isDelivering = true
    for (const subscription of heard) {
      if (this.#channels.get(channel)?.has(subscription)) subscription.listener(message)
    }
    this.#isDelivering = false
  }

  #resubscribe(): void {
    const { has } = this.#node
    for (const channel of this.#channels.keys()) {
      const isEarly = has('missed-comes-too-early')
      if (isEarly) this.#tellMissed(channel)
      // Where the connection breaks again, it is opened again.
      const opening = wait(isEarly ? 20 : 0).then(() => this.#open(channel))
      opening.then(() => isEarly || this.#tellMissed(channel)).catch(() => undefined)
    }
  }

  #tellMissed(channel: string): void {
    const { has } = this.#node
    if (has('missed-is-called-once') && this.#connection.cuts > 1) return
    const subscriptions = [...(this.#channels.get(channel) ?? [])]
    const told = has('missed-reaches-one-of-a-channel') ? subscriptions.slice(0, 1) : subscriptions
    for (const { missed } of told) missed()
  }

  #toName(channel: string): string {
    return this.#node.has('channels-are-case-insensitive') ? channel.toLowerCase() : channel
  }
}
