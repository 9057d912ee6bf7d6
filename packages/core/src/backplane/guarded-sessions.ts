import type { SessionChanges, SessionRecord, SessionStore, Taking } from './backplane.ts'
import { type ReadOutcome, StoreCalls } from './store-calls.ts'
import {
  readBoolean,
  readIterator,
  readIteratorResult,
  readNothing,
  readOptional,
  readRecord,
} from './store-outcomes.ts'

/** A session store that keeps its deadlines, and gives nothing but what the contract says. */
export class GuardedSessions implements SessionStore {
  readonly #sessions: SessionStore
  readonly #calls: StoreCalls

  constructor(sessions: SessionStore, timeoutMs: number) {
    this.#sessions = sessions
    this.#calls = new StoreCalls('sessions', timeoutMs)
  }

  /** Not repeated: the second would find the record of the first, and take it for another's. */
  create(record: SessionRecord, ttlMs: number): Promise<boolean> {
    return this.#once('create', () => this.#sessions.create(record, ttlMs), readBoolean)
  }

  get(key: string): Promise<SessionRecord | undefined> {
    return this.#repeated('get', () => this.#sessions.get(key), readOptional(readRecord(key)))
  }

  update(key: string, term: number, changes: SessionChanges, ttlMs: number): Promise<boolean> {
    return this.#repeated('update', () => this.#sessions.update(key, term, changes, ttlMs), readBoolean)
  }

  takeOver(key: string, taking: Taking): Promise<SessionRecord | undefined> {
    const make = (): unknown => this.#sessions.takeOver(key, taking)
    return this.#repeated('takeOver', make, readOptional(readRecord(key)))
  }

  delete(key: string, term?: number): Promise<boolean> {
    return this.#repeated('delete', () => this.#sessions.delete(key, term), readBoolean)
  }

  renewLease(node: string, leaseMs: number): Promise<boolean> {
    return this.#repeated('renewLease', () => this.#sessions.renewLease(node, leaseMs), readBoolean)
  }

  hasLease(node: string): Promise<boolean> {
    return this.#repeated('hasLease', () => this.#sessions.hasLease(node), readBoolean)
  }

  async *list(): AsyncIterable<SessionRecord> {
    const records = await this.#once('list', () => this.#sessions.list(), readIterator)
    let isWaiting = true
    try {
      for (;;) {
        isWaiting = true
        const { done, value } = await this.#once('list', () => records.next(), readIteratorResult)
        if (done) return
        // The records of a plain iterable may still be promises.
        const record = await this.#once('list', () => value, readRecord())
        isWaiting = false
        yield record
      }
    } finally {
      // Left early. One that failed or never answered is not asked to end: it would not answer that either.
      if (!isWaiting) await this.#once('list', () => records.return?.(), readNothing)
    }
  }

  #once<T>(method: string, make: () => unknown, read: ReadOutcome<T>): Promise<T> {
    return this.#calls.call({ method, make, read, repeats: false })
  }

  #repeated<T>(method: string, make: () => unknown, read: ReadOutcome<T>): Promise<T> {
    return this.#calls.call({ method, make, read, repeats: true })
  }
}
