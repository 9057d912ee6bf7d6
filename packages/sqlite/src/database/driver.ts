import { createRequire } from 'node:module'

/** One row, by the names of its columns. */
export type Row = Readonly<Record<string, string | number | null>>
export type Value = string | number | null

/** What is used of a database that answers at once: `node:sqlite` and `better-sqlite3` both have it. */
export interface Database {
  exec(sql: string): unknown
  prepare(sql: string): Statement
  close(): unknown
}

export interface Statement {
  run(...values: Value[]): { readonly changes: number | bigint }
  get(...values: Value[]): unknown
  all(...values: Value[]): unknown[]
}

/** Opens a file, or makes it. */
export type Driver = (file: string) => Database

type DatabaseClass = new (file: string) => Database

/** `node:sqlite`, where the runtime has it. */
export function findNodeDriver(): Driver | undefined {
  const sqlite = process.getBuiltinModule?.('node:sqlite') as { DatabaseSync: DatabaseClass } | undefined
  return sqlite && ((file) => new sqlite.DatabaseSync(file))
}

/** `undefined` when it is not installed. */
export function findBetterDriver(): Driver | undefined {
  try {
    const BetterDatabase = createRequire(import.meta.url)('better-sqlite3') as DatabaseClass
    return (file) => new BetterDatabase(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}

/** @throws Error that names both, when there is neither. */
export function findDriver(): Driver {
  const driver = findNodeDriver() ?? findBetterDriver()
  if (driver) return driver
  throw new Error(
    `Expected node:sqlite, which Node.js has from 22.13 on, or the package better-sqlite3 12: this is ${process.version}, and better-sqlite3 is not installed`,
  )
}

/** Primary result codes of SQLite. */
const codes = {
  SQLITE_BUSY: 5,
  SQLITE_READONLY: 8,
  SQLITE_IOERR: 10,
  SQLITE_CORRUPT: 11,
  SQLITE_CANTOPEN: 14,
  SQLITE_PROTOCOL: 15,
  SQLITE_NOTADB: 26,
} as const

/** `node:sqlite` has the number, `better-sqlite3` the name. */
function codeOf(error: unknown): number | undefined {
  const { errcode, code } = (error ?? {}) as { errcode?: unknown; code?: unknown }
  if (typeof errcode === 'number') return errcode & 0xff
  const name = /^SQLITE_[A-Z]+/.exec(String(code))?.[0]
  return codes[name as keyof typeof codes]
}

/** Another process is writing, or recovering what one left that died. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error)
  return code === codes.SQLITE_BUSY || code === codes.SQLITE_PROTOCOL
}

const fileCodes: readonly (number | undefined)[] = [
  codes.SQLITE_READONLY,
  codes.SQLITE_IOERR,
  codes.SQLITE_CORRUPT,
  codes.SQLITE_CANTOPEN,
  codes.SQLITE_NOTADB,
]

/** Something is wrong with the file, or was when it was opened: to open it again may help. */
export function isOfFile(error: unknown): boolean {
  return fileCodes.includes(codeOf(error))
}
