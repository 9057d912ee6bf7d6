import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { describeStore } from '../../conformance/src/vitest.ts'
import { createSessionStore, type Query, tables } from './session-store.ts'

interface Database {
  exec(sql: string): void
  prepare(sql: string): { all(...values: unknown[]): unknown[] }
}

const BetterDatabase = createRequire(import.meta.url)('better-sqlite3') as new (file: string) => Database

describeStore('the session store to copy keeps the contract of sessions', () => {
  const database = new BetterDatabase(':memory:')
  database.exec(tables)
  const query: Query = (sql, ...values) => database.prepare(sql).all(...values)
  return {
    backplane: { sessions: createSessionStore(query) },
    second: () => ({ sessions: createSessionStore(query) }),
    oracle: {
      hasSession: (key) => database.prepare('SELECT 1 FROM mcp_session WHERE key = ?').all(key).length > 0,
    },
  }
})

test('is what the page of stores shows, and has less than 60 lines', async () => {
  const [code, page] = await Promise.all(
    ['session-store.ts', '../../docs/stores.md'].map((file) => readFile(new URL(file, import.meta.url), 'utf8')),
  )
  expect(page).toContain(code?.trim())
  expect(code?.trim().split('\n').length).toBeLessThan(60)
})
