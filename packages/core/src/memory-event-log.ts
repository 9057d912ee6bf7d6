import type { AppendOutcome, EventLog, LogEvent, LogPage } from './backplane.ts'

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

/** Counted for what an event costs beside its text. */
const eventOverhead = 100

/** Dropped streams of a session whose request ids are remembered, so that a late reader is told and does not wait. */
const maxTombstones = 100

class StreamLog {
  readonly requestIds: LogEvent['requestIds']
  head = 0
  ended = false
  released = false
  dropped = false
  /** In order of index, from `#start`; dropped ones are taken out. */
  #events: LogEvent[] = []
  #start = 0

  constructor(requestIds: LogEvent['requestIds']) {
    this.requestIds = requestIds
  }

  get size(): number {
    return this.#events.length - this.#start
  }

  push(event: LogEvent): void {
    this.#events.push(event)
    this.head = event.index
    this.ended = event.last
  }

  slice(after: number, limit: number): LogEvent[] {
    const from = this.#seek(after)
    return this.#events.slice(from, from + limit)
  }

  remove(event: LogEvent): boolean {
    const at = this.#seek(event.index - 1)
    if (this.#events[at] !== event) return false
    if (at > this.#start) this.#events.splice(at, 1)
    else if (++this.#start > 64 && this.#start * 2 > this.#events.length) this.#forget()
    return true
  }

  /** Empties the stream; what remains says that it was there. Returns the bytes it held. */
  drop(): number {
    this.#forget()
    const bytes = this.#events.reduce((sum, event) => sum + sizeOf(event), 0)
    this.#events = []
    this.dropped = true
    return bytes
  }

  #forget(): void {
    this.#events = this.#events.slice(this.#start)
    this.#start = 0
  }

  /** Place of the first event with an index above `after`. */
  #seek(after: number): number {
    let low = this.#start
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#events[middle] as LogEvent).index <= after) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** A queue whose front is taken off in constant time. */
class Fifo<T> {
  #items: T[] = []
  #start = 0

  get length(): number {
    return this.#items.length - this.#start
  }

  push(item: T): void {
    this.#items.push(item)
  }

  peek(): T | undefined {
    return this.#items[this.#start]
  }

  shift(): T | undefined {
    const item = this.#items[this.#start]
    this.#start++
    if (this.#start > 64 && this.#start * 2 > this.#items.length) this.keep(() => true)
    return item
  }

  /** Forgets what need not be kept. */
  keep(predicate: (item: T) => boolean): void {
    this.#items = this.#items.slice(this.#start).filter(predicate)
    this.#start = 0
  }
}

class SessionEvents {
  readonly streams = new Map<string, StreamLog>()
  readonly progress = new Fifo<LogEvent>()
  readonly notifications = new Fifo<LogEvent>()
  /** Ended streams, in order of their end. */
  readonly released = new Fifo<string>()
  readonly finished = new Fifo<string>()
  readonly tombstones = new Fifo<string>()
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
    const { head, ended, requestIds } = stream
    return { events: stream.slice(after, limit), head, ended, requestIds }
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

function sizeOf(event: LogEvent): number {
  return event.data.length + eventOverhead
}
