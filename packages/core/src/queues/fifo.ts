/** A queue whose front is taken off in constant time. */
export class Fifo<T> {
  #items: T[] = []
  #start = 0

  get length(): number {
    return this.#items.length - this.#start
  }

  push(item: T): void {
    this.#items.push(item)
  }

  peek(): T | undefined {
    return this.#items[this.#start]
  }

  shift(): T | undefined {
    const item = this.#items[this.#start]
    this.#start++
    if (this.#start > 64 && this.#start * 2 > this.#items.length) this.keep(() => true)
    return item
  }

  clear(): void {
    this.#items = []
    this.#start = 0
  }

  /** Keeps the items that match. */
  keep(predicate: (item: T) => boolean): void {
    this.#items = this.#items.slice(this.#start).filter(predicate)
    this.#start = 0
  }
}
