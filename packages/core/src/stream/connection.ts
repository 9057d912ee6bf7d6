import type { Attendance, Deadlines, OpenConnection } from '../attendance/attendance.ts'
import type { Activity } from '../attendance/seat.ts'
import { begun, traces } from '../diagnostics/channels.ts'
import type { StreamMessage } from '../diagnostics/messages.ts'
import type { EventSink, EventStreamBody, SinkEvents } from '../http/http.ts'
import { now } from '../promises/clock.ts'
import type { Link } from '../queues/linked-list.ts'
import { standaloneTag } from './event-id.ts'
import type { Feed } from './feed.ts'
import { comment } from './sse-format.ts'
import { type Cursor, StreamReader, type StreamReaderOptions } from './stream-reader.ts'
import { TurnBuffer } from './turn-buffer.ts'

/**
 * ```
 * unopened ──open──▶ open ──cut──▶ ending ──gone──▶ closed
 *    │                ▲ └───destroy, gone──────────────┘
 *   cut               │ open, and cut at once: its client needs the cursor
 *    ▼                │
 * condemned ──────────┘
 * ```
 * Whether an open one may write now, its buffer knows. One that is ending has nothing more to write, but its client has
 * not taken all of it.
 */
type State = 'unopened' | 'condemned' | 'open' | 'ending' | 'closed'

export interface ConnectionOptions extends StreamReaderOptions {
  readonly attendance: Attendance
  readonly activity: Activity
  /** When its token expires, by {@link now}; `Infinity`: never. The connection is cut then. */
  readonly expiresAt: number
  /**
   * When it is old enough to be broken, by {@link now}; `Infinity`: never. Broken and not ended: clients that take a
   * clean end for the stream's come back from a broken connection only.
   */
  readonly oldAt: number
  /** The response is complete, or its connection is gone. */
  readonly closed?: (() => void) | undefined
}

/** A stream, and where its reader begins. */
export interface HandedOver {
  readonly feed: Feed
  readonly from: Cursor
  readonly activity: Activity
  /** It ends as soon as its client has a cursor. */
  readonly isCut: boolean
  readonly ages: boolean
  readonly expires: boolean
}

/** One open response that reads a stream. Counts as activity from the moment it is made. */
export class Connection implements EventStreamBody, SinkEvents, OpenConnection {
  readonly #options: ConnectionOptions
  readonly #buffer = new TurnBuffer()
  readonly #reader: StreamReader
  #state: State = 'unopened'
  #sink: EventSink | undefined
  #place: Link<OpenConnection> | undefined
  #trace: StreamMessage | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#reader = new StreamReader(this, this.#buffer, options)
    options.activity.began()
  }

  // ---- EventStreamBody and SinkEvents: what the bridge calls ----

  open(sink: EventSink): SinkEvents {
    const isCondemned = this.#state === 'condemned'
    this.#state = 'open'
    this.#sink = sink
    this.#place = this.#options.attendance.opened(this)
    if (traces.stream.isObserved) this.#trace = traceConnection(this.#options)
    this.#buffer.open(sink)
    this.#reader.open()
    if (isCondemned) this.cut()
    else this.#reader.pump()
    return this
  }

  drain(): void {
    this.progress()
    if (this.#state !== 'open') return
    if (this.#buffer.drained()) this.#reader.pump()
  }

  progress(): void {
    this.#buffer.activeAt = now()
  }

  gone(): void {
    this.#close(this.#state === 'ending' ? 'ended' : 'left')
  }

  // ---- OpenConnection: what the attendance calls ----

  /** Drops a stalled reader, ends what has expired or is old, keeps a silent connection open. */
  tick(time: number, { keepAliveMs, stallMs }: Deadlines): void {
    if (this.#state === 'closed') return
    if (this.#state === 'open') this.#reader.tryAgain()
    const { expiresAt, oldAt } = this.#options
    const silentMs = time - this.#buffer.activeAt
    const isEnding = this.#state === 'ending'
    if (isEnding || !this.#buffer.hasRoom) {
      // Its token and its age count however slowly it reads: each piece that it takes would spare it for a stall's
      // time more.
      const overdueMs = time - Math.min(expiresAt, oldAt)
      if (silentMs >= stallMs || overdueMs >= (isEnding ? stallMs : 0)) this.destroy()
    } else if (time >= expiresAt) {
      this.cut()
    } else if (time >= oldAt && this.#reader.mayEnd) {
      this.destroy()
    } else if (keepAliveMs > 0 && silentMs >= keepAliveMs) {
      this.#buffer.add(comment)
    }
  }

  /** It is open only for what its client has not taken yet: the stream has no more for it. */
  get isSpare(): boolean {
    return this.#state === 'ending' || (this.#state === 'open' && this.#options.feed.ended)
  }

  /** Breaks the connection off at once, with whatever its client has not read. */
  destroy(): void {
    this.#close('broken')
    this.#sink?.destroy()
  }

  /** Ends the response cleanly. Does not end the stream. */
  cut(): void {
    if (this.#state === 'unopened') this.#state = 'condemned'
    if (this.#state !== 'open') return
    this.#reader.giveCursor()
    if (!this.#reader.mayEnd) return this.destroy()
    this.#state = 'ending'
    const rest = this.#stop()
    // The time of a stall, for what is on its way now.
    this.progress()
    this.#sink?.end(rest)
  }

  /**
   * Gives the stream to a reader on another node: nothing was written yet, and nothing will be. That one may be broken
   * when it is old, and ends with its token, where this one would be.
   */
  handOver(): HandedOver {
    const isCut = this.#state === 'condemned'
    this.#close('ended')
    const { feed, from, activity, oldAt, expiresAt } = this.#options
    return { feed, from, activity, isCut, ages: oldAt !== Infinity, expires: expiresAt !== Infinity }
  }

  #close(outcome: NonNullable<StreamMessage['outcome']>): void {
    const before = this.#state
    if (before === 'closed') return
    this.#state = 'closed'
    if (before !== 'ending') this.#stop()
    if (this.#place) this.#options.attendance.closed(this.#place)
    this.#options.closed?.()
    if (!this.#trace) return
    this.#trace.to = this.#reader.cursor
    this.#trace.outcome = outcome
    traces.stream.finish(this.#trace)
  }

  /** Nothing is written any more. Returns what was not written. */
  #stop(): string {
    const rest = this.#buffer.close()
    this.#reader.close()
    this.#options.activity.finished()
    return rest
  }
}

function traceConnection({ attendance, feed, format, from, sessionKey }: ConnectionOptions): StreamMessage {
  const { streamTag, requestIds } = feed
  const trace: StreamMessage = {
    ...begun(attendance.endpoint),
    // What nobody can come back to has no session.
    sessionKey: format.canResume ? sessionKey : undefined,
    kind: streamTag === standaloneTag ? 'standalone' : 'call',
    ...{ streamTag, requestIds, from: from.index },
  }
  traces.stream.begin(trace)
  return trace
}
