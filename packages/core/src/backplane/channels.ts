export interface Subscription {
  readonly listener: (message: string) => void
  readonly missed: () => void
}

/** Who listens here to which channels of a message bus. */
export class Channels {
  readonly #subscriptions = new Map<string, Set<Subscription>>()

  get names(): string[] {
    return [...this.#subscriptions.keys()]
  }

  get size(): number {
    return this.#subscriptions.size
  }

  has(name: string): boolean {
    return this.#subscriptions.has(name)
  }

  /** Gives what ends the subscription, which may be called again. `onEmpty` is called when it was the last of its channel. */
  add(name: string, subscription: Subscription, onEmpty: () => void): () => void {
    const subscriptions = this.#subscriptions.get(name) ?? new Set()
    this.#subscriptions.set(name, subscriptions.add(subscription))
    return () => {
      // By now the channel may be one that was begun anew.
      if (!subscriptions.delete(subscription) || subscriptions.size > 0) return
      this.#subscriptions.delete(name)
      onEmpty()
    }
  }

  tell(name: string, message: string): void {
    const subscriptions = this.#subscriptions.get(name) ?? new Set()
    // One may leave while another hears.
    for (const each of [...subscriptions]) if (subscriptions.has(each)) each.listener(message)
  }

  tellMissed(): void {
    for (const all of [...this.#subscriptions.values()]) for (const { missed } of [...all]) missed()
  }

  clear(): void {
    this.#subscriptions.clear()
  }
}
