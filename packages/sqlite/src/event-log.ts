import type {
  AppendOutcome,
  BusMessage,
  EventKind,
  EventLog,
  LogBounds,
  LogEvent,
  LogPage,
  MaybePromise,
} from '@throughline/mcp-http-core'
import type { Connection } from './database/connection.ts'
import type { Row } from './database/driver.ts'
import type { SqliteBus } from './message-bus.ts'
import { toName } from './names.ts'
import { forgetStream, removeLog } from './sweep.ts'
import { Trimmer } from './trimmer.ts'

const kinds: readonly EventKind[] = ['progress', 'notification', 'message']

const findSession = 'SELECT id, term FROM session WHERE name = ? AND expires > ?'

/** The newest event tells how far a stream has come, or the stream itself where that was dropped. */
const findStream = `SELECT stream.id, request_ids, head, stream.term, stream.n, stream.last,
  e.i AS e_i, e.term AS e_term, e.n AS e_n, e.last AS e_last
  FROM session JOIN stream ON stream.session = session.id LEFT JOIN event e ON e.stream = stream.id
  WHERE session.name = ? AND session.expires > ? AND stream.tag = ? ORDER BY e.i DESC LIMIT 1`

const readEvents = 'SELECT * FROM event WHERE stream = ? AND i > ? AND i <= ? ORDER BY i LIMIT ?'

/** A session, and its stream of this tag where there is one. */
const findPlace = `SELECT session.id AS session, session.term, gone, stream.id AS stream
  FROM session LEFT JOIN stream ON stream.session = session.id AND tag = ? WHERE name = ? AND expires > ?`

const insertEvent = `INSERT INTO event (stream, i, term, n, kind, last, data) VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT DO NOTHING`

export class SqliteEventLog implements EventLog {
  readonly #connection: Connection
  readonly #bus: SqliteBus
  readonly #trimmer: Trimmer

  /** `bus`: of the same file. */
  constructor(connection: Connection, bus: SqliteBus, bounds: LogBounds) {
    this.#connection = connection
    this.#bus = bus
    this.#trimmer = new Trimmer(connection, bounds)
  }

  append(sessionKey: string, events: readonly LogEvent[]): Promise<AppendOutcome> {
    const name = toName(sessionKey)
    return this.#connection.write(() => this.#append(name, events))
  }

