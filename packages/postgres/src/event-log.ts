import type {
  AppendOutcome,
  BusMessage,
  EventKind,
  EventLog,
  LogBounds,
  LogEvent,
  LogPage,
} from '@throughline/mcp-http-core'
import { Batches } from './batches.ts'
import type { Row } from './client/postgres-client.ts'
import type { Database } from './database.ts'
import type { PostgresBus } from './message-bus.ts'
import { fromSeparated, fromStored, toArray, toName, toNotifyChannel, toSeparated, toStored } from './names.ts'
import type { Sweeper } from './sweeper.ts'
import { Trimmer } from './trimmer.ts'

const kinds: readonly EventKind[] = ['progress', 'notification', 'message']

/** How long, in milliseconds, an append may take with the trim that it waits for. The contract says 10 seconds. */
const longestAppendMs = 9_000

interface Append {
  readonly name: string
  readonly events: readonly LogEvent[]
  readonly messages: readonly BusMessage[]
}

const appendAll = `mcp.append_1($1::text::text[], $2::text::bigint[], $3::text::int[], $4::text::text[],
  $5::text::text[], $6::text::int[], $7::text::bigint[], $8::text::bigint[], $9::text::smallint[],
  $10::text::boolean[], ${fromSeparated('$11')})`

const append = `SELECT ${appendAll}::text AS outcomes`

/** Messages, and the channels of `NOTIFY`, each of one append: what that stores and who hears of it is committed at once. */
const appendAndPublish = `WITH appended AS MATERIALIZED (SELECT ${appendAll} AS outcomes),
  added AS (INSERT INTO mcp.message (channel, text) SELECT m.channel, m.text FROM appended,
    unnest($12::text::int[], $13::text::text[], ${fromSeparated('$14')}) WITH ORDINALITY m (append, channel, text, at)
    WHERE outcomes[m.append] = 'ok' ORDER BY m.at)
  SELECT outcomes::text, (SELECT count(pg_notify(n.channel, '')::text)
    FROM unnest($15::text::int[], $16::text::text[]) n (append, channel) WHERE outcomes[n.append] = 'ok') AS told
  FROM appended`

type Column = string | number | boolean

const readPage = `SELECT ids, head, i, term, n, kind, last::int AS last, data, head_term AS headterm, head_n AS headn,
    ended::int AS ended FROM mcp.read_1($1, $2, $3::text::bigint, $4::text::int)`

export interface EventLogParts {
  readonly database: Database
  readonly sweeper: Sweeper
  /** Of the same tables. */
  readonly bus: PostgresBus
  readonly bounds: LogBounds
}

export class PostgresEventLog implements EventLog {
  readonly #database: Database
  readonly #sweeper: Sweeper
  readonly #bus: PostgresBus
  readonly #trimmer: Trimmer
  readonly #appends = new Batches((appends: readonly Append[]) => this.#append(appends))
  readonly #releases = new Batches((streams: readonly (readonly string[])[]) => this.#release(streams))
  /** Of the newest: those before it are done by then. */
  #settling: Promise<unknown> = Promise.resolve()
  readonly #settles = new Batches((events: readonly (readonly string[])[]) => this.#settle(events))

  constructor({ database, sweeper, bus, bounds }: EventLogParts) {
    this.#database = database
    this.#sweeper = sweeper
    this.#bus = bus
    this.#trimmer = new Trimmer(database, bounds, () => this.#settling)
  }

  append(sessionKey: string, events: readonly LogEvent[]): Promise<AppendOutcome> {
    return this.appendAndPublish(sessionKey, events, [])
  }

  async appendAndPublish(
    sessionKey: string,
    events: readonly LogEvent[],
    messages: readonly BusMessage[],
  ): Promise<AppendOutcome> {
    this.#sweeper.touch()
    const endsAt = performance.now() + longestAppendMs
    const name = toName(sessionKey)
    let size = 0
    for (const { data } of events) size += data.length
    for (const { message } of messages) size += message.length
    const outcome = await this.#appends.add({ name, events, messages }, size)
    const trimming = outcome === 'ok' ? this.#trimmer.added(name, events, endsAt) : undefined
    if (trimming !== undefined) await trimming
    return outcome
  }

  async read(sessionKey: string, streamTag: string, after: number, limit: number): Promise<LogPage | undefined> {
    const values = [toName(sessionKey), toName(streamTag), `${after}`, `${limit}`]
    const rows = await this.#database.read(readPage, values, true)
    const [first] = rows
    if (!first) return undefined
    const stream = { streamTag, requestIds: JSON.parse(first.ids as string) as LogEvent['requestIds'] }
    const events = rows.filter(({ i }) => i !== null).map((row) => toEvent(row, stream))
    return {
      events: events.sort((a, b) => a.index - b.index),
      ...{ head: Number(first.head), headPosition: { term: Number(first.headterm), n: Number(first.headn) } },
      ...{ ended: Number(first.ended) === 1, requestIds: stream.requestIds },
    }
  }

