import type { MaybePromise, SessionChanges, SessionRecord, SessionStore, Taking } from '@throughline/mcp-http-core'
import type { Connection } from './database/connection.ts'
import type { Row } from './database/driver.ts'
import { hasEnded, ownProcess } from './database/processes.ts'
import { toName } from './names.ts'
import { removeSession } from './sweep.ts'

const find = 'SELECT * FROM session WHERE name = ? AND expires > ?'

/** Records that are read at a time while all are listed. */
const pageSize = 200

export class SqliteSessionStore implements SessionStore {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  create(record: SessionRecord, ttlMs: number): Promise<boolean> {
    const { term, owner, initialized, logLevel, subscriptions, ...rest } = record
    const [name, fixed] = [toName(record.key), JSON.stringify(rest)]
    const changing = [owner, Number(initialized), JSON.stringify(logLevel), JSON.stringify(subscriptions)]
    return this.#write((now) => {
      const row = this.#connection.get('SELECT id, expires FROM session WHERE name = ?', name)
      if (row && Number(row.expires) > now) return false
      if (row) removeSession(this.#connection, row.id as number)
      this.#connection.run(
        'INSERT INTO session (name, fixed, term, owner, initialized, log_level, subscriptions, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        ...[name, fixed, term, ...changing, now + ttlMs],
      )
      return true
    })
  }

  get(key: string): MaybePromise<SessionRecord | undefined> {
    return this.#connection.read(() => {
      const row = this.#find(key, this.#connection.now())
      return row && toRecord(row)
    })
  }

  update(key: string, term: number, changes: SessionChanges, ttlMs: number): Promise<boolean> {
    const { owner = null, initialized, logLevel, subscriptions } = changes
    const values = [
      ...[owner, initialized === undefined ? null : Number(initialized)],
      ...[JSON.stringify(logLevel) ?? null, JSON.stringify(subscriptions) ?? null],
    ]
    return this.#write((now) => {
      const sql = `UPDATE session SET owner = coalesce(?, owner), initialized = coalesce(?, initialized),
        log_level = coalesce(?, log_level), subscriptions = coalesce(?, subscriptions), expires = ?
        WHERE name = ? AND term = ? AND expires > ?`
      return this.#connection.run(sql, ...values, now + ttlMs, toName(key), term, now) > 0
    })
  }

  takeOver(key: string, { expectedTerm, owner, ttlMs }: Taking): Promise<SessionRecord | undefined> {
    return this.#write((now) => {
      const row = this.#find(key, now)
      if (!row) return undefined
      const isOwned = row.owner !== owner && this.#hasLease(row.owner as string, now)
      if (row.term !== expectedTerm || isOwned) return toRecord(row)
      const sql = 'UPDATE session SET term = ?, owner = ?, expires = ? WHERE id = ?'
      this.#connection.run(sql, expectedTerm + 1, owner, now + ttlMs, row.id as number)
      return { ...toRecord(row), term: expectedTerm + 1, owner }
    })
  }

  delete(key: string, term?: number): Promise<boolean> {
    return this.#write((now) => {
      const row = this.#find(key, now)
      if (!row || (term !== undefined && row.term !== term)) return false
      removeSession(this.#connection, row.id as number)
      return true
    })
  }

  async *list(): AsyncIterable<SessionRecord> {
    for (let after = 0; ; ) {
      const sql = 'SELECT * FROM session WHERE id > ? AND expires > ? ORDER BY id LIMIT ?'
      const rows = await this.#connection.read(() => this.#connection.all(sql, after, this.#connection.now(), pageSize))
      yield* rows.map(toRecord)
      if (rows.length < pageSize) return
      after = rows.at(-1)?.id as number
    }
  }

  renewLease(node: string, leaseMs: number): Promise<boolean> {
    return this.#write((now) => {
      const ran = this.#hasLease(node, now)
      const sql = 'INSERT OR REPLACE INTO lease (node, ends, process) VALUES (?, ?, ?)'
      this.#connection.run(sql, toName(node), now + leaseMs, ownProcess)
      return ran
    })
  }

  hasLease(node: string): MaybePromise<boolean> {
    return this.#connection.read(() => this.#hasLease(node, this.#connection.now()))
  }

  #write<T>(work: (now: number) => T): Promise<T> {
    return this.#connection.write(() => work(this.#connection.now()))
  }

  #find(key: string, now: number): Row | undefined {
    return this.#connection.get(find, toName(key), now)
  }

  /** A process that was killed need not be waited for. */
  #hasLease(node: string, now: number): boolean {
    const row = this.#connection.get('SELECT process FROM lease WHERE node = ? AND ends > ?', toName(node), now)
    return row !== undefined && !hasEnded(row.process as string)
  }
}

function toRecord({ fixed, term, owner, initialized, log_level, subscriptions }: Row): SessionRecord {
  return {
    ...JSON.parse(fixed as string),
    ...{ term, owner, initialized: initialized === 1 },
    ...{ logLevel: JSON.parse(log_level as string), subscriptions: JSON.parse(subscriptions as string) },
  }
}
