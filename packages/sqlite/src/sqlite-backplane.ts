import { resolve } from 'node:path'
import {
  anOptionalFunction,
  type Backplane,
  checkOptions,
  expected,
  type LogOptions,
  logOptions,
  option,
} from '@throughline/mcp-http-core'
import { Connection } from './database/connection.ts'
import { type Driver, findDriver } from './database/driver.ts'
import { findNetworkFileSystem, openDatabase } from './database/open-database.ts'
import { SqliteEventLog } from './event-log.ts'
import { SqliteBus } from './message-bus.ts'
import { SqliteSessionStore } from './session-store.ts'
import { sweep } from './sweep.ts'

export interface SqliteBackplaneOptions extends LogOptions {
  /**
   * Told once, in a sentence, that the file lies where processes of several machines may reach it.
   * @default console.warn
   */
  onWarning?: (warning: string) => void
}

const table = {
  ...logOptions,
  onWarning: option(undefined, anOptionalFunction<(warning: string) => void>()),
}

/** A backplane that has its file open. */
export interface SqliteBackplane extends Backplane {
  /** Writes what is to be written and closes the file: after `endpoint.close()`. Nothing is lost without it. */
  close(): void
}

/**
 * Keeps sessions, events and messages in a file, so that they survive the process, and several processes of one machine
 * serve one deployment. The file is made where there is none; there may be two or three more beside it, whose names begin
 * with its own.
 * @throws TypeError for a bad option, naming it
 * @throws Error that says what is wrong with the file, or that the runtime has no SQLite
 */
export function sqliteBackplane(file: string, options: SqliteBackplaneOptions = {}): SqliteBackplane {
  return openBackplane(file, options, findDriver)
}

/** With a driver to be chosen. */
export function openBackplane(
  file: string,
  options: SqliteBackplaneOptions,
  findDriver: () => Driver,
): SqliteBackplane {
  const path = toPath(file)
  const { onWarning = (warning: string) => console.warn(warning), retainMs, ...bounds } = checkOptions(table, options)
  const driver = findDriver()
  const connection = new Connection({
    open: () => openDatabase(path, driver),
    sweep: (sweeping) => sweep(sweeping, retainMs),
  })
  const network = findNetworkFileSystem(path)
  if (network) onWarning(`${path} is on ${network}: only processes of one machine can share MCP sessions in it`)
  return new OpenBackplane(connection, path, bounds)
}

class OpenBackplane implements SqliteBackplane {
  readonly sessions: SqliteSessionStore
  readonly events: SqliteEventLog
  readonly bus: SqliteBus
  // No property: the endpoint refuses what is no part of a backplane.
  readonly #connection: Connection

  constructor(connection: Connection, file: string, bounds: ConstructorParameters<typeof SqliteEventLog>[2]) {
    this.#connection = connection
    this.sessions = new SqliteSessionStore(connection)
    this.bus = new SqliteBus(connection, file)
    this.events = new SqliteEventLog(connection, this.bus, bounds)
  }

  close(): void {
    this.bus.close()
    this.#connection.close()
  }
}

/** One in memory is the embedded backplane, which is faster. */
function toPath(file: unknown): string {
  if (typeof file === 'string' && file !== '' && !file.startsWith(':') && !/^file:|\0/.test(file)) return resolve(file)
  throw expected('the path of a file', file)
}
