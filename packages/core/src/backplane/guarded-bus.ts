import type { MessageBus } from './backplane.ts'
import { StoreCalls } from './store-calls.ts'
import { readNothing, readUnsubscribe } from './store-outcomes.ts'

/** A message bus that keeps its deadlines. Nothing is repeated: a message that comes late would come out of order. */
export class GuardedBus implements MessageBus {
  readonly #bus: MessageBus
  readonly #calls: StoreCalls

  constructor(bus: MessageBus, timeoutMs: number) {
    this.#bus = bus
    this.#calls = new StoreCalls('bus', timeoutMs)
  }

  publish(channel: string, message: string): Promise<void> {
    return this.#once('publish', () => this.#bus.publish(channel, message), readNothing)
  }

  async subscribe(
    channel: string,
    listener: (message: string) => void,
    missed: () => void = ignore,
  ): Promise<() => Promise<void>> {
    const subscribing = subscribe(this.#bus, channel, listener, missed)
    try {
      const stop = await this.#once('subscribe', () => subscribing, readUnsubscribe)
      return () => this.#once('unsubscribe', stop, readNothing)
    } catch (error) {
      // It may come to be after all, and nobody would ever end it.
      subscribing.then((stop) => stop()).catch(() => undefined)
      throw error
    }
  }

  #once<T>(method: string, make: () => unknown, read: (outcome: unknown) => T): Promise<T> {
    return this.#calls.call({ method, make, read, repeats: false })
  }
}

async function subscribe(
  bus: MessageBus,
  channel: string,
  listener: (message: string) => void,
  missed: () => void,
): Promise<() => unknown> {
  return await bus.subscribe(channel, listener, missed)
}

function ignore(): void {
  return
}
