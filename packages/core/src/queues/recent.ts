import { type Link, LinkedList } from './linked-list.ts'

interface Entry<Key, Value> {
  readonly key: Key
  readonly value: Value
}

/**
 * Values by key, so many at most: those that were set longest ago are forgotten first. A Map alone would do, but V8 leaves
 * a hole where an entry was, until it moves the whole Map. Of one whose oldest entries go one after another thousands of
 * holes come before the first that is there, and each look for it passes them all.
 */
export class Recent<Key, Value> {
  readonly #most: number
  readonly #links = new Map<Key, Link<Entry<Key, Value>>>()
  readonly #inOrder = new LinkedList<Entry<Key, Value>>()

  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#inOrder.size
  }

  get(key: Key): Value | undefined {
    return this.#links.get(key)?.item.value
  }

  /** The newest from now on. */
  set(key: Key, value: Value): void {
    this.delete(key)
    this.#links.set(key, this.#inOrder.add({ key, value }))
    const oldest = this.#inOrder.first
    if (this.size > this.#most && oldest) this.delete(oldest.item.key)
  }

  delete(key: Key): void {
    const link = this.#links.get(key)
    if (!link) return
    this.#links.delete(key)
    this.#inOrder.remove(link)
  }
}
