import type { AppendOutcome, EventLog, LogEvent, LogPage } from './backplane.ts'
import { Fifo, StreamLog, sizeOf } from './memory-stream-log.ts'

/** Bounds of the embedded event log. A byte is a UTF-16 unit of the message's JSON text. */
export interface MemoryEventLogOptions {
  /**
   * What one session may hold. It must exceed what a kernel buffers for one connection, or a cut connection loses events.
   * @default 8_388_608
   */
  maxBytesPerSession?: number
  /** @default 10_000 */
  maxEventsPerSession?: number
  /**
   * What all sessions together may hold.
   * @default 134_217_728
   */
  maxBytes?: number
  /** @default 1_000_000 */
  maxEvents?: number
  /**
   * How long, in milliseconds, a finished stream is kept after its last event was written to a connection.
   * @default 60_000
   */
  retainMs?: number
}

type Bounds = Required<MemoryEventLogOptions>

/** Dropped streams of a session whose request ids are remembered, so that a late reader is told and does not wait. */
const maxTombstones = 100

class SessionEvents {
  readonly streams = new Map<string, StreamLog>()
  readonly progress = new Fifo<LogEvent>()
  readonly notifications = new Fifo<LogEvent>()
  /** Ended streams, in order of their end. */
  readonly released = new Fifo<string>()
  readonly finished = new Fifo<string>()
  readonly tombstones = new Fifo<string>()
  /** Highest that has written: what comes with a lower one is of an owner that was succeeded. */
  term = 0
  bytes = 0
  events = 0

  /** The queues also hold what left with its stream; they are cleaned when that is more than half. */
  tidy(): void {
    for (const queue of [this.progress, this.notifications]) {
      if (queue.length > 2 * this.events + 64) {
        queue.keep(({ streamTag }) => this.streams.get(streamTag)?.dropped === false)
      }
    }
    for (const queue of [this.released, this.finished]) {
      if (queue.length > 2 * this.streams.size + 64) {
        queue.keep((streamTag) => this.streams.get(streamTag)?.dropped === false)
      }
    }
  }
}

/**
 * The event log of one node: an index per stream, so that a resume costs the same whatever else is stored.
 */
export class MemoryEventLog implements EventLog {
  readonly #bounds: Bounds
  readonly #sessions = new Map<string, SessionEvents>()
  readonly #released = new Fifo<{ sessionKey: string; streamTag: string; at: number }>()
  #streams = 0
  #bytes = 0
  #events = 0

  constructor(bounds: Bounds) {
    this.#bounds = bounds
  }

  append(sessionKey: string, event: LogEvent): AppendOutcome {
    const session = this.#sessionOf(sessionKey)
    if (event.position.term < session.term) return 'fenced'
    session.term = event.position.term
    const stream = this.#streamOf(session, event)
    stream.push(event)
    if (event.kind === 'progress') session.progress.push(event)
    else if (event.kind === 'notification') session.notifications.push(event)
    if (event.last) session.finished.push(event.streamTag)
    this.#count(session, 1, sizeOf(event))
    session.tidy()
    this.#expire(Date.now())
    this.#trim(session, event)
    return 'ok'
  }

  read(sessionKey: string, streamTag: string, after: number, limit: number): LogPage | undefined {
    const stream = this.#sessions.get(sessionKey)?.streams.get(streamTag)
    if (!stream) return undefined
    const { head, headPosition, ended, requestIds } = stream
    return { events: stream.slice(after, limit), head, headPosition, ended, requestIds }
  }

  release(sessionKey: string, streamTag: string): void {
    const session = this.#sessions.get(sessionKey)
    const stream = session?.streams.get(streamTag)
    if (!session || !stream || stream.released) return
    stream.released = true
    session.released.push(streamTag)
    this.#released.push({ sessionKey, streamTag, at: Date.now() })
  }

