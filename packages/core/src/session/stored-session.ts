import type { EventLog, SessionRecord, SessionStore } from '../backplane/backplane.ts'
import { type SessionHandle, SessionMoved } from './session-handle.ts'

export interface StoredSessionParts {
  readonly sessions: SessionStore
  readonly events: EventLog
}

/** A session that lives on no node, for who ends it: that needs neither a server object nor room for one. */
export class StoredSession implements SessionHandle {
  readonly record: SessionRecord
  readonly #parts: StoredSessionParts

  constructor(record: SessionRecord, parts: StoredSessionParts) {
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
    const { sessions, events } = this.#parts
    const { key, term } = this.record
    if (await sessions.delete(key, term)) await events.delete(key, term)
    // Somebody has brought it to life since.
    else if (await sessions.get(key)) throw new SessionMoved()
  }
}
