import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { Clock } from './clock.ts'
import type { Opened } from './connection.ts'
import { type Database, type Driver, isBusy, type Row } from './driver.ts'
import { applicationId, schema, schemaVersion } from './schema.ts'

/** How long, in milliseconds, opening waits for other processes that do the same. */
const openingMs = 5_000

/** File systems that are of another machine, by the number that Linux gives. */
const networkFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'CephFS'],
  [0x0bd00bd0, 'Lustre'],
])

/**
 * Opens the file, and makes it and its tables where there are none. Safe when several processes do so at once.
 * @throws Error that says what is wrong with the file
 */
export function openDatabase(file: string, driver: Driver): Opened {
  expectWritable(file)
  let database: Database | undefined
  try {
    database = driver(file)
    const clock = prepare(database)
    const { dev, ino } = statSync(file)
    const isInPlace = (): boolean => {
      const found = statSync(file, { throwIfNoEntry: false })
      return found?.dev === dev && found.ino === ino
    }
    return { database, clock, isInPlace }
  } catch (error) {
    database?.close()
    throw new Error(`Cannot use ${file} for MCP sessions: ${(error as Error).message}`, { cause: error })
  }
}

/** What SQLite says of these is the same for all: that it cannot open the file. */
function expectWritable(file: string): void {
  const folder = dirname(file)
  if (!existsSync(folder)) throw new Error(`Cannot use ${file} for MCP sessions: there is no folder ${folder}`)
  for (const path of [folder, ...(existsSync(file) ? [file] : [])]) {
    try {
      accessSync(path, constants.W_OK)
    } catch (error) {
      throw new Error(`Cannot use ${file} for MCP sessions: ${path} may not be written to`, { cause: error })
    }
  }
}

function prepare(database: Database): Clock {
  // Refused while another process does the same, whatever the busy time-out is.
  const [mode] = untilFree(() => database.prepare('PRAGMA journal_mode = WAL').all() as Row[])
  if (mode?.journal_mode !== 'wal') throw new Error('its file system has no room for a write-ahead log')
  // A process that is killed loses nothing: what it wrote is with the system. Each commit would wait for the disk with
  // FULL; with NORMAL only checkpoints do, and a machine that loses power forgets the last moments, whole.
  database.exec('PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 16777216')
  untilFree(() => database.exec('BEGIN IMMEDIATE'))
  migrate(database)
  const clock = Clock.read(database)
  database.exec('COMMIT')
  // From now on the connection waits on a timer.
  database.exec('PRAGMA busy_timeout = 0')
  return clock
}

function migrate(database: Database): void {
  const [version, id] = ['user_version', 'application_id'].map((name) => {
    return (database.prepare(`PRAGMA ${name}`).get() as Row)[name]
  })
  const tables = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get() as Row
  if (id !== applicationId && (tables.count !== 0 || version !== 0)) {
    throw new Error('it is the database of something else')
  }
  if (Number(version) > schemaVersion) throw new Error('it was written by a later version of this package')
  if (version === 0) {
    database.exec(`${schema}; PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}`)
  }
}

/** For opening alone: the event loop stands still meanwhile. */
function untilFree<T>(work: () => T): T {
  const deadline = performance.now() + openingMs
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
}

/** What several machines cannot share: the index of the write-ahead log is shared memory. */
export function findNetworkFileSystem(file: string): string | undefined {
  try {
    return networkFileSystems.get(statfsSync(dirname(file)).type)
  } catch {
    // Not to be had here: it is a hint only.
    return undefined
  }
}
