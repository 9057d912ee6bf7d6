import type { StoreFaults } from '../../../conformance/src/vitest.ts'
import type { Database, Driver } from '../src/database/driver.ts'

/** A driver whose file can be out of reach, as one on a disk that fails, and that can fail after a transaction was kept. */
export function breakable(driver: Driver): { readonly driver: Driver; readonly faults: Required<StoreFaults> } {
  const state = { isCut: false, losesReply: false }
  const broken = () => Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' })
  const through = <T>(work: () => T): T => {
    if (state.isCut) throw broken()
    return work()
  }
  const wrap = (database: Database): Database => ({
    exec: (sql) => through(() => database.exec(sql)),
    close: () => database.close(),
    prepare(sql) {
      const statement = through(() => database.prepare(sql))
      return {
        get: (...values) => through(() => statement.get(...values)),
        all: (...values) => through(() => statement.all(...values)),
        run(...values) {
          const result = through(() => statement.run(...values))
          if (sql !== 'COMMIT' || !state.losesReply) return result
          state.losesReply = false
          throw broken()
        },
      }
    },
  })
  return {
    driver: (file) => wrap(through(() => driver(file))),
    faults: {
      disconnect() {
        state.isCut = true
      },
      reconnect() {
        state.isCut = false
      },
      loseNextReply() {
        state.losesReply = true
      },
    },
  }
}
