import type { Database } from './database.ts'

/** Milliseconds between two sweeps of a node, and how long a message can be heard at least. */
export const sweepMs = 5_000

/** Has what is over removed, in small parts. There is no timer: a node that serves renews its lease. */
export class Sweeper {
  readonly #database: Database
  readonly #retainMs: number
  #sweptAt = performance.now()
  /** What could be seen when it was swept before. */
  #seen: string | null = null
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
    const before = this.#seen
    const [row] = await this.#database.write('SELECT pg_current_snapshot()::text AS snapshot', [])
    this.#seen = String(row?.snapshot)
    let isMore = true
    while (isMore) {
      const [swept] = await this.#database.write('SELECT mcp.sweep_1($1::text::float8, $2::text) AS more', [
        `${this.#retainMs}`,
        before,
      ])
      isMore = swept?.more === true
    }
  }
}
