import type { SessionRecord } from '../backplane/backplane.ts'
import type { SessionParts } from './open-session.ts'
import { takeRecord } from './rebuild-session.ts'
import { type SessionHandle, SessionMoved } from './session-handle.ts'

/** A session that lives on no node, for who ends it: that needs neither a server object nor room for one. */
export class StoredSession implements SessionHandle {
  readonly record: SessionRecord
  readonly #parts: SessionParts

  constructor(record: SessionRecord, parts: SessionParts) {
    this.record = record
    this.#parts = parts
  }

  post(): never {
    throw new SessionMoved()
  }

  listen(): never {
    throw new SessionMoved()
  }

  async end(): Promise<void> {
    const { sessions, events } = this.#parts.options.backplane
    const { key } = this.record
    // Its owner may only have stood still: by the time the store deletes the record it is back, and would not hear of it.
    const taken = await takeRecord(this.record, this.#parts)
    if (taken && (await sessions.delete(key, taken.term))) await events.delete(key, taken.term)
    // Somebody has brought it to life since.
    else if (await sessions.get(key)) throw new SessionMoved()
  }
}
