import type { Attendance, Deadlines, OpenConnection } from '../attendance/attendance.ts'
import type { Activity } from '../attendance/seat.ts'
import type { EventSink, EventStreamBody, SinkEvents } from '../http/http.ts'
import { now } from '../promises/clock.ts'
import type { Link } from '../queues/linked-list.ts'
import { comment } from './sse-format.ts'
import { StreamReader, type StreamReaderOptions } from './stream-reader.ts'
import { TurnBuffer } from './turn-buffer.ts'

/**
 * ```
 * unopened ──open──▶ open ──cut, destroy, gone──▶ closed
 *    │                ▲
 *   cut               │ open, and cut at once: its client needs the cursor
 *    ▼                │
 * condemned ──────────┘
 * ```
 * Whether an open one may write now, its buffer knows.
 */
type State = 'unopened' | 'condemned' | 'open' | 'closed'

export interface ConnectionOptions extends StreamReaderOptions {
  readonly attendance: Attendance
  readonly activity: Activity
  /** When its token expires, by {@link now}; `Infinity`: never. The connection is cut then. */
  readonly expiresAt: number
  /**
   * When it is old enough to be broken, by {@link now}; `Infinity`: never. Broken and not ended: clients that take a clean
   * end for the stream's come back from a broken connection only.
   */
  readonly oldAt: number
}

/** One open response that reads a stream. Counts as activity from the moment it is made. */
export class Connection implements EventStreamBody, SinkEvents, OpenConnection {
  readonly #options: ConnectionOptions
  readonly #buffer = new TurnBuffer()
  readonly #reader: StreamReader
  #state: State = 'unopened'
  #sink: EventSink | undefined
  #place: Link<OpenConnection> | undefined

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
    this.#close()
  }

  // ---- OpenConnection: what the attendance calls ----

  /** Drops a stalled reader, ends what has expired or is old, keeps a silent connection open. */
  tick(time: number, { keepAliveMs, stallMs }: Deadlines): void {
    if (this.#state !== 'open') return
    const silentMs = time - this.#buffer.activeAt
    if (!this.#buffer.hasRoom) {
      if (silentMs >= stallMs) this.destroy()
    } else if (time >= this.#options.expiresAt) {
      this.cut()
    } else if (time >= this.#options.oldAt) {
      this.destroy()
    } else if (keepAliveMs > 0 && silentMs >= keepAliveMs) {
      this.#buffer.add(comment)
    }
  }

  /** Breaks the connection off at once, with whatever its client has not read. */
  destroy(): void {
    this.#close()
    this.#sink?.destroy()
  }

  /** Ends the response cleanly. Does not end the stream. */
  cut(): void {
    if (this.#state === 'unopened') this.#state = 'condemned'
    if (this.#state === 'open') this.#sink?.end(this.#close())
  }

  /** Returns what was not written. */
  #close(): string {
    if (this.#state === 'closed') return ''
    this.#state = 'closed'
    const rest = this.#buffer.close()
    this.#reader.close()
    if (this.#place) this.#options.attendance.closed(this.#place)
    this.#options.activity.finished()
    return rest
  }
}
