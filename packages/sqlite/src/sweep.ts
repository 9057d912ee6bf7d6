import type { Connection } from './database/connection.ts'

/** How much of each kind is removed at a time, and how long, in milliseconds, that may take. */
const most = 200
const sweepMs = 4

/** How long, in milliseconds, a message can be heard: a process that stands still for longer has missed some. */
const messageMs = 10_000

/** Removes sessions and leases that are over, streams that were delivered long ago, and messages that everyone has heard. */
export function sweep(connection: Connection, retainMs: number): boolean {
  const now = connection.now()
  const endsAt = performance.now() + sweepMs
  let isMore = false
  const each = (sql: string, before: number, remove: (id: number) => void): void => {
    const rows = connection.all(`${sql} LIMIT ${most}`, before)
    if (rows.length === most) isMore = true
    for (const { id } of rows) {
      if (performance.now() > endsAt) isMore = true
      else remove(id as number)
    }
  }
  each('SELECT id FROM session WHERE expires <= ?', now, (id) => removeSession(connection, id))
  const since = now - retainMs
  each('SELECT id FROM stream WHERE since <= ? AND state = 2', since, (id) => forgetStream(connection, id))
  each('SELECT id FROM stream WHERE since <= ? AND state = 1', since, (id) => dropStream(connection, id))
  connection.run('DELETE FROM lease WHERE ends <= ?', now)
  const old = `SELECT id FROM (SELECT id, at FROM message ORDER BY id LIMIT ${most}) WHERE at <= ?`
  each(old, now - messageMs, (id) => connection.run('DELETE FROM message WHERE id = ?', id))
  return isMore
}

/** With its log. */
export function removeSession(connection: Connection, id: number): void {
  removeLog(connection, id)
  connection.run('DELETE FROM session WHERE id = ?', id)
}

export function removeLog(connection: Connection, session: number): void {
  connection.run('DELETE FROM event WHERE stream IN (SELECT id FROM stream WHERE session = ?)', session)
  connection.run('DELETE FROM stream WHERE session = ?', session)
}

/** Its events go. That it was there is remembered for a while. */
export function dropStream(connection: Connection, id: number): void {
  keepHead(connection, id)
  connection.run('DELETE FROM event WHERE stream = ?', id)
  connection.run('UPDATE stream SET state = 2, since = ? WHERE id = ?', connection.now(), id)
}

/** Before its newest event goes: how far the stream had come. */
export function keepHead(connection: Connection, id: number): void {
  const newest = 'FROM event WHERE event.stream = stream.id ORDER BY i DESC LIMIT 1'
  connection.run(
    `UPDATE stream SET (head, term, n, last) = (SELECT i, term, n, last ${newest})
      WHERE id = ? AND head < coalesce((SELECT i ${newest}), 0)`,
    id,
  )
}

export function forgetStream(connection: Connection, id: number): void {
  connection.run('DELETE FROM stream WHERE id = ?', id)
}
