import type { SessionChanges, SessionRecord, SessionStore, Taking } from '@throughline/mcp-http-core'
import type { Row } from './client/postgres-client.ts'
import { type Database, isNumber } from './database.ts'
import { fromStored, toName, toStored } from './names.ts'
import type { Sweeper } from './sweeper.ts'

// In names of columns there is no underscore: a client may be set to write them otherwise.
const columns = `id, fixed, term, owner, initialized::int AS initialized, log_level AS level, subscriptions AS uris`

/** Records that are read at a time while all are listed. */
const pageSize = 200

export class PostgresSessionStore implements SessionStore {
  readonly #database: Database
  readonly #sweeper: Sweeper

  constructor(database: Database, sweeper: Sweeper) {
    this.#database = database
    this.#sweeper = sweeper
  }

  async create(record: SessionRecord, ttlMs: number): Promise<boolean> {
    const { term, owner, initialized, logLevel, subscriptions, ...rest } = record
    const sql =
      'SELECT mcp.create_session_1($1, $2, $3::text::bigint, $4, $5, $6::text::boolean, $7, $8, $9::text::float8)::int AS done'
    const fixed = [toName(record.key), JSON.stringify(rest), `${term}`, toStored(owner), toName(owner)]
    const changing = [`${initialized}`, JSON.stringify(logLevel), JSON.stringify(subscriptions), `${ttlMs}`]
    return isDone(await this.#database.write(sql, [...fixed, ...changing], true))
  }

  async get(key: string): Promise<SessionRecord | undefined> {
    const sql = `SELECT ${columns} FROM mcp.get_session_1($1)`
    return toRecord(await this.#database.read(sql, [toName(key)], true))
  }

  async update(key: string, term: number, changes: SessionChanges, ttlMs: number): Promise<boolean> {
    const { owner, initialized, logLevel, subscriptions } = changes
    const values = [
      ...(owner === undefined ? [null, null] : [toStored(owner), toName(owner)]),
      ...[initialized === undefined ? null : `${initialized}`],
      ...[JSON.stringify(logLevel) ?? null, JSON.stringify(subscriptions) ?? null],
    ]
    const sql = `SELECT mcp.update_session_1($1, $2::text::bigint, $3::text::float8, $4, $5, $6::text::boolean, $7, $8)::int
      AS done`
    return isDone(await this.#database.write(sql, [toName(key), `${term}`, `${ttlMs}`, ...values], true))
  }

  async takeOver(key: string, { expectedTerm, owner, ttlMs }: Taking): Promise<SessionRecord | undefined> {
    const sql = `SELECT ${columns} FROM mcp.take_over_1($1, $2::text::bigint, $3, $4, $5::text::float8)`
    const values = [toName(key), `${expectedTerm}`, toStored(owner), toName(owner), `${ttlMs}`]
    return toRecord(await this.#database.write(sql, values, true))
  }

  async delete(key: string, term?: number): Promise<boolean> {
    const sql = 'SELECT mcp.delete_session_1($1, $2::text::bigint)::int AS done'
    return isDone(await this.#database.write(sql, [toName(key), term === undefined ? null : `${term}`], true))
  }

  async *list(): AsyncIterable<SessionRecord> {
    for (let after = '0'; ; ) {
      const sql = `SELECT ${columns} FROM mcp.session WHERE id > $1::text::bigint AND expires > clock_timestamp()
        ORDER BY id LIMIT ${pageSize}`
      const rows = [...(await this.#database.read(sql, [after]))].sort((a, b) => Number(a.id) - Number(b.id))
      for (const row of rows) yield toRecord([row]) as SessionRecord
      if (rows.length < pageSize) return
      after = String(rows.at(-1)?.id)
    }
  }

  async renewLease(node: string, leaseMs: number): Promise<boolean> {
    this.#sweeper.touch()
    const sql = `WITH before AS (SELECT ends FROM mcp.node WHERE name = $1)
      INSERT INTO mcp.node (name, ends) VALUES ($1, clock_timestamp() + $2::text::float8 * interval '1 ms')
      ON CONFLICT (name) DO UPDATE SET ends = excluded.ends
      RETURNING coalesce((SELECT ends FROM before) > clock_timestamp(), false)::int AS done`
    return isDone(await this.#database.write(sql, [toName(node), `${leaseMs}`]))
  }

  async hasLease(node: string): Promise<boolean> {
    const sql = 'SELECT 1 AS done FROM mcp.node WHERE name = $1 AND ends > clock_timestamp()'
    return isDone(await this.#database.read(sql, [toName(node)]))
  }
}

function isDone(rows: readonly Row[]): boolean {
  return isNumber(1, rows[0]?.done)
}

function toRecord([row]: readonly Row[]): SessionRecord | undefined {
  if (!row) return undefined
  const { fixed, term, owner, initialized, level, uris } = row as Readonly<Record<string, string>>
  return {
    ...JSON.parse(fixed as string),
    ...{ term: Number(term), owner: fromStored(owner as string), initialized: Number(initialized) === 1 },
    ...{ logLevel: JSON.parse(level as string), subscriptions: JSON.parse(uris as string) },
  }
}
