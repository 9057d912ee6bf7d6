/** An item's place in a {@link LinkedList}. */
export interface Link<T> {
  readonly item: T
  /** When it came, in the list's own measure; `0` where that does not matter. */
  since: number
  before: Link<T> | undefined
  after: Link<T> | undefined
}

/** A place that is in no list yet. */
export function createLink<T>(item: T): Link<T> {
  return { item, since: 0, before: undefined, after: undefined }
}

/**
 * Items in the order in which they came; each can be removed in constant time. A Set would do, but when V8 moves a Set
 * to a new table, the old table points to the new one and still holds its own items: short-lived ones survive with it
 * until the next full collection. For items that come and go with every request that was most of the collector's work.
 */
export class LinkedList<T> {
  #first: Link<T> | undefined
  #last: Link<T> | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The place of the item that has been here longest. */
  get first(): Link<T> | undefined {
    return this.#first
  }

  /** The place of the item that came last. */
  get last(): Link<T> | undefined {
    return this.#last
  }

  add(item: T, since = 0): Link<T> {
    const link = createLink(item)
    this.append(link, since)
    return link
  }

  /** Adds an item by a place of its own, which is in no list now. */
  append(link: Link<T>, since = 0): void {
    link.since = since
    link.before = this.#last
    if (this.#last) this.#last.after = link
    else this.#first = link
    this.#last = link
    this.#size++
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

  /** The first item, in order, that matches. */
  find(matches: (item: T) => boolean): T | undefined {
    for (let link = this.#first; link; link = link.after) if (matches(link.item)) return link.item
    return undefined
  }

  /** The items as they are now, in order. */
  toArray(): T[] {
    const items: T[] = []
    for (let link = this.#first; link; link = link.after) items.push(link.item)
    return items
  }
}
