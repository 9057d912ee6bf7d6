import { readFileSync } from 'node:fs'
import { Pool } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { skipsPostgres, startPostgres } from '../../../test-support/postgres/start-postgres.ts'
import { waitFor } from '../../../test-support/waiting.ts'
import { createTables, postgresBackplane } from '../src/index.ts'
import { toEvent, toRecord, ttlMs } from './records.ts'

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

  test('who has what the README grants uses tables that somebody else has made', async () => {
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    const admin = new Pool({ connectionString: server.url })
    onTestFinished(() => admin.end())
    await admin.query('CREATE ROLE app LOGIN')
    await createTables(admin)
    const app = new Pool({ connectionString: server.url.replace('postgres@', 'app@') })
    onTestFinished(() => app.end())
    const { sessions, events, bus } = postgresBackplane(app, { listenOn: false })
    await expect(sessions.renewLease('me', 1_000)).rejects.toThrow('permission denied')
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    const [, grants = ''] = /```sql\n(GRANT[^`]+)```/.exec(readme) ?? []
    await admin.query(grants)
    expect(await sessions.renewLease('me', 60_000)).toBe(false)
    expect(await sessions.create(toRecord('key'), ttlMs)).toBe(true)
    expect(await events.append('key', [toEvent(1)])).toBe('ok')
    expect(await sessions.takeOver('key', { expectedTerm: 1, owner: 'me', ttlMs })).toMatchObject({ term: 2 })
    events.settle?.('key', 'g', 1)
    events.release('key', 'g')
    const heard: string[] = []
    await bus.subscribe('channel', (message) => heard.push(message))
    await bus.publish('channel', 'hello')
    await waitFor(() => heard.length === 1)
    await events.delete('key')
    expect(await sessions.delete('key')).toBe(true)
  }, 60_000)
})
