import { Pool } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { skipsPostgres, startPostgres } from '../../../test-support/postgres/start-postgres.ts'
import { createTables, postgresBackplane } from '../src/index.ts'

describe.skipIf(skipsPostgres())('a user of the database', () => {
  test('who owns the schema, and may make none, makes the tables in it and uses them', async () => {
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    const admin = new Pool({ connectionString: server.url })
    await admin.query('CREATE ROLE app LOGIN; CREATE SCHEMA mcp AUTHORIZATION app')
    await admin.end()
    const app = new Pool({ connectionString: server.url.replace('postgres@', 'app@') })
    onTestFinished(() => app.end())
    await createTables(app)
    await createTables(app)
    const { sessions } = postgresBackplane(app, { listenOn: false })
    expect(await sessions.renewLease('me', 1_000)).toBe(false)
    expect(await sessions.hasLease('me')).toBe(true)
  }, 60_000)
})
