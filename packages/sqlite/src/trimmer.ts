import {
  dueAt,
  eventBytes,
  type LogBounds,
  type LogEvent,
  planTrim,
  type StoredEvent,
} from '@throughline/mcp-http-core'
import type { Connection } from './database/connection.ts'
import type { Row } from './database/driver.ts'
import { dropStream, forgetStream, keepHead } from './sweep.ts'

/** Logs whose size is remembered. That of any other is counted when it is appended to. */
const maxLogs = 10_000

/** All but the texts. A stream without events has one row. */
const readLog = `SELECT stream.id, state, octet_length(tag || request_ids) AS own, i, event.term, event.n, kind, event.last,
    settled, octet_length(data) AS size
  FROM stream LEFT JOIN event ON event.stream = stream.id WHERE session = ?`

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
    const connection = this.#connection
    const plan = planTrim(connection.all(readLog, session).map(toEntry), this.#bounds)
    for (const stream of new Set(plan.streams)) keepHead(connection, stream)
    for (const [i, stream] of plan.streams.entries()) {
      connection.run('DELETE FROM event WHERE stream = ? AND i = ?', stream, plan.indexes[i] as number)
    }
    for (const stream of plan.ended) dropStream(connection, stream)
    for (const stream of plan.forgotten) forgetStream(connection, stream)
    size.events = plan.events
    size.bytes = plan.bytes
    size.dueEvents = dueAt(plan.events, this.#bounds.maxEventsPerSession)
    size.dueBytes = dueAt(plan.bytes, this.#bounds.maxBytesPerSession)
  }
}

function toEntry({ id, i, state, own, term, n, kind, last, settled, size }: Row): StoredEvent {
  const place = { stream: id as number, index: (i as number | null) ?? undefined, term: term as number, n: n as number }
  const what = { kind: kind as number, isLast: last === 1, isSettled: settled === 1, size: size as number }
  return { ...place, ...what, state: state as number, own: own as number }
}
