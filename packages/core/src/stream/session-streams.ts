import type { LogPage, LogPosition, SessionRecord } from '../backplane/backplane.ts'
import type { Exchange } from '../call/exchange.ts'
import type { ResolvedOptions } from '../options.ts'
import type { RequestId } from '../rpc/json-rpc.ts'
import type { Revision } from '../rpc/revision.ts'
import type { AuthInfo } from '../rpc/server.ts'
import { Connection } from './connection.ts'
import { standaloneTag } from './event-id.ts'
import { toGapMessages } from './history-gap.ts'
import type { Entry, SessionLog } from './session-log.ts'
import { Stream, type StreamOwner } from './stream.ts'

/** What the streams of a session need to know of it, and tell it. */
export interface StreamsHost {
  readonly record: SessionRecord
  readonly revision: Revision
  readonly canPoll: boolean
  opened(connection: Connection): void
  closed(connection: Connection): void
  /** Nobody is attached to a running exchange, or somebody is again. */
  detached(exchange: Exchange): void
  attached(exchange: Exchange): void
}

/** The last event that a reader has. */
export interface ConnectFrom {
  readonly index: number
  readonly position: LogPosition
  /** It had more of the stream, which went with an earlier owner's log. */
  readonly historyLost?: boolean
}

/** The streams of one live session: the standalone one, and one per call that was upgraded. */
export class SessionStreams implements StreamOwner {
  /** Opened by GET; `undefined` when served without sessions. */
  readonly standalone: Stream | undefined
  readonly log: SessionLog
  readonly #host: StreamsHost
  readonly #options: ResolvedOptions
  readonly #resumable: boolean
  readonly #exchanges = new Map<string, Exchange>()
  #connections = 0

  constructor(host: StreamsHost, log: SessionLog, options: ResolvedOptions, resumable: boolean) {
    this.#host = host
    this.log = log
    this.#options = options
    this.#resumable = resumable
    this.standalone = resumable ? this.#create(standaloneTag, []) : undefined
  }

  get size(): number {
    return this.#exchanges.size + (this.standalone ? 1 : 0)
  }

  /** Connections that are open, or about to be. */
  get connections(): number {
    return this.#connections
  }

  /** A stream that is running or still connected. */
  find(streamTag: string): Stream | undefined {
    return streamTag === standaloneTag ? this.standalone : this.#exchanges.get(streamTag)?.stream
  }

  /** The stream of an exchange. Until its connection opens nobody is attached: the client may have left already. */
  open(exchange: Exchange, requestIds: readonly RequestId[]): Stream {
    const stream = this.#create(this.log.nextTag(), requestIds)
    this.#exchanges.set(stream.streamTag, exchange)
    this.#host.detached(exchange)
    return stream
  }

  /** A call stream that is answered already. */
  openAnswered(text: string, requestId: RequestId): Stream {
    const stream = this.#create(this.log.nextTag(), [requestId])
    this.append(stream, { kind: 'message', data: text, last: true })
    return stream
  }

  /** A stream of which only the log knows. Nobody appends to it any more: what has no end there has lost its call. */
  restore(streamTag: string, page: LogPage): Stream {
    const stream = this.#create(streamTag, page.requestIds)
    stream.restore(page, true)
    return stream
  }

  /** Goes on where an earlier owner of the session stopped. */
  async restoreStandalone(): Promise<void> {
    const page = await this.log.read(standaloneTag, 0, 0)
    if (page) this.standalone?.restore(page, false)
  }

  append(stream: Stream, entry: Entry): void {
    this.log.append(stream, entry)
  }

  /**
   * A connection for a stream: from its beginning, from what was last written to anybody, or from where the client was.
   * Counts as open from now on. `auth` is what its request was let in with.
   */
  connect(
    stream: Stream,
    auth: AuthInfo | undefined,
    from: ConnectFrom = { index: 0, position: stream.origin },
  ): Connection {
    const { eventIds, retryMs, onError } = this.#options
    const { revision } = this.#host
    const isStandalone = stream === this.standalone
    this.#connections++
    return new Connection({
      stream,
      log: this.log,
      eventIds,
      cursor: from.index,
      primingId:
        revision.priming && stream.resumable
          ? eventIds.encode({ streamTag: stream.streamTag, index: from.index, position: from.position })
          : undefined,
      historyLost: from.historyLost ?? false,
      // Spread over time, so that clients cut off together do not come back together.
      retryMs: Math.round(retryMs * (1 + Math.random() / 2)),
      endsAt: Math.min(this.#oldAt(isStandalone), auth?.expiresAt === undefined ? Infinity : auth.expiresAt * 1_000),
      makeUpForGap: () => (isStandalone ? toGapMessages(this.#host.record) : []),
      onError: (error) => onError(error, 'event-log'),
    })
  }

  /** When a connection is old enough to be ended, in milliseconds since the epoch. */
  #oldAt(isStandalone: boolean): number {
    const { maxConnectionAgeMs } = this.#options
    if (maxConnectionAgeMs === 0 || !(isStandalone || this.#host.canPoll)) return Infinity
    return Date.now() + maxConnectionAgeMs * (0.8 + Math.random() * 0.4)
  }

  /** The session is over. Call streams have ended with their last answer; a reader that is behind gets what its connection holds. */
  close(): void {
    this.standalone?.close()
    this.standalone?.connection?.end()
    this.#exchanges.clear()
  }

  // ---- StreamOwner ----

  attached(stream: Stream, connection: Connection): void {
    this.#host.opened(connection)
    const exchange = this.#exchanges.get(stream.streamTag)
    if (exchange) this.#host.attached(exchange)
  }

  detached(stream: Stream, connection: Connection): void {
    this.#connections--
    const exchange = this.#exchanges.get(stream.streamTag)
    if (exchange && !stream.connection) {
      if (exchange.calls.length > 0) this.#host.detached(exchange)
      else if (stream.ended) this.#exchanges.delete(stream.streamTag)
    }
    this.#host.closed(connection)
  }

  finished(stream: Stream): void {
    if (!stream.connection) this.#exchanges.delete(stream.streamTag)
  }

  #create(streamTag: string, requestIds: readonly RequestId[]): Stream {
    return new Stream({ streamTag, requestIds, resumable: this.#resumable, origin: this.log.position, owner: this })
  }
}
