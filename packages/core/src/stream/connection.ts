import type { Attendance, Deadlines, OpenConnection } from '../attendance/attendance.ts'
import type { Activity } from '../attendance/seat.ts'
import type { EventSink, EventStreamBody, SinkEvents } from '../http/http.ts'
import type { Link } from '../queues/linked-list.ts'
import { comment } from './sse-format.ts'
import { type ReaderTarget, StreamReader, type StreamReaderOptions } from './stream-reader.ts'
import { TurnBuffer, type TurnTarget } from './turn-buffer.ts'

/**
 * ```
 * unopened ──open──▶ flowing ◀──drain── blocked
 *    │                 │ ▲ ╲              ▲
 *    │            flush│ │  cut, stalled, │
 *   cut                ▼ │  client left   │
 *    │               writing ─────────────┘ no room
 *    ▼                          ╲
 * condemned ──open──▶ flowing ──cut──▶ closed
 * ```
 * `flowing`: the network takes what is written. `writing`: inside the sink, which may ask for more meanwhile. `blocked`:
 * the sink wants no more until it drains. `condemned`: to be cut as soon as it is open, since its client needs the cursor.
 */
type State = 'unopened' | 'condemned' | 'flowing' | 'writing' | 'blocked' | 'closed'

export interface ConnectionOptions extends StreamReaderOptions {
  readonly attendance: Attendance
  readonly activity: Activity
  /** When the server cuts the connection by itself, in milliseconds since the epoch; `Infinity`: never. */
  readonly endsAt: number
}

/** One HTTP response that carries a stream. Counts as activity from the moment it is made. */
export class Connection implements EventStreamBody, SinkEvents, OpenConnection, ReaderTarget, TurnTarget {
  readonly #options: ConnectionOptions
  readonly #reader: StreamReader
  readonly #buffer = new TurnBuffer(this)
  #state: State = 'unopened'
  #sink: EventSink | undefined
  #place: Link<OpenConnection> | undefined
  #activeAt = Date.now()

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#reader = new StreamReader(this, options)
    options.activity.began()
  }

  // ---- EventStreamBody and SinkEvents: what the bridge calls ----

  open(sink: EventSink): SinkEvents {
    const isCondemned = this.#state === 'condemned'
    this.#state = 'flowing'
    this.#sink = sink
    this.#place = this.#options.attendance.opened(this)
    this.#reader.open()
    if (isCondemned) this.cut()
    else this.#reader.pump()
    return this
  }

  drain(): void {
    this.#activeAt = Date.now()
    if (this.#state !== 'blocked' && this.#state !== 'flowing') return
    this.#state = 'flowing'
    this.#buffer.flush()
    this.#reader.pump()
  }

  progress(): void {
    this.#activeAt = Date.now()
  }

  gone(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#buffer.take()
    this.#reader.close()
    if (this.#place) this.#options.attendance.closed(this.#place)
    this.#options.activity.finished()
  }

  // ---- ReaderTarget and TurnTarget ----

  get hasRoom(): boolean {
    return this.#state === 'flowing'
  }

  write(text: string): void {
    this.#buffer.add(text)
  }

  writeNow(text: string): void {
    this.#activeAt = Date.now()
    this.#state = 'writing'
    const hasRoom = this.#sink?.write(text)
    // The sink may have called `gone`.
    if ((this.#state as State) === 'writing') this.#state = hasRoom === false ? 'blocked' : 'flowing'
  }

  /** Ends the connection, not the stream. */
  cut(): void {
    if (this.#state === 'unopened') this.#state = 'condemned'
    if (this.#state === 'condemned' || this.#state === 'closed') return
    const rest = this.#buffer.take()
    this.gone()
    this.#sink?.end(rest)
  }

  // ---- OpenConnection: what the attendance calls ----

  /** Drops a stalled reader, cuts an old connection, keeps a silent one open. */
  tick(now: number, { keepAliveMs, stallMs }: Deadlines): void {
    if (this.#state === 'closed') return
    const silentMs = now - this.#activeAt
    if (this.#state === 'blocked') {
      if (silentMs >= stallMs) this.destroy()
    } else if (now >= this.#options.endsAt) {
      this.cut()
    } else if (keepAliveMs > 0 && silentMs >= keepAliveMs) {
      this.#buffer.add(comment)
    }
  }

  /** Drops the connection at once, with whatever its reader has not taken. */
  destroy(): void {
    this.gone()
    this.#sink?.destroy()
  }
}
