import { checkOptions, option, wholeNumber } from '../../option-checks.ts'
import { now } from '../../promises/clock.ts'
import { type Link, LinkedList } from '../../queues/linked-list.ts'
import type { Backplane, MessageBus, SessionChanges, SessionRecord, SessionStore, Taking } from '../backplane.ts'
import { logOptions } from '../log-options.ts'
import { MemoryEventLog, type MemoryEventLogOptions } from './memory-event-log.ts'

/**
 * The embedded backplane: everything in this process's memory, within bounds. What an endpoint uses when it is given
 * none.
 */
export function createMemoryBackplane(options: MemoryEventLogOptions = {}): Backplane {
  return { sessions: new MemorySessionStore(), events: createMemoryEventLog(options), bus: new MemoryBus() }
}

const bounds = {
  ...logOptions,
  maxBytes: option(134_217_728, wholeNumber(1, Number.MAX_SAFE_INTEGER)),
  maxEvents: option(1_000_000, wholeNumber(1, Number.MAX_SAFE_INTEGER)),
}

/** @throws TypeError for a bad option, naming it. */
export function createMemoryEventLog(options: MemoryEventLogOptions = {}): MemoryEventLog {
  return new MemoryEventLog(checkOptions(bounds, options))
}

/** Whether a part of a backplane is one of these, as it is: one that something was derived from is somebody's own. */
export function isEmbedded(part: Backplane[keyof Backplane]): boolean {
  return embedded.has(Object.getPrototypeOf(part))
}

/** Records that are looked at, wherever they are, for each that is added. */
const sweepSteps = 2

class MemorySessionStore implements SessionStore {
  readonly #kept = new Map<string, Link<SessionRecord>>()
  /**
   * Each `since` when it is expired, by {@link now}. In order of last prolongation, so that expired ones are found at the
   * front, as long as all live equally long.
   */
  readonly #inOrder = new LinkedList<SessionRecord>()
  /** Finds those that expired behind one that lives longer. */
  #sweep: Link<SessionRecord> | undefined
  /** When the leases of nodes end, by {@link now}. */
  readonly #leases = new Map<string, number>()

  create(record: SessionRecord, ttlMs: number): boolean {
    this.#expire()
    if (this.get(record.key)) return false
    this.#put(record, ttlMs)
    return true
  }

  get(key: string): SessionRecord | undefined {
    const kept = this.#kept.get(key)
    return kept && kept.since > now() ? kept.item : undefined
  }

  update(key: string, term: number, changes: SessionChanges, ttlMs: number): boolean {
    const record = this.get(key)
    if (record?.term !== term) return false
    this.#put({ ...record, ...changes }, ttlMs)
    return true
  }

  takeOver(key: string, { expectedTerm, owner, ttlMs }: Taking): SessionRecord | undefined {
    const record = this.get(key)
    if (record?.term !== expectedTerm || (record.owner !== owner && this.hasLease(record.owner))) return record
    return this.#put({ ...record, owner, term: expectedTerm + 1 }, ttlMs)
  }

  delete(key: string, term?: number): boolean {
    const record = this.get(key)
    if (term !== undefined && record?.term !== term) return false
    this.#remove(key)
    return record !== undefined
  }

  *list(): Iterable<SessionRecord> {
    // Not the map itself: a record that is prolonged meanwhile moves to its end, and would come again.
    for (const key of [...this.#kept.keys()]) {
      const record = this.get(key)
      if (record) yield record
    }
  }

  renewLease(node: string, leaseMs: number): boolean {
    const time = now()
    const ran = this.hasLease(node)
    for (const [other, endsAt] of this.#leases) if (endsAt <= time) this.#leases.delete(other)
    this.#leases.set(node, time + leaseMs)
    return ran
  }

  hasLease(node: string): boolean {
    return (this.#leases.get(node) ?? 0) > now()
  }

  #put(record: SessionRecord, ttlMs: number): SessionRecord {
    this.#remove(record.key)
    this.#kept.set(record.key, this.#inOrder.add(record, now() + ttlMs))
    return record
  }

  #remove(key: string): void {
    const link = this.#kept.get(key)
    if (!link) return
    if (this.#sweep === link) this.#sweep = link.after
    this.#kept.delete(key)
    this.#inOrder.remove(link)
  }

  #expire(): void {
    const time = now()
    while (this.#inOrder.first && this.#inOrder.first.since <= time) this.#remove(this.#inOrder.first.item.key)
    for (let step = 0; step < sweepSteps; step++) this.#sweepOne(time)
  }

  #sweepOne(time: number): void {
    const link = this.#sweep ?? this.#inOrder.first
    this.#sweep = link?.after
    if (link && link.since <= time) this.#remove(link.item.key)
  }
}

type Listener = (message: string) => void

class MemoryBus implements MessageBus {
  readonly #channels = new Map<string, Set<{ listener: Listener }>>()

  publish(channel: string, message: string): void {
    for (const { listener } of this.#channels.get(channel) ?? []) listener(message)
  }

  subscribe(channel: string, listener: Listener): () => void {
    // One listener may subscribe twice.
    const subscription = { listener }
    const subscriptions = this.#channels.get(channel) ?? new Set()
    this.#channels.set(channel, subscriptions.add(subscription))
    return () => {
      // By now the channel may be one that was begun anew.
      if (subscriptions.delete(subscription) && subscriptions.size === 0) this.#channels.delete(channel)
    }
  }
}

const embedded: ReadonlySet<unknown> = new Set([
  MemorySessionStore.prototype,
  MemoryEventLog.prototype,
  MemoryBus.prototype,
])
