import type { EventKind, LogEvent, LogPage, LogPosition } from '../backplane/backplane.ts'
import type { RequestId } from '../rpc/json-rpc.ts'
import type { Connection } from './connection.ts'

/** Bytes appended but not yet written, above which senders wait for the reader; and below which they go on. */
const highWater = 1_048_576
const lowWater = 524_288

/** What a stream tells the session it belongs to. */
export interface StreamOwner {
  attached(stream: Stream, connection: Connection): void
  detached(stream: Stream, connection: Connection): void
  /** The last event is visible to readers. */
  finished(stream: Stream): void
}

export interface StreamOptions {
  readonly streamTag: string
  readonly requestIds: readonly RequestId[]
  readonly resumable: boolean
  readonly origin: LogPosition
  readonly owner: StreamOwner
}

/**
 * A numbered run of events. It outlives connections: the log keeps its events, at most one connection at a time reads
 * them, and senders are held back by the reader's pace, not by memory.
 */
export class Stream {
  readonly streamTag: string
  readonly requestIds: readonly RequestId[]
  /** `false`: events carry no ids and nobody can resume. */
  readonly resumable: boolean
  /** Place in the session's log before the first event. */
  readonly origin: LogPosition
  /** Index given to the newest event, stored or not. */
  assigned = 0
  /** Index of the newest event that is stored: readers may see it. */
  head = 0
  /** Place of that event. */
  headAt: LogPosition
  /** Highest index ever written to a connection. */
  written = 0
  /** Place of the event with that index. */
  writtenAt: LogPosition
  /** The last event is stored. */
  ended = false
  /** The connection that reads the stream now. */
  connection: Connection | undefined
  readonly #owner: StreamOwner
  #backlog = 0
  #room: { promise: Promise<void>; open: () => void } | undefined

  constructor(options: StreamOptions) {
    this.streamTag = options.streamTag
    this.requestIds = options.requestIds
    this.resumable = options.resumable
    this.origin = options.origin
    this.headAt = options.origin
    this.writtenAt = options.origin
    this.#owner = options.owner
  }

  /** What the log knows of the stream, as of its event with index `head`. */
  restore({ head, headPosition }: Pick<LogPage, 'head' | 'headPosition'>, ended: boolean): void {
    this.assigned = head
    this.head = head
    this.headAt = headPosition
    this.ended = ended
  }

  /** An event is stored: whoever reads the stream gets it. */
  stored(event: LogEvent): void {
    this.head = event.index
    this.headAt = event.position
    this.#backlog += event.data.length
    if (event.last) this.ended = true
    this.connection?.deliver(event)
    if (this.ended) this.#finish()
  }

  /** An event could not be stored: only a reader that is up to date gets it. */
  unstored(event: LogEvent): void {
    this.head = event.index
    this.headAt = event.position
    if (event.last) this.ended = true
    this.connection?.deliver(event, false)
    if (this.ended) this.#finish()
  }

  /** A connection takes the stream over. The one before is ended, never the new one refused: dead peers look open for minutes. */
  attach(connection: Connection): void {
    const before = this.connection
    this.connection = connection
    before?.end()
    this.#owner.attached(this, connection)
  }

  detach(connection: Connection): void {
    if (this.connection === connection) {
      this.connection = undefined
      if (this.requestIds.length === 0) this.#openRoom()
    }
    this.#owner.detached(this, connection)
  }

  /** A connection has written an event. */
  wrote(event: LogEvent): void {
    if (event.index <= this.written) return
    this.written = event.index
    this.writtenAt = event.position
    this.#backlog = event.index === this.head ? 0 : this.#backlog - event.data.length
    if (this.#backlog <= lowWater) this.#openRoom()
  }

  /**
   * Resolves when a sender may go on; `undefined` when it need not wait. A call's sender waits for the reader also while
   * it is away, so that it misses nothing: it comes back, or the call is abandoned. Of the standalone stream nobody
   * knows whether a reader will ever come, so there the log drops the oldest instead.
   */
  room(): Promise<void> | undefined {
    if (this.#backlog <= highWater || this.ended || (this.requestIds.length === 0 && !this.connection)) return undefined
    this.#room ??= createRoom()
    return this.#room.promise
  }

  /** No event follows and nobody waits any longer. */
  close(): void {
    this.ended = true
    this.#openRoom()
  }

  #finish(): void {
    this.#openRoom()
    this.#owner.finished(this)
  }

  #openRoom(): void {
    this.#room?.open()
    this.#room = undefined
  }
}

function createRoom(): { promise: Promise<void>; open: () => void } {
  let open: () => void = () => undefined
  const promise = new Promise<void>((resolve) => {
    open = resolve
  })
  return { promise, open }
}

/** How dear a message is when the log's budget runs out. */
export function kindOf(method: string, isRequest: boolean): EventKind {
  if (isRequest) return 'message'
  return method === 'notifications/progress' ? 'progress' : 'notification'
}
