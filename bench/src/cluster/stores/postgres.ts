import { createTables, postgresBackplane } from '@throughline/mcp-http-postgres'
import { Client, Pool } from 'pg'
import { toEvent, toRecord, ttlMs } from '../../../../packages/postgres/test/records.ts'
import { startPostgres } from '../../../../test-support/postgres/start-postgres.ts'
import type { ClusterStore } from './cluster-store.ts'

const tables = ['session', 'stream', 'event'].map((name) => `mcp.${name}`)

export interface PostgresStore extends ClusterStore {
  /** How often as fast as bare inserts of the same rows, as many at once, events are appended. */
  compareAppends(): Promise<number>
}

/** It flushes to its disk, as it does by default: what it costs to be sure is part of the floor. */
export async function startPostgresStore(): Promise<PostgresStore> {
  const server = await startPostgres('fsync=on')
  const pool = new Pool({ connectionString: server.url })
  const listener = new Client({ connectionString: server.url })
  await createTables(pool)
  await pool.query('CREATE TABLE bare (LIKE mcp.event INCLUDING ALL)')
  await listener.connect()
  return {
    title: 'Postgres',
    ofNodes: { postgresUrl: server.url },
    bareMessage: 'a bare NOTIFY to who listens',
    say: (text) => pool.query("SELECT pg_notify('bare', $1)", [text]),
    async hear(heard) {
      listener.on('notification', ({ payload = '' }) => heard(payload))
      await listener.query('LISTEN bare')
    },
    empty: () => pool.query(`TRUNCATE ${tables.join(', ')}`),
    async sessionBytes() {
      const sizes = tables.map((name) => `pg_total_relation_size('${name}')`).join(' + ')
      const { rows } = await pool.query(`SELECT ${sizes} AS bytes`)
      return Number(rows[0].bytes)
    },
    sessionLimit: Number.NaN,
    compareAppends: () => compareAppends(pool),
    async stop() {
      await listener.end()
      await pool.end()
      await server.stop()
    },
  }
}

/** Of one round: so many sessions append so many events each, at once, and that so often. */
const [sessions, events, times] = [16, 16, 40]

const data = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'x'.repeat(120) } })

async function compareAppends(pool: Pool): Promise<number> {
  const bareMs = await timeOf(await toInserts(pool))
  const ownMs = await timeOf(await toAppends(pool))
  return bareMs / ownMs
}

async function timeOf(work: (time: number) => Promise<unknown>): Promise<number> {
  const since = performance.now()
  for (let time = 0; time < times; time++) await work(time)
  return performance.now() - since
}

async function toAppends(pool: Pool): Promise<(time: number) => Promise<unknown>> {
  const { sessions: records, events: log } = postgresBackplane(pool)
  const keys = Array.from({ length: sessions }, () => crypto.randomUUID())
  for (const key of keys) await records.create(toRecord(key), ttlMs)
  return (time) => {
    const appended = Array.from({ length: events }, (_, i) => toEvent(time * events + i + 1, { data }))
    return Promise.all(keys.map((key) => log.append(key, appended)))
  }
}

async function toInserts(pool: Pool): Promise<(time: number) => Promise<unknown>> {
  await pool.query('TRUNCATE bare')
  const sql = `INSERT INTO bare (stream, i, term, n, kind, last, data)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::smallint[], $6::boolean[], $7::text[])`
  return (time) => {
    const rows = Array.from({ length: sessions * events }, (_, at) => {
      const i = time * events + (at % events) + 1
      return [Math.floor(at / events), i, 1, i, 2, false, data]
    })
    return pool.query(
      sql,
      [0, 1, 2, 3, 4, 5, 6].map((column) => rows.map((row) => row[column])),
    )
  }
}
