import { type Database, isNumber } from './database.ts'

/** Milliseconds between two sweeps of a node, and how long a message can be heard at least. */
export const sweepMs = 5_000

/** Has what is over removed, in small parts. There is no timer: a node that serves renews its lease. */
export class Sweeper {
  readonly #database: Database
  readonly #retainMs: number
  #sweptAt = performance.now()
  /** What could be seen by then: messages of it may be removed once it is old enough, however often streams are. */
  #seen: { readonly snapshot: string; readonly at: number } | undefined
  #isSweeping = false

  constructor(database: Database, retainMs: number) {
    this.#database = database
    this.#retainMs = retainMs
  }

  /** Does not reject: the next one goes on. */
  touch(): void {
    if (this.#isSweeping || performance.now() < this.#sweptAt + Math.min(sweepMs, this.#retainMs)) return
    this.#isSweeping = true
    this.#sweep()
      .catch(() => undefined)
      .finally(() => {
        this.#isSweeping = false
        this.#sweptAt = performance.now()
      })
  }

  async #sweep(): Promise<void> {
    const over = await this.#findOver()
    let isMore = true
    while (isMore) {
      const [swept] = await this.#database.write('SELECT mcp.sweep_1($1::text::float8, $2::text)::int AS more', [
        `${this.#retainMs}`,
        over,
      ])
      isMore = isNumber(1, swept?.more)
    }
  }

  /** The snapshot whose messages everyone has heard; `null`: there is none yet. */
  async #findOver(): Promise<string | null> {
    const before = this.#seen
    const at = performance.now()
    if (before && at < before.at + sweepMs) return null
    const [row] = await this.#database.write('SELECT pg_current_snapshot()::text AS snapshot', [])
    // Counted from when it was answered: it was taken before that.
    this.#seen = { snapshot: String(row?.snapshot), at: performance.now() }
    return before?.snapshot ?? null
  }
}
