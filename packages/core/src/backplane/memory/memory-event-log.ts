import { Fifo } from '../../queues/fifo.ts'
import type { AppendOutcome, EventLog, LogEvent, LogPage } from '../backplane.ts'
import { SessionEvents, StreamLog, sizeOf, streamOverhead } from './memory-stream-log.ts'

/**
 * Bounds of the event log in memory. Bytes are the UTF-16 units of the messages' JSON text, 150 more per event and 350
 * per stream.
 */
export interface MemoryEventLogOptions {
  /**
   * Bytes of one session. They must exceed what a kernel buffers for one connection, or a client whose connection
   * breaks misses events.
   * @default 8_388_608
   */
  maxBytesPerSession?: number
  /**
   * Events of one session.
   * @default 10_000
   */
  maxEventsPerSession?: number
  /**
   * Bytes of all sessions together.
   * @default 134_217_728
   */
  maxBytes?: number
  /**
   * Events of all sessions together.
   * @default 1_000_000
   */
  maxEvents?: number
  /**
   * How long, in milliseconds, a finished stream is kept after its last event was written to a connection.
   * @default 60_000
   */
  retainMs?: number
}

type Bounds = Required<MemoryEventLogOptions>

/** Dropped streams of a session whose request ids are kept, so that a late client gets an error and does not wait. */
const maxTombstones = 100

/**
 * The event log of one node: an index per stream, so that a resume costs the same whatever else is stored.
 */
export class MemoryEventLog implements EventLog {
  readonly #bounds: Bounds
  readonly #sessions = new Map<string, SessionEvents>()
  readonly #released = new Fifo<StreamLog>()
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
    const stream = this.#push(session, event)
    this.#count(session, 1, sizeOf(event))
    if (event.kind === 'progress') session.progress.push(event)
    else if (event.kind === 'notification') session.notifications.push(event)
    if (event.last) session.finished.push(stream)
    this.#expire(this.#released.peek(), Date.now())
    this.#trim(session, event)
    return 'ok'
  }

  read(sessionKey: string, streamTag: string, after: number, limit: number): LogPage | undefined {
    const stream = this.#sessions.get(sessionKey)?.streams.get(streamTag)
    if (!stream) return undefined
    const { index, position, last, requestIds } = stream.newest
    return { events: stream.slice(after, limit), head: index, headPosition: position, ended: last, requestIds }
  }

  release(sessionKey: string, streamTag: string): void {
    const session = this.#sessions.get(sessionKey)
    const stream = session?.streams.get(streamTag)
    if (!session || !stream || stream.releasedAt !== undefined) return
    stream.releasedAt = Date.now()
    session.released.push(stream)
    this.#released.push(stream)
  }

  delete(sessionKey: string): void {
    const session = this.#sessions.get(sessionKey)
    if (!session) return
    this.#sessions.delete(sessionKey)
    this.#streams -= session.streams.size
    this.#count(session, -session.events, -session.bytes)
    // Some still wait to expire: they must not hold what is gone.
    for (const stream of session.streams.values()) stream.drop()
    session.clear()
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

  #push(session: SessionEvents, event: LogEvent): StreamLog {
    const known = session.streams.get(event.streamTag)
    if (known) {
      known.push(event)
      return known
    }
    const stream = new StreamLog(session, event)
    session.streams.set(event.streamTag, stream)
    this.#streams++
    this.#count(session, 0, streamOverhead)
    return stream
  }

  #count(session: SessionEvents, events: number, bytes: number): void {
    session.events += events
    session.bytes += bytes
    this.#events += events
    this.#bytes += bytes
  }

  /**
   * Drops streams that were delivered long enough ago. Done while appending, so that no timer is needed: without
   * appends nothing grows.
   */
  #expire(oldest: StreamLog | undefined, now: number): void {
    for (let front = oldest; front; front = this.#released.peek()) {
      if (now - (front.releasedAt ?? now) < this.#bounds.retainMs) return
      this.#released.shift()
      this.#dropStream(front)
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

  /** Drops from the oldest sessions first. */
  #trimAll(newest: LogEvent): void {
    for (const session of this.#sessions.values()) {
      while (this.#isFull()) if (!this.#dropOne(session, newest)) break
      if (!this.#isFull()) return
    }
  }

  /** Drops one event or stream, the least needed. `false`: nothing is left that may be dropped. */
  #dropOne(session: SessionEvents, newest: LogEvent): boolean {
    return (
      this.#dropOldest(session, session.progress, newest) ||
      this.#dropOldest(session, session.notifications, newest) ||
      this.#dropFinished(session.released, newest) ||
      this.#dropFinished(session.finished, newest)
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

  #dropFinished(queue: Fifo<StreamLog>, newest: LogEvent): boolean {
    for (let stream = queue.peek(); stream && stream.newest !== newest; stream = queue.peek()) {
      queue.shift()
      if (this.#dropStream(stream)) return true
    }
    return false
  }

  #dropStream(stream: StreamLog): boolean {
    const { session, size } = stream
    if (stream.dropped) return false
    this.#count(session, -size, -stream.drop())
    session.tombstones.push(stream)
    const oldest = session.tombstones.length > maxTombstones ? session.tombstones.shift() : undefined
    if (oldest && session.streams.delete(oldest.newest.streamTag)) this.#streams--
    session.tidy()
    return true
  }
}
