import type { NatsConnection } from '@nats-io/transport-node'
import type { MessageBus } from '@throughline/mcp-http-core'
import { toToken } from './names.ts'

/** Core NATS: what nobody hears is gone. A publish is not said to be done before the server has it. */
export class NatsBus implements MessageBus {
  readonly #connection: NatsConnection
  readonly #prefix: string
  readonly #missed = new Set<() => void>()

  constructor(connection: NatsConnection, prefix: string) {
    this.#connection = connection
    this.#prefix = prefix
    void this.#watch()
  }

  async publish(channel: string, message: string): Promise<void> {
    // While it is not connected the client drops what it is given, and says nothing.
    this.#connection.publish(this.#toSubject(channel), message)
    await this.#flush()
  }

  async subscribe(
    channel: string,
    listener: (message: string) => void,
    missed: () => void = () => undefined,
  ): Promise<() => void> {
    const subscription = this.#connection.subscribe(this.#toSubject(channel), {
      callback: (error, message) => {
        if (!error) listener(message.string())
      },
    })
    // Of its own: one function may be given twice.
    const tell = (): void => missed()
    this.#missed.add(tell)
    const stop = (): void => {
      this.#missed.delete(tell)
      subscription.unsubscribe()
    }
    try {
      await this.#flush()
      return stop
    } catch (error) {
      stop()
      throw error
    }
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (type !== 'reconnect') continue
      // The server may not have the subscriptions yet. Where it is gone again, it comes back again.
      await this.#flush().then(
        () => this.#tellMissed(),
        () => undefined,
      )
    }
  }

  #tellMissed(): void {
    for (const tell of [...this.#missed]) tell()
  }

  async #flush(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('NATS does not answer')), 2_500)
    })
    await Promise.race([this.#connection.flush(), late]).finally(() => clearTimeout(timer))
  }

  #toSubject(channel: string): string {
    return `${this.#prefix}.${toToken(channel)}`
  }
}
