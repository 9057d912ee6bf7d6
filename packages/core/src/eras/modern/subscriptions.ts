import { afterThisTurn } from '../../promises/after-this-turn.ts'
import { now } from '../../promises/clock.ts'
import { Spread } from '../../promises/spread.ts'
import { LinkedList } from '../../queues/linked-list.ts'
import type { JsonRpcNotification } from '../../rpc/json-rpc.ts'
import { type Change, changesOf, toChange } from './change.ts'
import type { Subscription } from './subscription.ts'

/** Time, in milliseconds, that a burst pauses for when it is over: until then its changes are gathered. */
const pauseMs = 100

/** Longest time, in milliseconds, for which changes are gathered after some were told: others never pause. */
const gatherMs = 1_000

/**
 * All open `subscriptions/listen` streams. The first change is told at once, those that follow when they pause: of a
 * burst a stream hears twice, and of its last change for certain.
 */
export class Subscriptions {
  readonly #open = new LinkedList<Subscription>()
  readonly #byUri = new Map<string, Set<Subscription>>()
  readonly #makingUp = new Spread<Subscription>((subscription) => {
    for (const change of changesOf(subscription.filter)) subscription.tell(change)
  })
  /** What has changed since it was told, by key. */
  #changed = new Map<string, Change>()
  #gathering: ReturnType<typeof setTimeout> | undefined
  #changedAt = 0
  #toldAt = 0
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
    this.#changedAt = now()
    if (this.#gathering || this.#willTell) return
    this.#willTell = true
    afterThisTurn(() => this.#tell())
  }

  /** Changes may have gone unheard: all that is listened to may have changed. */
  makeUp(): void {
    this.#makingUp.begin(this.#open.toArray())
  }

  /** Ends all with their results, after what they have not heard of. */
  complete(): void {
    this.#makingUp.finish()
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
    this.#toldAt = now()
    this.#gather()
  }

  #gather(): void {
    this.#gathering = setTimeout(() => {
      const time = now()
      const isPausing = this.#changed.size === 0 || time - this.#changedAt >= pauseMs
      if (isPausing || time - this.#toldAt >= gatherMs) this.#tell()
      else this.#gather()
    }, pauseMs)
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
