import { setTimeout as sleep } from 'node:timers/promises'
import type { MaybePromise } from '@throughline/mcp-http-core'
import type { Clock } from './clock.ts'
import { type Database, isBusy, isOfFile, type Row, type Statement, type Value } from './driver.ts'

/** Milliseconds. */
const times = {
  /** How long the writes of one transaction may take: the event loop stands still, and other processes wait. */
  batch: 8,
  /** How long to go on asking while another process is writing. */
  busy: 5_000,
  /** How often what is over is looked for, and whether the file is still there, while something is written. */
  sweep: 500,
}

export interface Opened {
  readonly database: Database
  readonly clock: Clock
  /** Whether who opens the file now finds this one. */
  readonly isInPlace: () => boolean
}

interface Write {
  /** Done within a transaction: all of it is kept, or nothing. */
  readonly work: () => unknown
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

export interface ConnectionOptions {
  readonly open: () => Opened
  /** Removes some of what is over, within a transaction. `true`: there may be more. */
  readonly sweep: (connection: Connection) => boolean
}

/**
 * The one connection of this process to the file. SQLite answers at once, and the event loop stands still meanwhile: so
 * the writes of a turn are made in one transaction, a bounded number at a time, and nothing waits for another process
 * but on a timer.
 */
export class Connection {
  readonly #options: ConnectionOptions
  readonly #statements = new Map<string, Statement>()
  #opened: Opened | undefined
  #isClosed = false
  #writes: Write[] = []
  #isScheduled = false
  /** When other processes were found writing, and have been since. */
  #busySince: number | undefined
  #sweptAt = performance.now()
  /** Told when something failed. */
  onFailure: () => void = () => undefined

  /** @throws what `open` throws */
  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#opened = options.open()
  }

  now(): number {
    return this.#open().clock.now()
  }

  get(sql: string, ...values: Value[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined
  }

  all(sql: string, ...values: Value[]): Row[] {
    return this.#statement(sql).all(...values) as Row[]
  }

  /** How many rows it has changed. */
  run(sql: string, ...values: Value[]): number {
    return Number(this.#statement(sql).run(...values).changes)
  }

  /** Reads what is committed. It throws or rejects when that fails. */
  read<T>(work: () => T): MaybePromise<T> {
    try {
      return work()
    } catch (error) {
      if (isBusy(error)) return this.#readLater(work)
      this.#heed(error)
      throw error
    }
  }

  /** Does this within the next transaction, after what came before it. */
  write<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#writes.push({ work, resolve: resolve as Write['resolve'], reject })
      if (performance.now() - this.#sweptAt > times.sweep) this.#writes.push(this.#sweeping())
      this.#schedule()
    })
  }

  /** What was to be written is written first. Whatever is called later fails. */
  close(): void {
    while (this.#writes.length > 0 && this.#busySince === undefined) this.#commit()
    this.#fail(this.#writes.splice(0), new Error('The SQLite backplane is closed'))
    this.#isClosed = true
    this.#drop()
  }

  #open(): Opened {
    if (this.#isClosed) throw new Error('The SQLite backplane is closed')
    this.#opened ??= this.#options.open()
    return this.#opened
  }

  #statement(sql: string): Statement {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.#open().database.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  async #readLater<T>(work: () => T): Promise<T> {
    for (const since = performance.now(); ; ) {
      await sleep(randomDelay())
      try {
        return work()
      } catch (error) {
        if (isBusy(error) && performance.now() - since < times.busy) continue
        this.#heed(error)
        throw error
      }
    }
  }

  #sweeping(): Write {
    this.#sweptAt = performance.now()
    const work = (): void => {
      if (!this.#open().isInPlace()) throw movedError()
      if (this.#options.sweep(this)) this.#sweptAt = 0
    }
    return { work, resolve: ignore, reject: ignore }
  }

  /** `delayMs`: where others are to have their turn. */
  #schedule(delayMs?: number): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    const commit = (): void => {
      this.#isScheduled = false
      this.#commit()
    }
    if (delayMs === undefined) setImmediate(commit)
    else setTimeout(commit, delayMs)
  }

  #commit(): void {
    if (this.#writes.length === 0) return
    if (this.#begin()) this.#finish()
    if (this.#writes.length > 0) this.#schedule(this.#busySince === undefined ? 1 : randomDelay())
  }

  #begin(): boolean {
    try {
      this.run('BEGIN IMMEDIATE')
      this.#busySince = undefined
      return true
    } catch (error) {
      this.#busySince ??= performance.now()
      if (isBusy(error) && performance.now() - this.#busySince < times.busy) return false
      this.#busySince = undefined
      this.#fail(this.#writes.splice(0), error)
      return false
    }
  }

  #finish(): void {
    const since = performance.now()
    const results: unknown[] = []
    try {
      for (const { work } of this.#writes) {
        results.push(undefined)
        results[results.length - 1] = work()
        if (performance.now() - since > times.batch) break
      }
      this.run('COMMIT')
    } catch (error) {
      this.#rollBack()
      // What comes after them is tried by itself.
      this.#fail(this.#writes.splice(0, results.length), error)
      return
    }
    for (const [i, { resolve }] of this.#writes.splice(0, results.length).entries()) resolve(results[i])
  }

  #rollBack(): void {
    try {
      this.run('ROLLBACK')
    } catch {
      // There is none any more: SQLite ends a transaction by itself when the disk is full.
    }
  }

  #fail(writes: readonly Write[], error: unknown): void {
    this.#heed(error)
    for (const { reject } of writes) reject(error)
  }

  /** The next that is asked opens the file again, where that may help. */
  #heed(error: unknown): void {
    if (isOfFile(error)) this.#drop()
    this.onFailure()
  }

  #drop(): void {
    const opened = this.#opened
    this.#opened = undefined
    this.#statements.clear()
    try {
      opened?.database.close()
    } catch {
      // It was of no use any more.
    }
  }
}

/** Processes that wait for each other must not wait in step. */
function randomDelay(): number {
  return 1 + Math.random() * 4
}

function ignore(): void {
  return
}

/** What SQLite itself says without a write-ahead log. With one it goes on in a file that nobody else can open. */
function movedError(): Error {
  return Object.assign(new Error('The file was removed or replaced'), { code: 'SQLITE_READONLY_DBMOVED' })
}
