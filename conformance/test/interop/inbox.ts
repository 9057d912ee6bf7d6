import { patienceMs, Signal } from '../../src/client/waiting.ts'

/** What arrived, in order. A test waits for what it expects, not for time. */
export class Inbox<Item> {
  readonly items: Item[] = []
  readonly #signal = new Signal()

  add(item: Item): void {
    this.items.push(item)
    this.#signal.notify()
  }

  /** Resolves when that many are here. Rejects when that takes too long, showing what did come. */
  async count(count: number, ms = patienceMs): Promise<readonly Item[]> {
    if (await this.#signal.until(() => this.items.length >= count, ms)) return this.items
    throw new Error(`Expected ${count} items within ${ms} ms, got ${JSON.stringify(this.items)}`)
  }

  /** Resolves with the first item that fits. */
  async first(fits: (item: Item) => boolean, ms = patienceMs): Promise<Item> {
    await this.#signal.until(() => this.items.some(fits), ms)
    const found = this.items.find(fits)
    if (found === undefined) throw new Error(`Nothing that fits came within ${ms} ms: ${JSON.stringify(this.items)}`)
    return found
  }
}
