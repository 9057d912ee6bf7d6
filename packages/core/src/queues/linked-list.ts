/** An item's place in a {@link LinkedList}. */
export interface Link<T> {
  readonly item: T
  before: Link<T> | undefined
  after: Link<T> | undefined
}

/**
 * Items in the order in which they came; each can leave in constant time. A Set would do, but when V8 moves a Set to a
 * new table, the old table points to the new one and still holds what was in it: short-lived items survive with it until
 * the next full collection. For what comes and goes with every request that made up most of the collector's work.
 */
export class LinkedList<T> {
  #first: Link<T> | undefined
  #last: Link<T> | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The item that has been here longest. */
  get first(): T | undefined {
    return this.#first?.item
  }

  add(item: T): Link<T> {
    const link: Link<T> = { item, before: this.#last, after: undefined }
    if (this.#last) this.#last.after = link
    else this.#first = link
    this.#last = link
    this.#size++
    return link
  }

  /** Each link once. It keeps nothing of the list: links that are gone must not hold those that came later. */
  remove(link: Link<T>): void {
    const { before, after } = link
    if (before) before.after = after
    else this.#first = after
    if (after) after.before = before
    else this.#last = before
    link.before = undefined
    link.after = undefined
    this.#size--
  }

  /** The items as they are now, in order. */
  toArray(): T[] {
    const items: T[] = []
    for (let link = this.#first; link; link = link.after) items.push(link.item)
    return items
  }
}
