import { checkOptions, option } from '@throughline/mcp-http-core'
import { aSchema } from '../client/options.ts'
import { type PostgresClient, toClientPort } from '../client/postgres-client.ts'
import { isNumber } from '../database.ts'
import { toSchema, version } from './schema.ts'

export interface CreateTablesOptions {
  /**
   * In which tables and functions are made. It is made as well.
   * @default 'mcp'
   */
  schema?: string
}

const table = { schema: option('mcp', aSchema) }

/**
 * Makes the tables and functions of {@link postgresBackplane} that are not there, and does nothing where all are: then it
 * needs no right to. Several nodes may call it at once, and while others serve.
 * @throws Error for a database whose encoding is not UTF8, and what the database says
 */
export async function createTables(client: PostgresClient, options: CreateTablesOptions = {}): Promise<void> {
  const { schema } = checkOptions(table, options)
  const port = toClientPort(client)
  const sql = `SELECT (to_regclass($1::text || '.migration') IS NOT NULL)::int AS found,
    current_setting('server_encoding') AS encoding, current_database() AS name`
  const [database] = await port.query(sql, [schema])
  if (database?.encoding !== 'UTF8') {
    throw new Error(
      `Expected a database in UTF8, which has room for every text, got ${database?.name} in ${database?.encoding}: ` +
        "make one with CREATE DATABASE mcp ENCODING 'UTF8' TEMPLATE template0, and connect the client to it",
    )
  }
  if (isNumber(1, database.found)) {
    const [last] = await port.query(`SELECT max(version)::int AS version FROM "${schema}".migration`, [])
    if (Number(last?.version) >= version) return
  }
  await port.script(toSchema(schema))
}
