import {
  dueAt,
  eventBytes,
  type LogBounds,
  type LogEvent,
  planTrim,
  type StoredEvent,
} from '@throughline/mcp-http-core'
import { type Row, within } from './client/postgres-client.ts'
import type { Database } from './database.ts'
import { toArray } from './names.ts'

/** Logs whose size is remembered. That of any other is counted when it is appended to. */
const maxLogs = 10_000

interface Size {
  /** A log that another node has appended to since is counted anew. */
  readonly term: number
  events: number
  bytes: number
  /** From where on it is trimmed, where nothing could be dropped at the bounds. */
  dueEvents: number
  dueBytes: number
  trimming?: Promise<void>
}

/** Keeps the logs of sessions within their bounds. The node that appends to a log knows how large it is. */
export class Trimmer {
  readonly #database: Database
  readonly #bounds: LogBounds
  readonly #settled: () => Promise<unknown>
  readonly #sizes = new Map<string, Size>()

  /** `settled`: resolves when it is stored what need not be kept. */
  constructor(database: Database, bounds: LogBounds, settled: () => Promise<unknown>) {
    this.#database = database
    this.#bounds = bounds
    this.#settled = settled
  }

  /**
   * The events are stored, whatever becomes of this: the next that is over tries again. Does not reject. A trim that takes
   * longer than until `endsAt` goes on, and is waited for by the next that is over. `undefined`: there is none.
   */
  added(name: string, events: readonly LogEvent[], endsAt: number): Promise<void> | undefined {
    const { term, n } = (events[0] as LogEvent).position
    let size = this.#sizes.get(name)
    const isKnown = size?.term === term || (term === 1 && n === 1)
    if (size?.term !== term) size = this.#begin(name, term)
    size.events += events.length
    for (const { data } of events) size.bytes += data.length + eventBytes
    const isOver = size.events > size.dueEvents || size.bytes > size.dueBytes
    if (!isKnown || isOver) size.trimming ??= this.#trim(name, size)
    const { trimming } = size
    return trimming && within(endsAt - performance.now(), 'a trim', trimming).catch(() => undefined)
  }

  forget(name: string): void {
    this.#sizes.delete(name)
  }

  #begin(name: string, term: number): Size {
    const { maxEventsPerSession: dueEvents, maxBytesPerSession: dueBytes } = this.#bounds
    const size = { term, events: 0, bytes: 0, dueEvents, dueBytes }
    this.#sizes.delete(name)
    this.#sizes.set(name, size)
    const [oldest] = this.#sizes.keys()
    if (this.#sizes.size > maxLogs && oldest !== undefined) this.#sizes.delete(oldest)
    return size
  }

  async #trim(name: string, size: Size): Promise<void> {
    const { events, bytes } = size
    try {
      await this.#settled()
      const plan = planTrim((await this.#database.read(readLog, [name])).map(toEntry), this.#bounds)
      const { streams, indexes, ended, forgotten } = plan
      if (streams.length + ended.length + forgotten.length > 0) {
        await this.#database.write(drop, [name, `${size.term}`, ...[streams, indexes, ended, forgotten].map(toArray)])
      }
      // With what came meanwhile, some of which may be counted twice.
      size.events += plan.events - events
      size.bytes += plan.bytes - bytes
      size.dueEvents = dueAt(plan.events, this.#bounds.maxEventsPerSession)
      size.dueBytes = dueAt(plan.bytes, this.#bounds.maxBytesPerSession)
    } catch {
      // Counted anew.
      if (this.#sizes.get(name) === size) this.#sizes.delete(name)
    } finally {
      delete size.trimming
    }
  }
}

/** All but the texts, oldest first. A stream without events has one row. */
const readLog = `SELECT k.id, k.state, octet_length(k.tag || k.request_ids) AS own, e.i, e.term, e.n, e.kind,
    e.last::int AS last, e.settled::int AS settled, octet_length(e.data) AS size
  FROM mcp.session s JOIN mcp.stream k ON k.session = s.id LEFT JOIN mcp.event e ON e.stream = k.id WHERE s.name = $1`

const drop = `SELECT mcp.drop_1($1, $2::text::bigint, $3::text::bigint[], $4::text::bigint[], $5::text::bigint[],
  $6::text::bigint[])`

function toEntry({ id, i, state, own, term, n, kind, last, settled, size }: Row): StoredEvent {
  const place = { stream: Number(id), index: i === null ? undefined : Number(i), term: Number(term), n: Number(n) }
  const what = { kind: Number(kind), isLast: Number(last) === 1, isSettled: Number(settled) === 1 }
  return { ...place, ...what, state: Number(state), own: Number(own), size: Number(size) }
}
