import type { LogEvent } from '@throughline/mcp-http-core'
import type { StoreDefect } from './store-doubles.ts'

/** What a connection says that was cut, or whose reply was lost. */
export class ConnectionLost extends Error {
  override name = 'ConnectionLost'
}

export interface Row {
  readonly text: string
  /** As it was created. */
  readonly original: string
  readonly ttlMs: number
  readonly expiresAt: number
}

/** The streams and events of one session. */
export interface Log {
  term: number
  /** When the session's record expires, as far as is known; a log without a record has no end. */
  endsAt: number
  /** In the order in which they were appended. */
  events: LogEvent[]
  readonly streams: Map<string, StreamRow>
  /** Names of events that need not be kept. */
  readonly settled: Set<string>
}

export interface StreamRow {
  readonly firstTerm: number
  readonly requestIds: readonly (string | number)[]
  head: number
  headPosition: { readonly term: number; readonly n: number }
  ended: boolean
  released: boolean
}

export type Hear = (message: string, from: FakeConnection) => void

/** What one deployment keeps in the database: that under its prefix. */
export class Deployment {
  readonly rows = new Map<string, Row>()
  readonly logs = new Map<string, Log>()
  readonly channels = new Map<string, Map<FakeConnection, Hear>>()
  /** When the leases of nodes end. */
  readonly leases = new Map<string, number>()
  /** Keys of what was deleted. */
  readonly tombstones = new Set<string>()
  /** Events that no reader sees, by session. */
  readonly hidden = new Map<string, number>()
}

/**
 * Removes the logs of sessions whose record has expired. A database does so by itself: it comes before all that could
 * see the difference.
 */
export function endLogs({ logs, rows }: Deployment, has: (defect: StoreDefect) => boolean): void {
  if (has('log-outlives-its-record')) return
  const now = performance.now()
  for (const [key, log] of logs) {
    const { expiresAt = 0 } = rows.get(key) ?? {}
    if (expiresAt > now && !has('log-lives-for-its-first-ttl')) log.endsAt = expiresAt
    if (log.endsAt <= now) logs.delete(key)
  }
}

/** A database in this process. */
export class FakeDatabase {
  readonly #deployments = new Map<string, Deployment>()

  deployment(prefix: string): Deployment {
    const deployment = this.#deployments.get(prefix) ?? new Deployment()
    this.#deployments.set(prefix, deployment)
    return deployment
  }

  /** Nobody hears on a connection that broke: who comes back subscribes anew. */
  forget(connection: FakeConnection): void {
    for (const { channels } of this.#deployments.values()) {
      for (const connections of channels.values()) connections.delete(connection)
    }
  }
}

/** Carries commands to the database, in order, and their replies back. */
export class FakeConnection {
  readonly database: FakeDatabase
  /** How long a command waits for a connection that is cut before it is given up. */
  readonly #patienceMs: number
  /** How often it was cut. */
  cuts = 0
  isCut = false
  readonly #onMended = new Set<() => void>()
  #losesReply = false

  constructor(database: FakeDatabase, patienceMs = 0) {
    this.database = database
    this.#patienceMs = patienceMs
  }

  /** A command is carried out at once and whole. */
  async run<T>(prefix: string, command: (deployment: Deployment) => T): Promise<T> {
    if (this.isCut && this.#patienceMs > 0) await this.#mended()
    if (this.isCut) throw new ConnectionLost('The connection is cut')
    const losesReply = this.#losesReply
    this.#losesReply = false
    await Promise.resolve()
    const result = command(this.database.deployment(prefix))
    await Promise.resolve()
    if (losesReply) throw new ConnectionLost('The connection broke before the reply')
    return result
  }

  #mended(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#patienceMs)
      this.onMended(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  onMended(listener: () => void): void {
    this.#onMended.add(listener)
  }

  cut(): void {
    this.isCut = true
    this.cuts++
    this.database.forget(this)
  }

  mend(): void {
    if (!this.isCut) return
    this.isCut = false
    for (const listener of this.#onMended) listener()
  }

  loseNextReply(): void {
    this.#losesReply = true
  }
}

/** Lets other commands go first. */
export async function wait(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await Promise.resolve()
}

export const forEver = new Promise<never>(() => undefined)
