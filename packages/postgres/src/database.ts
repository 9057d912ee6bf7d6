import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientPort, Row, Value } from './client/postgres-client.ts'

/** Of an undefined table, schema or function. */
const missing = ['42P01', '3F000', '42883']

/** Of a transaction of which nothing is kept because of others at the same time, as where `serializable` is the default. */
const undone = ['40001', '40P01']

/** How long such a statement is repeated, in milliseconds. */
const repeatMs = 500

/** Commands on the tables of one schema. */
export class Database {
  readonly client: ClientPort
  readonly schema: string

  constructor(client: ClientPort, schema: string) {
    this.client = client
    this.schema = schema
  }

  /**
   * A statement that changes something. `mcp.` is before the names of tables and functions. `isPrepared`: it does no more
   * than to call functions, and is planned once. A plan that was made while a table was small would be of no use later.
   */
  async write(text: string, values: readonly Value[], isPrepared = false): Promise<readonly Row[]> {
    const sql = this.toText(text)
    for (const endsAt = performance.now() + repeatMs; ; ) {
      try {
        return await this.client.query(sql, values, isPrepared)
      } catch (error) {
        const code = String((error as { readonly code?: unknown }).code)
        if (missing.includes(code)) throw new Error(toHelp(this.schema), { cause: error })
        if (!undone.includes(code) || performance.now() > endsAt) throw error
      }
      // Not in step with those others.
      await sleep(Math.random() * 10)
    }
  }

  /** A statement that only reads. It is not for a replica, which is behind: what it lacks is not gone. */
  async read(text: string, values: readonly Value[], isPrepared = false): Promise<readonly Row[]> {
    const asked = `SELECT pg_is_in_recovery()::int AS replica, found.* FROM (VALUES (1)) one
      LEFT JOIN (SELECT 1 AS row, each.* FROM (${text}) each) found ON true`
    const rows = await this.write(asked, values, isPrepared)
    if (!isNumber(0, rows[0]?.replica)) throw new Error('Expected the primary server of Postgres, got a replica')
    return rows.filter(({ row }) => isNumber(1, row))
  }

  toText(text: string): string {
    return text.replaceAll('mcp.', `"${this.schema}".`)
  }
}

/** Clients can be set to give numbers in other types, or as they were sent; statements ask for no `boolean`. */
export function isNumber(expected: number, value: unknown): boolean {
  return value !== undefined && value !== null && Number(value) === expected
}

function toHelp(schema: string): string {
  const options = `{ schema: '${schema}' }`
  return `The tables for MCP sessions are not in the schema ${schema}: await createTables(client, ${options}), or give postgresBackplane the schema that it was given`
}
