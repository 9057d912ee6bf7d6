import { afterThisTurn } from '../../promises/after-this-turn.ts'
import { LinkedList } from '../../queues/linked-list.ts'
import type { JsonRpcNotification } from '../../rpc/json-rpc.ts'
import { type Change, toChange } from './change.ts'
import type { Subscription } from './subscription.ts'

/** Time, in milliseconds, for which changes are gathered after one was told. */
const gatherMs = 100

/**
 * All open `subscriptions/listen` streams. The first change is told at once, those of the next moment together: of a
 * burst a stream hears twice at most, and of its last change for certain.
 */
export class Subscriptions {
  readonly #open = new LinkedList<Subscription>()
  readonly #byUri = new Map<string, Set<Subscription>>()
  /** What has changed since it was told, by key. */
  #changed = new Map<string, Change>()
  #gathering: ReturnType<typeof setTimeout> | undefined
  #willTell = false

  get size(): number {
    return this.#open.size
  }

  add(subscription: Subscription): void {
    this.#open.append(subscription.place)
    for (const uri of subscription.filter.resourceSubscriptions ?? []) {
      const others = this.#byUri.get(uri)
      if (others) others.add(subscription)
      else this.#byUri.set(uri, new Set([subscription]))
    }
  }

  remove(subscription: Subscription): void {
    this.#open.remove(subscription.place)
    for (const uri of subscription.filter.resourceSubscriptions ?? []) {
      const others = this.#byUri.get(uri)
      if (others?.delete(subscription) && others.size === 0) this.#byUri.delete(uri)
    }
  }

  notify(notification: JsonRpcNotification): void {
    if (this.#open.size === 0) return
    const change = toChange(notification)
    if (!change || (change.uri !== undefined && !this.#byUri.has(change.uri))) return
    this.#changed.set(change.key, change)
    if (this.#gathering || this.#willTell) return
    this.#willTell = true
    afterThisTurn(() => this.#tell())
  }

  /** Ends all with their results, after what they have not heard of. */
  complete(): void {
    this.#tell()
    clearTimeout(this.#gathering)
    this.#gathering = undefined
    for (const subscription of this.#open.toArray()) subscription.complete()
  }

  #tell(): void {
    this.#willTell = false
    this.#gathering = undefined
    if (this.#changed.size === 0) return
    const changed = this.#changed
    this.#changed = new Map()
    for (const change of changed.values()) this.#tellOf(change)
    this.#gathering = setTimeout(() => this.#tell(), gatherMs)
  }

  #tellOf(change: Change): void {
    const { list, uri } = change
    if (uri !== undefined) for (const subscription of this.#byUri.get(uri) ?? []) subscription.tell(change)
    else {
      for (let place = this.#open.first; place; ) {
        const { item, after } = place
        if (list && item.filter[list] === true) item.tell(change)
        place = after
      }
    }
  }
}