  async appendAndPublish(
    sessionKey: string,
    events: readonly LogEvent[],
    messages: readonly BusMessage[],
  ): Promise<AppendOutcome> {
    const name = toName(sessionKey)
    const outcome = await this.#connection.write(() => {
      const outcome = this.#append(name, events)
      if (outcome === 'ok') this.#bus.insert(messages)
      return outcome
    })
    if (outcome === 'ok') this.#bus.published()
    return outcome
  }

  read(sessionKey: string, streamTag: string, after: number, limit: number): MaybePromise<LogPage | undefined> {
    return this.#connection.read(() => {
      const names = [toName(sessionKey), this.#connection.now(), toName(streamTag)]
      const stream = this.#connection.get(findStream, ...names)
      if (!stream) return undefined
      const requestIds = JSON.parse(stream.request_ids as string) as LogEvent['requestIds']
      const { head, ...place } = toHead(stream)
      // What was appended since is not on this page.
      const isEmpty = limit === 0 || after >= head
      const rows = isEmpty ? [] : this.#connection.all(readEvents, stream.id as number, after, head, limit)
      return { events: rows.map((row) => toEvent(row, { streamTag, requestIds })), head, ...place, requestIds }
    })
  }

  release(sessionKey: string, streamTag: string): void {
    const sql = `UPDATE stream SET state = 1, since = ? WHERE state = 0
      AND session = (SELECT id FROM session WHERE name = ?) AND tag = ?
      AND (SELECT last FROM event WHERE event.stream = stream.id ORDER BY i DESC LIMIT 1) = 1`
    this.#hint(() => this.#connection.run(sql, this.#connection.now(), toName(sessionKey), toName(streamTag)))
  }

  settle(sessionKey: string, streamTag: string, index: number): void {
    const sql = `UPDATE event SET settled = 1 WHERE i = ? AND stream = (SELECT stream.id FROM session
      JOIN stream ON stream.session = session.id WHERE session.name = ? AND stream.tag = ?)`
    this.#hint(() => this.#connection.run(sql, index, toName(sessionKey), toName(streamTag)))
  }

  delete(sessionKey: string, term?: number): Promise<void> {
    return this.#connection.write(() => {
      const session = this.#connection.get(findSession, toName(sessionKey), this.#connection.now())
      if (!session || (term !== undefined && Number(session.term) > term)) return
      const id = session.id as number
      removeLog(this.#connection, id)
      this.#trimmer.forget(id)
      // Who began what is gone now finds that it is.
      this.#connection.run('UPDATE session SET gone = term WHERE id = ?', id)
    })
  }

  /** Nothing is held in the process. */
  stats(): { sessions: number; streams: number; events: number; bytes: number } {
    return { sessions: 0, streams: 0, events: 0, bytes: 0 }
  }

  #append(name: string, events: readonly LogEvent[]): AppendOutcome {
    const [first] = events as readonly [LogEvent]
    const { term } = first.position
    const place = this.#connection.get(findPlace, toName(first.streamTag), name, this.#connection.now())
    if (!place) return 'gone'
    if (place.term !== term) return 'fenced'
    if ((place.gone as number) >= term) return 'gone'
    const [session, undo] = [place.session as number, [] as (() => unknown)[]]
    let { streamTag } = first
    let stream = (place.stream as number | null) ?? this.#begin(session, first, undo)
    for (const event of events) {
      if (event.streamTag !== streamTag) stream = this.#find(session, event) ?? this.#begin(session, event, undo)
      streamTag = event.streamTag
      if (this.#insert(stream, event, undo) || this.#isKept(stream, event)) continue
      // All of them or none.
      for (const each of undo) each()
      return 'fenced'
    }
    this.#trimmer.added(session, term, events)
    return 'ok'
  }

  #find(session: number, { streamTag }: LogEvent): number | undefined {
    const sql = 'SELECT id FROM stream WHERE session = ? AND tag = ?'
    return this.#connection.get(sql, session, toName(streamTag))?.id as number | undefined
  }

  #begin(session: number, { streamTag, requestIds }: LogEvent, undo: (() => unknown)[]): number {
    const sql = 'INSERT INTO stream (session, tag, request_ids) VALUES (?, ?, ?) RETURNING id'
    const { id } = this.#connection.get(sql, session, toName(streamTag), JSON.stringify(requestIds)) as Row
    undo.push(() => forgetStream(this.#connection, id as number))
    return id as number
  }

  /** `false`: its place is taken. */
  #insert(stream: number, { index, position, kind, data, last }: LogEvent, undo: (() => unknown)[]): boolean {
    const values = [stream, index, position.term, position.n, kinds.indexOf(kind), Number(last), data]
    if (this.#connection.run(insertEvent, ...values) === 0) return false
    undo.push(() => this.#connection.run('DELETE FROM event WHERE stream = ? AND i = ?', stream, index))
    return true
  }

  /** Whether it is the same event, repeated. */
  #isKept(stream: number, { index, position, data }: LogEvent): boolean {
    const row = this.#connection.get('SELECT term, n, data FROM event WHERE stream = ? AND i = ?', stream, index)
    return row?.term === position.term && row.n === position.n && row.data === data
  }

  /** What may be dropped earlier is no loss if it is not. */
  #hint(work: () => unknown): void {
    this.#connection.write(work).catch(() => undefined)
  }
}

function toHead(stream: Row): Pick<LogPage, 'head' | 'headPosition' | 'ended'> {
  const isKept = Number(stream.e_i ?? 0) > Number(stream.head)
  const [head, term, n, last] = isKept
    ? [stream.e_i, stream.e_term, stream.e_n, stream.e_last]
    : [stream.head, stream.term, stream.n, stream.last]
  return { head: head as number, headPosition: { term: term as number, n: n as number }, ended: last === 1 }
}

function toEvent(row: Row, stream: Pick<LogEvent, 'streamTag' | 'requestIds'>): LogEvent {
  return {
    ...stream,
    index: row.i as number,
    position: { term: row.term as number, n: row.n as number },
    kind: kinds[row.kind as number] ?? 'message',
    data: row.data as string,
    last: row.last === 1,
  }
}
