import type { MaybePromise, SessionRecord, SessionStore } from '@throughline/mcp-http-core'

/** Runs one statement, and gives the rows of `SELECT` and `RETURNING`. */
export type Query = (sql: string, ...values: (string | number | null)[]) => MaybePromise<unknown[]>
export const tables = `CREATE TABLE mcp_session (key TEXT PRIMARY KEY, fixed TEXT NOT NULL, term INTEGER NOT NULL,
    owner TEXT NOT NULL, initialized TEXT NOT NULL, level TEXT NOT NULL, uris TEXT NOT NULL, ends REAL NOT NULL);
  CREATE TABLE mcp_lease (node TEXT PRIMARY KEY, ends REAL NOT NULL, before REAL NOT NULL)`
const now = () => performance.timeOrigin + performance.now()
const json = (value: unknown) => JSON.stringify(value) ?? null
const toRecord = (row: unknown): SessionRecord => {
  const { fixed, term, owner, initialized, level, uris } = row as Record<string, string>
  const [changing, logLevel, subscriptions] = [initialized, level, uris].map((text) => JSON.parse(text ?? 'null'))
  return { ...JSON.parse(fixed ?? ''), term, owner, initialized: changing, logLevel, subscriptions }
}
/** Each method is one statement, which is atomic: what is refused changes no row. */
export function createSessionStore(query: Query): SessionStore {
  const changes = async (sql: string, ...values: (string | number | null)[]) => (await query(sql, ...values)).length > 0
  const live = async (key: string) => {
    const [row] = await query('SELECT * FROM mcp_session WHERE key = ? AND ends > ?', key, now())
    return row === undefined ? undefined : toRecord(row)
  }
  return {
    get: live,
    create({ term, owner, initialized, logLevel, subscriptions, ...fixed }, ttlMs) {
      const sql = `INSERT INTO mcp_session VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET
        (fixed, term, owner, initialized, level, uris, ends) = (excluded.fixed, excluded.term, excluded.owner,
        excluded.initialized, excluded.level, excluded.uris, excluded.ends) WHERE mcp_session.ends <= ? RETURNING key`
      const changing = [json(initialized), json(logLevel), json(subscriptions)]
      return changes(sql, fixed.key, json(fixed), term, owner, ...changing, now() + ttlMs, now())
    },
    update(key, term, { owner = null, initialized, logLevel, subscriptions }, ttlMs) {
      const sql = `UPDATE mcp_session SET owner = coalesce(?, owner), initialized = coalesce(?, initialized), level =
        coalesce(?, level), uris = coalesce(?, uris), ends = ? WHERE key = ? AND term = ? AND ends > ? RETURNING key`
      const changing = [json(initialized), json(logLevel), json(subscriptions)]
      return changes(sql, owner, ...changing, now() + ttlMs, key, term, now())
    },
    async takeOver(key, { expectedTerm, owner, ttlMs }) {
      const sql = `UPDATE mcp_session SET term = term + 1, owner = ?, ends = ? WHERE key = ? AND term = ? AND ends > ?
        AND (owner = ? OR owner NOT IN (SELECT node FROM mcp_lease WHERE ends > ?)) RETURNING *`
      const [taken] = await query(sql, owner, now() + ttlMs, key, expectedTerm, now(), owner, now())
      return taken === undefined ? await live(key) : toRecord(taken)
    },
    delete(key, term) {
      const sql = 'DELETE FROM mcp_session WHERE key = ? AND term = coalesce(?, term) AND ends > ? RETURNING key'
      return changes(sql, key, term ?? null, now())
    },
    async *list() {
      for (const row of await query('SELECT * FROM mcp_session WHERE ends > ?', now())) yield toRecord(row)
    },
    async renewLease(node, leaseMs) {
      await query('DELETE FROM mcp_session WHERE ends <= ? RETURNING key', now())
      const sql = `INSERT INTO mcp_lease VALUES (?, ?, 0) ON CONFLICT (node) DO UPDATE SET before = mcp_lease.ends,
        ends = excluded.ends RETURNING before > ? AS ran`
      const [row] = await query(sql, node, now() + leaseMs, now())
      return Boolean((row as { ran: unknown }).ran)
    },
    hasLease: (node) => changes('SELECT 1 FROM mcp_lease WHERE node = ? AND ends > ?', node, now()),
  }
}
