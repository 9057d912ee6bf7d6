import type { MaybePromise } from '../promises/maybe-promise.ts'
import type { RequestId } from '../rpc/json-rpc.ts'

/**
 * What a deployment keeps outside the endpoint. One node needs only the embedded one; several share one.
 */
export interface Backplane {
  readonly sessions: SessionStore
  readonly events: EventLog
  readonly bus: MessageBus
}

/** What a session needs to be served by any node: the durable half. Plain JSON. */
export interface SessionRecord {
  /** Base64url of SHA-256 of the session id. The id itself is never stored. */
  readonly key: string
  /** Who the session belongs to; `null` when it was opened without authentication. */
  readonly principal: string | null
  /** Negotiated protocol revision. */
  readonly protocolVersion: string
  /** The `params` of `initialize`, to be replayed into a server object built anew. */
  readonly initializeParams: Readonly<Record<string, unknown>>
  /** Capabilities the server answered with. */
  readonly serverCapabilities: Readonly<Record<string, unknown>>
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** Fencing number of the owner. Only ever grows. */
  readonly term: number
  /** The node that owns the session; empty while none does: the next one that is asked takes it over. */
  readonly owner: string
  readonly initialized: boolean
  /** From `logging/setLevel`. */
  readonly logLevel: string | null
  /** URIs from `resources/subscribe`. */
  readonly subscriptions: readonly string[]
}

/**
 * The part of a {@link SessionRecord} that changes while it is owned. An owner that gives the session up makes `owner`
 * empty, and writes nothing more.
 */
export type SessionChanges = Partial<Pick<SessionRecord, 'initialized' | 'logLevel' | 'subscriptions' | 'owner'>>

/** How a node takes a session over. */
export interface Taking {
  /** The term of the record as the node has read it. */
  readonly expectedTerm: number
  /** The node. */
  readonly owner: string
  readonly ttlMs: number
}

/**
 * Keeps session records, with their expiry, and the leases of the nodes that own sessions.
 *
 * A node has one lease for all its sessions, which it renews: so a session that nobody uses costs nothing. The lease
 * says when another node may take over; what keeps the former owner from writing is the term.
 *
 * Contract:
 * - Every method is atomic. A method that rejects has an unknown outcome and may be repeated.
 * - While the database cannot be reached methods reject, at the latest after 10 seconds: that is no answer, and none of
 *   them says that a record is gone.
 * - Keys are opaque text without meaning to the store: any text without NUL. Two keys that differ at all are different.
 * - Records are plain JSON and come back as they were, whatever the client put into them. Neither side changes a record
 *   that it gave or got.
 * - A record not touched for its `ttlMs` is gone: `get` gives `undefined`, `update` and `takeOver` refuse, `list` skips
 *   it, and its key can be created anew.
 * - Times are measured by the database's clock, or by one that each node reads for itself and that only goes forward.
 */
export interface SessionStore {
  /**
   * Adds a record. `false`, and no change, when the key exists. A store that repeats the call by itself after a lost
   * reply does not take the record it has just added for another's.
   */
  create(record: SessionRecord, ttlMs: number): MaybePromise<boolean>
  /** The record, or `undefined` when it is unknown, deleted or expired. Does not prolong it. */
  get(key: string): MaybePromise<SessionRecord | undefined>
  /**
   * Applies changes and prolongs the record; without changes it only prolongs. `false`, and no change, when it is gone
   * or `term` is not the record's term: another node owns it now.
   */
  update(key: string, term: number, changes: SessionChanges, ttlMs: number): MaybePromise<boolean>
  /**
   * Makes the node the owner, with the term after `expectedTerm`, prolongs the record and returns it. It is refused,
   * with no change, when the record's term is another by now, or its owner is another node whose lease runs: then the
   * record is returned as it is. `undefined` when it is gone. Repeated after a lost reply it gives the same again.
   */
  takeOver(key: string, taking: Taking): MaybePromise<SessionRecord | undefined>
  /** Removes the record; given a term, only while that is the record's. `false` when nothing was removed. */
  delete(key: string, term?: number): MaybePromise<boolean>
  /** Every live record once, in no order. Records that come or go meanwhile may be missed. May be left early. */
  list(): AsyncIterable<SessionRecord> | Iterable<SessionRecord>
  /**
   * The node's lease runs for `leaseMs` from now; with 0 it is over. `true` when it ran until now, also where that is
   * this call's own doing, repeated after a lost reply. `false` when it did not: it is the first, it was over, or the
   * store has lost it, and may have lost more.
   */
  renewLease(node: string, leaseMs: number): MaybePromise<boolean>
  /** Whether the node's lease runs. */
  hasLease(node: string): MaybePromise<boolean>
}

/**
 * Place of an event in a session's log. The owner counts `n` up from 1 within its term; no two events share a place.
 */
export interface LogPosition {
  readonly term: number
  readonly n: number
}

/** How dear an event is when the budget runs out. `progress` goes first, then `notification`; `message` goes last. */
export type EventKind = 'progress' | 'notification' | 'message'

/** One entry of a stream. */
export interface LogEvent {
  /** Which stream of the session. */
  readonly streamTag: string
  /** Counts up from 1 within the stream, without gaps. */
  readonly index: number
  readonly position: LogPosition
  readonly kind: EventKind
  /**
   * One JSON-RPC message as JSON text; empty for an entry that only announces the stream, with its request ids, or ends
   * it.
   */
  readonly data: string
  /** `true` on the stream's last event. */
  readonly last: boolean
  /**
   * The client's ids of the requests the stream answers; empty for the standalone stream. The same on every event of
   * the stream.
   */
  readonly requestIds: readonly RequestId[]
}

