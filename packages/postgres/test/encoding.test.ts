import { Pool } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { skipsPostgres, startPostgres } from '../../../test-support/postgres/start-postgres.ts'
import { createTables } from '../src/index.ts'

describe.skipIf(skipsPostgres())('a database that is not in UTF8', () => {
  test('is given no tables, and its owner is told what to do', async () => {
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    const admin = new Pool({ connectionString: server.url })
    await admin.query("CREATE DATABASE old ENCODING 'LATIN1' TEMPLATE template0")
    await admin.end()
    const client = new Pool({ connectionString: server.url.replace(/postgres$/, 'old') })
    onTestFinished(() => client.end())
    await expect(createTables(client)).rejects.toThrow(/got old in LATIN1: .*CREATE DATABASE mcp ENCODING 'UTF8'/)
    const { rows } = await client.query("SELECT to_regnamespace('mcp') AS mcp")
    expect(rows).toEqual([{ mcp: null }])
  }, 60_000)
})
