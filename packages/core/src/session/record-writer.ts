import type { SessionChanges, SessionRecord, SessionStore } from '../backplane/backplane.ts'
import { isThenable } from '../promises/maybe-promise.ts'
import { unref } from '../promises/unref.ts'
import { changesOf } from './record-changes.ts'

/** Time, in milliseconds, before the store is given once more what it could not take. */
const saveAgainMs = 1_000

export interface RecordWriterOptions {
  /** How long a record lives in the store after its session was used. */
  readonly recordTtlMs: number
  readonly backplane: { readonly sessions: SessionStore }
  readonly onError: (error: unknown, where: 'session-store') => void
}

/** The live session, whose record it is. */
export interface RecordHolder {
  readonly record: SessionRecord
  readonly isStopped: boolean
  /** Another node owns the session, or its record is gone. */
  lost(): void
}

/**
 * Writes what changes of a session to its record. Whoever has the session next knows of it by that only: what the store
 * could not take goes with what is written next, and is tried again until it is there.
 */
export class RecordWriter {
  readonly #holder: RecordHolder
  readonly #options: RecordWriterOptions
  /** Runs while the store lacks something. */
  #saving: ReturnType<typeof setTimeout> | undefined

  constructor(holder: RecordHolder, options: RecordWriterOptions) {
    this.#holder = holder
    this.#options = options
  }

  /** Does not wait for the store. */
  write(changed: SessionChanges): void {
    const changes = this.#withUnsaved(changed)
    const fail = (error: unknown): void => {
      this.#writeLater(changes)
      this.#options.onError(error, 'session-store')
    }
    const heed = (isUpdated: boolean): void => {
      if (!isUpdated) this.#holder.lost()
    }
    const { backplane, recordTtlMs } = this.#options
    const { key, term } = this.#holder.record
    try {
      const updated = backplane.sessions.update(key, term, changes, recordTtlMs)
      if (isThenable(updated)) updated.then(heed).then(undefined, fail)
      else heed(updated)
    } catch (error) {
      fail(error)
    }
  }

  /** `false`: the record is not this owner's any more. Rejects when the store does. */
  async confirm(changed: SessionChanges = {}, ttlMs = this.#options.recordTtlMs): Promise<boolean> {
    const changes = this.#withUnsaved(changed)
    const { key, term } = this.#holder.record
    try {
      return await this.#options.backplane.sessions.update(key, term, changes, ttlMs)
    } catch (error) {
      this.#writeLater(changes)
      throw error
    }
  }

  #withUnsaved(changed: SessionChanges): SessionChanges {
    if (this.#saving === undefined) return changed
    clearTimeout(this.#saving)
    this.#saving = undefined
    return { ...changed, ...changesOf(this.#holder.record) }
  }

  #writeLater(changes: SessionChanges): void {
    if (this.#saving !== undefined || Object.keys(changes).length === 0) return
    const timer = setTimeout(() => this.#holder.isStopped || this.write({}), saveAgainMs)
    unref(timer)
    this.#saving = timer
  }
}
