import type { LogEvent } from '@throughline/mcp-http-core'
import type { Connection } from './database/connection.ts'
import type { Row } from './database/driver.ts'
import { dropStream, keepHead } from './sweep.ts'

export interface LogBounds {
  readonly maxEventsPerSession: number
  readonly maxBytesPerSession: number
}

/** Bytes that an event and a stream count beside their texts. */
const eventBytes = 64
const streamBytes = 100

/** Logs whose size is remembered. That of any other is counted when it is appended to. */
const maxLogs = 10_000

/** How full a log is left, so that it is not trimmed with each event. */
const fill = 0.9

/** Whole streams go from this cost on, and messages of streams that run at the last, only in need. */
const [wholeStreams, inNeed] = [3, 5]

/**
 * All events of a session, in the order in which they go: what is settled, progress, notifications, streams that ended,
 * delivered ones before others, each by their ends; then the rest.
 */
const inOrder = `SELECT event.stream, event.i, octet_length(event.data) + ${eventBytes} AS size,
  event.term * 1e9 + event.n AS place, newest.term * 1e9 + newest.n AS ending, CASE
    WHEN event.settled THEN 0 WHEN event.kind < 2 THEN 1 + event.kind
    WHEN newest.last THEN ${wholeStreams} + (state = 0) ELSE ${inNeed} END AS cost
  FROM stream JOIN event ON event.stream = stream.id JOIN event newest ON newest.stream = stream.id
    AND newest.i = (SELECT max(i) FROM event last WHERE last.stream = stream.id)
  WHERE session = ? ORDER BY cost, CASE WHEN cost IN (3, 4) THEN ending ELSE place END, place`

interface Entry {
  readonly stream: number
  readonly i: number
  readonly size: number
  readonly place: number
  readonly cost: number
}

interface Size {
  /** A log that another node has appended to since is counted anew. */
  readonly term: number
  events: number
  bytes: number
  /** From where on it is trimmed, where nothing could be dropped at the bounds. */
  dueEvents: number
  dueBytes: number
}

/** Keeps the logs of sessions within their bounds. What is called is called within a transaction. */
export class Trimmer {
  readonly #connection: Connection
  readonly #bounds: LogBounds
  readonly #sizes = new Map<number, Size>()

  constructor(connection: Connection, bounds: LogBounds) {
    this.#connection = connection
    this.#bounds = bounds
  }

  /** Some may be counted twice, after a transaction that failed: whoever is over is counted anew. */
  added(session: number, term: number, events: readonly LogEvent[]): void {
    let size = this.#sizes.get(session)
    if (size?.term === term) {
      for (const { data } of events) size.bytes += data.length + eventBytes
      size.events += events.length
    } else {
      size = this.#count(session, term)
    }
    if (size.events > size.dueEvents || size.bytes > size.dueBytes) this.#trim(session, size)
  }

  forget(session: number): void {
    this.#sizes.delete(session)
  }

  #count(session: number, term: number): Size {
    const sql = `SELECT count(*) AS events, total(octet_length(data) + ${eventBytes}) AS bytes
      FROM stream JOIN event ON event.stream = stream.id WHERE session = ?`
    const { events, bytes } = this.#connection.get(sql, session) as Row & Size
    const { maxEventsPerSession: dueEvents, maxBytesPerSession: dueBytes } = this.#bounds
    const size = { term, events, bytes, dueEvents, dueBytes }
    this.#sizes.delete(session)
    this.#sizes.set(session, size)
    const [oldest] = this.#sizes.keys()
    if (this.#sizes.size > maxLogs && oldest !== undefined) this.#sizes.delete(oldest)
    return size
  }

  #trim(session: number, size: Size): void {
    const entries = this.#connection.all(inOrder, session) as unknown as Entry[]
    const streams = `SELECT total(octet_length(request_ids) + ${streamBytes}) AS bytes FROM stream WHERE session = ?`
    size.events = entries.length
    size.bytes = entries.reduce((sum, entry) => sum + entry.size, Number(this.#connection.get(streams, session)?.bytes))
    const newest = entries.reduce((one, other) => (one.place > other.place ? one : other))
    this.#drop(
      size,
      newest,
      fill,
      entries.filter(({ cost }) => cost < inNeed),
    )
    if (this.#isOver(size, fill)) this.#connection.run('DELETE FROM stream WHERE session = ? AND state = 2', session)
    if (this.#isOver(size, 2))
      this.#drop(
        size,
        newest,
        2 * fill,
        entries.filter(({ cost }) => cost === inNeed),
      )
    size.dueEvents = dueAt(size.events, this.#bounds.maxEventsPerSession)
    size.dueBytes = dueAt(size.bytes, this.#bounds.maxBytesPerSession)
  }

  #isOver({ events, bytes }: Size, factor: number): boolean {
    const { maxEventsPerSession, maxBytesPerSession } = this.#bounds
    return events > factor * maxEventsPerSession || bytes > factor * maxBytesPerSession
  }

  #drop(size: Size, newest: Entry, factor: number, entries: readonly Entry[]): void {
    const begun = new Set<number>()
    let whole: number | undefined
    for (const entry of entries) {
      const isWhole = entry.cost >= wholeStreams && entry.cost < inNeed
      if (entry.stream !== whole) {
        if (!this.#isOver(size, factor)) return
        if (isWhole ? entry.stream === newest.stream : entry === newest) continue
        if (!isWhole && !begun.has(entry.stream)) keepHead(this.#connection, entry.stream)
        if (isWhole) dropStream(this.#connection, entry.stream)
        begun.add(entry.stream)
        whole = isWhole ? entry.stream : undefined
      }
      if (!isWhole) this.#connection.run('DELETE FROM event WHERE stream = ? AND i = ?', entry.stream, entry.i)
      size.events--
      size.bytes -= entry.size
    }
  }
}

function dueAt(kept: number, max: number): number {
  return Math.max(max, Math.min(2 * max, Math.floor(kept * 1.05)))
}
