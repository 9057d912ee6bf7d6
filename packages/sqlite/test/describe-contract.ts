import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeStore, type StoreUnderTest } from '../../../conformance/src/vitest.ts'
import type { Driver } from '../src/database/driver.ts'
import type { SqliteBackplane } from '../src/index.ts'
import { toName } from '../src/names.ts'
import { openBackplane } from '../src/sqlite-backplane.ts'
import { breakable } from './faults.ts'

const countSessions = 'SELECT count(*) AS count FROM session WHERE name = ?'
const countEvents = `SELECT count(*) AS count FROM event WHERE stream IN
  (SELECT stream.id FROM stream JOIN session ON session.id = session WHERE name = ?)`

/** The whole contract, with files of their own for each sentence. */
export function describeContract(name: string, driver: Driver): void {
  function open(maxEventsPerSession = 100_000): StoreUnderTest {
    const folder = mkdtempSync(join(tmpdir(), 'throughline-sqlite-'))
    const opened: SqliteBackplane[] = []
    const openFile = (file: string, by = driver) => {
      const backplane = openBackplane(join(folder, file), { maxEventsPerSession }, () => by)
      opened.push(backplane)
      return backplane
    }
    const { driver: breaking, faults } = breakable(driver)
    const backplane = openFile('mcp.db', breaking)
    const plain = driver(join(folder, 'mcp.db'))
    const count = (sql: string, key: string) => (plain.prepare(sql).get(toName(key)) as { count: number }).count
    return {
      backplane,
      second: () => openFile('mcp.db'),
      neighbour: () => openFile('other.db'),
      faults,
      oracle: {
        hasSession: (key) => count(countSessions, key) > 0,
        countEvents: (key) => count(countEvents, key),
      },
      close() {
        for (const each of opened) each.close()
        plain.close()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  }

  describeStore(name, () => open(), {
    openBounded: open,
    parts: ['sessions', 'events', 'bus'],
    strict: true,
    ttlToleranceMs: 30,
  })
}
