import { readFileSync } from 'node:fs'
import type { Database, Row } from './driver.ts'

/** Milliseconds by a clock that all processes of the machine read the same, that only goes forward, and begins when it boots. */
function sinceBoot(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000 + nanoseconds / 1e6
}

/** For systems that do not say which boot it is: each process has what the wall clock was when it began. */
const ownOffset = Date.now() - sinceBoot()

/**
 * Times in the file are milliseconds since the epoch, as the wall clock was when the first process of this boot opened
 * it: from then on steps of the wall clock change nothing, and processes agree.
 */
export class Clock {
  readonly #offset: number

  private constructor(offset: number) {
    this.#offset = offset
  }

  /** Within a transaction that writes. */
  static read(database: Database): Clock {
    const boot = findBoot()
    if (boot === undefined) return new Clock(ownOffset)
    const row = database.prepare('SELECT offset FROM clock WHERE boot = ?').get(boot) as Row | undefined
    if (row) return new Clock(Number(row.offset))
    database.exec('DELETE FROM clock')
    database.prepare('INSERT INTO clock (boot, offset) VALUES (?, ?)').run(boot, ownOffset)
    return new Clock(ownOffset)
  }

  now(): number {
    return sinceBoot() + this.#offset
  }
}

function findBoot(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    // No Linux.
    return undefined
  }
}
