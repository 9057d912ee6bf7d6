import { Client, Pool } from 'pg'
import postgres from 'postgres'
import type { PostgresClient } from '../src/index.ts'

export interface Connected {
  readonly client: PostgresClient
  query(sql: string, values?: readonly string[]): Promise<readonly Readonly<Record<string, unknown>>[]>
  close(): Promise<void>
}

/** A client as its users make it. */
export type Connect = (url: string, isPooled?: boolean) => Connected

function ignore(): void {
  return
}

export const clients: Readonly<Record<'pg' | 'postgres', Connect>> = {
  pg(connectionString) {
    const client = new Pool({ connectionString })
    client.on('error', ignore)
    const query = async (sql: string, values: readonly string[] = []) => (await client.query(sql, [...values])).rows
    return { client, query, close: () => client.end() }
  },
  postgres(url, isPooled = false) {
    const client = postgres(url, { onnotice: ignore, fetch_types: false, prepare: !isPooled })
    const query = (sql: string, values: readonly string[] = []) => client.unsafe(sql, [...values])
    return { client, query, close: () => client.end({ timeout: 1 }) }
  },
}

/** On a connection of its own. Gives the number of rows. */
export async function queryOnce(connectionString: string, sql: string): Promise<number> {
  const client = new Client({ connectionString })
  client.on('error', ignore)
  await client.connect()
  try {
    return (await client.query(sql)).rowCount ?? 0
  } finally {
    await client.end()
  }
}