  delete(sessionKey: string): void {
    const session = this.#sessions.get(sessionKey)
    if (!session) return
    this.#sessions.delete(sessionKey)
    this.#streams -= session.streams.size
    this.#events -= session.events
    this.#bytes -= session.bytes
  }

  stats(): { sessions: number; streams: number; events: number; bytes: number } {
    return { sessions: this.#sessions.size, streams: this.#streams, events: this.#events, bytes: this.#bytes }
  }

  #sessionOf(sessionKey: string): SessionEvents {
    let session = this.#sessions.get(sessionKey)
    if (!session) {
      session = new SessionEvents()
      this.#sessions.set(sessionKey, session)
    }
    return session
  }

  #streamOf(session: SessionEvents, { streamTag, requestIds }: LogEvent): StreamLog {
    let stream = session.streams.get(streamTag)
    if (!stream) {
      stream = new StreamLog(requestIds)
      session.streams.set(streamTag, stream)
      this.#streams++
    }
    return stream
  }

  #count(session: SessionEvents, events: number, bytes: number): void {
    session.events += events
    session.bytes += bytes
    this.#events += events
    this.#bytes += bytes
  }

  /** Streams that were delivered long enough ago. Done while appending, so that no timer is needed: without appends nothing grows. */
  #expire(now: number): void {
    const { retainMs } = this.#bounds
    for (let front = this.#released.peek(); front && now - front.at >= retainMs; front = this.#released.peek()) {
      this.#released.shift()
      const session = this.#sessions.get(front.sessionKey)
      if (session) this.#dropStream(session, front.streamTag)
    }
  }

  #trim(session: SessionEvents, newest: LogEvent): void {
    const { maxBytesPerSession, maxEventsPerSession } = this.#bounds
    while (session.bytes > maxBytesPerSession || session.events > maxEventsPerSession) {
      if (!this.#dropOne(session, newest)) break
    }
    if (this.#isFull()) this.#trimAll(newest)
  }

  #isFull(): boolean {
    return this.#bytes > this.#bounds.maxBytes || this.#events > this.#bounds.maxEvents
  }

  /** The oldest sessions pay first. */
  #trimAll(newest: LogEvent): void {
    for (const session of this.#sessions.values()) {
      while (this.#isFull()) if (!this.#dropOne(session, newest)) break
      if (!this.#isFull()) return
    }
  }

  /** Drops what is cheapest to lose. `false`: nothing is left that may go. */
  #dropOne(session: SessionEvents, newest: LogEvent): boolean {
    return (
      this.#dropOldest(session, session.progress, newest) ||
      this.#dropOldest(session, session.notifications, newest) ||
      this.#dropFinished(session, session.released, newest) ||
      this.#dropFinished(session, session.finished, newest)
    )
  }

  #dropOldest(session: SessionEvents, queue: Fifo<LogEvent>, newest: LogEvent): boolean {
    for (let event = queue.peek(); event && event !== newest; event = queue.peek()) {
      queue.shift()
      // Its stream may be gone already.
      if (!session.streams.get(event.streamTag)?.remove(event)) continue
      this.#count(session, -1, -sizeOf(event))
      return true
    }
    return false
  }

  #dropFinished(session: SessionEvents, queue: Fifo<string>, newest: LogEvent): boolean {
    for (let streamTag = queue.peek(); streamTag && streamTag !== newest.streamTag; streamTag = queue.peek()) {
      queue.shift()
      if (this.#dropStream(session, streamTag)) return true
    }
    return false
  }

  #dropStream(session: SessionEvents, streamTag: string): boolean {
    const stream = session.streams.get(streamTag)
    if (!stream || stream.dropped) return false
    this.#count(session, -stream.size, 0)
    this.#count(session, 0, -stream.drop())
    session.tombstones.push(streamTag)
    const oldest = session.tombstones.length > maxTombstones ? session.tombstones.shift() : undefined
    if (oldest !== undefined && session.streams.delete(oldest)) this.#streams--
    return true
  }
}