/** What {@link EventLog.read} gives. */
export interface LogPage {
  /** In order of index. An index that is missing between two events was dropped. */
  readonly events: readonly LogEvent[]
  /** Index of the newest event ever appended to the stream. */
  readonly head: number
  /** Place of that event. */
  readonly headPosition: LogPosition
  /** `true` once the last event was appended. */
  readonly ended: boolean
  /** The `requestIds` of the stream. */
  readonly requestIds: readonly RequestId[]
}

/**
 * Outcome of an append. `fenced`: a newer term has written, or, where the log looks at the session's record, has taken
 * over. `gone`: the log was lost or deleted since this owner began it, or, where the log looks at the record, there is
 * none. Either way nothing was written, of none of its events.
 */
export type AppendOutcome = 'ok' | 'fenced' | 'gone'

/**
 * Keeps the events of every session's streams, so that a client can resume.
 *
 * Contract:
 * - Events of one session are appended by its owner only, in order of position; calls may be made before earlier ones
 *   have settled, and take effect in the order they were made.
 * - The events of one `append` are there all together or not at all, and no read sees a part of them. A log that keeps
 *   budgets may drop some of them at once.
 * - An `append` that rejects has an unknown outcome. Repeated before another, it gives `ok` and each event is there
 *   once; so it does where it had given `ok`.
 * - A term that is lower than one that has written is fenced in every stream of the session.
 * - An appended event is visible to every later `read`, on every node, its `data` byte for byte.
 * - Events may be dropped to stay within a budget: first what was settled, then `progress`, then `notification`, oldest
 *   first, then whole streams that ended, oldest first and delivered ones before others. Where there is twice as much
 *   as the budget, messages of streams that run may go as well, oldest first. The newest event is never dropped.
 * - A log that outlives the process ends with the session's record, at the latest when that expires.
 * - A session's events are reached by its key only: no read crosses sessions. Keys and tags are opaque, as keys are in
 *   {@link SessionStore}.
 * - While the database cannot be reached methods reject, at the latest after 10 seconds. None says that the log is
 *   gone.
 */
export interface EventLog {
  /**
   * Appends events of one session, at least one, in order of position and of one term. They may be of several streams:
   * what came while an append was under way goes with the next, so that the database answers once for all.
   */
  append(sessionKey: string, events: readonly LogEvent[]): MaybePromise<AppendOutcome>
  /**
   * Appends, and publishes messages on the bus of the same backplane: with `ok` all of them, when every `read` gives the
   * events; with any other outcome none. So another node hears of an event a round trip earlier. Messages of a session
   * come in the order of its appends, and in any order with those of `publish`. Repeated it may publish again. A log may
   * do without: then they are published when `append` has given `ok`.
   */
  appendAndPublish?(
    sessionKey: string,
    events: readonly LogEvent[],
    messages: readonly BusMessage[],
  ): MaybePromise<AppendOutcome>
  /**
   * Up to `limit` events of one stream with an index above `after`; with `limit` 0 only what else the page tells.
   * `undefined` when the log knows no such stream. `from`: none of them lies before this position, so that a log that
   * keeps events by position need not look there.
   */
  read(
    sessionKey: string,
    streamTag: string,
    after: number,
    limit: number,
    from?: LogPosition,
  ): MaybePromise<LogPage | undefined>
  /**
   * Says that the stream ended and its last event was written to a connection: it may be dropped before others. Not at
   * once, since what was written may not have arrived. Does not throw.
   */
  release(sessionKey: string, streamTag: string): void
  /**
   * Says that the event need not be kept any more, as a question that has its answer: it may be dropped before all
   * others. Nothing happens when it is not there. A log may do without. Does not throw.
   */
  settle?(sessionKey: string, streamTag: string, index: number): void
  /**
   * Removes every event of the session; given a term, only while no newer one has written or, where the log looks at
   * the session's record, has taken over. Without one it is for who knows that the session is over. A later append
   * gives `gone`, or, where the log keeps no trace and does not look at the record, begins anew.
   */
  delete(sessionKey: string, term?: number): MaybePromise<void>
  /** What is held on this node, for `endpoint.stats()`. */
  stats(): { readonly sessions: number; readonly streams: number; readonly events: number; readonly bytes: number }
}

/** A message, and the channel that it is for. */
export interface BusMessage {
  readonly channel: string
  readonly message: string
}

/**
 * Carries messages between the nodes of one deployment.
 *
 * Contract:
 * - A message may be lost, come late or come twice; those of one publisher on one channel come in order, byte for byte
 *   and whatever their length.
 * - A publisher that subscribes hears itself. Every subscription counts by itself, also of one listener on one channel.
 * - Channels are opaque, as keys are in {@link SessionStore}.
 * - Subscriptions outlive an outage of the database. While it lasts methods settle, at the latest after 10 seconds.
 */
export interface MessageBus {
  publish(channel: string, message: string): MaybePromise<void>
  /**
   * Calls `listener` with every message until the returned function is called, which may be while it is being called,
   * and again later. Calls `missed` each time that messages may have been lost and can be heard again, as after a broken
   * connection: who listens looks for itself then. Neither throws.
   */
  subscribe(
    channel: string,
    listener: (message: string) => void,
    missed?: () => void,
  ): MaybePromise<() => MaybePromise<void>>
}