  release(sessionKey: string, streamTag: string): void {
    this.#releases.add([toName(sessionKey), toName(streamTag)], 0).catch(() => undefined)
  }

  settle(sessionKey: string, streamTag: string, index: number): void {
    const names = [toName(sessionKey), toName(streamTag)]
    this.#settling = this.#settles.add([...names, `${index}`], 0).catch(() => undefined)
  }

  async delete(sessionKey: string, term?: number): Promise<void> {
    const name = toName(sessionKey)
    const sql = 'SELECT mcp.delete_log_1($1, $2::text::bigint)'
    await this.#database.write(sql, [name, term === undefined ? null : `${term}`], true)
    this.#trimmer.forget(name)
  }

  /** Nothing is held on the node. */
  stats(): { sessions: number; streams: number; events: number; bytes: number } {
    return { sessions: 0, streams: 0, events: 0, bytes: 0 }
  }

  async #append(appends: readonly Append[]): Promise<readonly AppendOutcome[]> {
    const streams: Column[][] = []
    const rows: Column[][] = []
    const texts: string[] = []
    for (const [at, { events }] of appends.entries()) {
      const places = new Map<string, number>()
      for (const { streamTag, requestIds, index, position, kind, last, data } of events) {
        let place = places.get(streamTag)
        if (place === undefined) {
          place = streams.push([at + 1, toName(streamTag), JSON.stringify(requestIds)])
          places.set(streamTag, place)
        }
        rows.push([place, index, position.n, kinds.indexOf(kind), last])
        texts.push(toStored(data))
      }
    }
    const values = [
      toArray(appends.map(({ name }) => name)),
      toArray(appends.map(({ events }) => events[0]?.position.term ?? 0)),
      ...toColumns(streams, 3),
      ...toColumns(rows, 5),
      toSeparated(texts),
    ]
    const messages = this.#toMessages(appends)
    const [row] = await (messages
      ? this.#database.write(appendAndPublish, [...values, ...messages], true)
      : this.#database.write(append, values, true))
    if (messages) this.#bus.published()
    // `{ok,fenced}`
    return String(row?.outcomes).slice(1, -1).split(',') as AppendOutcome[]
  }

  /** Without any it costs less. */
  #toMessages(appends: readonly Append[]): readonly string[] | undefined {
    const added: Column[][] = []
    const texts: string[] = []
    const told: Column[][] = []
    for (const [at, { messages }] of appends.entries()) {
      const channels = new Set<string>()
      for (const { channel, message } of messages) {
        added.push([at + 1, toName(channel)])
        texts.push(toStored(message))
        channels.add(toNotifyChannel(this.#database.schema, toName(channel)))
      }
      for (const channel of channels) told.push([at + 1, channel])
    }
    return added.length === 0 ? undefined : [...toColumns(added, 2), toSeparated(texts), ...toColumns(told, 2)]
  }

  async #release(streams: readonly (readonly string[])[]): Promise<readonly undefined[]> {
    const sql = `UPDATE mcp.stream k SET state = 1, since = clock_timestamp()
      FROM unnest($1::text::text[], $2::text::text[]) a (name, tag) JOIN mcp.session s ON s.name = a.name
      WHERE k.session = s.id AND k.tag = a.tag AND k.state = 0
      AND (SELECT last FROM mcp.event WHERE stream = k.id ORDER BY i DESC LIMIT 1)`
    await this.#database.write(sql, toColumns(streams, 2))
    return streams.map(() => undefined)
  }

  async #settle(events: readonly (readonly string[])[]): Promise<readonly undefined[]> {
    const sql = `UPDATE mcp.event e SET settled = true
      FROM unnest($1::text::text[], $2::text::text[], $3::text::bigint[]) a (name, tag, i)
      JOIN mcp.session s ON s.name = a.name JOIN mcp.stream k ON k.session = s.id AND k.tag = a.tag
      WHERE e.stream = k.id AND e.i = a.i`
    await this.#database.write(sql, toColumns(events, 3))
    return events.map(() => undefined)
  }
}

function toColumns(rows: readonly (readonly Column[])[], count: number): string[] {
  return Array.from({ length: count }, (_, column) => toArray(rows.map((row) => row[column] as Column)))
}

function toEvent(row: Row, stream: Pick<LogEvent, 'streamTag' | 'requestIds'>): LogEvent {
  return {
    ...stream,
    index: Number(row.i),
    position: { term: Number(row.term), n: Number(row.n) },
    kind: kinds[Number(row.kind)] ?? 'message',
    data: fromStored(row.data as string),
    last: Number(row.last) === 1,
  }
}
