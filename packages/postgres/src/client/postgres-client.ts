import { expected } from '@throughline/mcp-http-core'
import { fromPool, isPool } from './pg.ts'
import { fromPGlite, isPGlite } from './pglite.ts'
import { fromPostgres, isPostgres } from './postgres.ts'

type Method = (...parameters: never[]) => unknown

/** A `Pool` of `pg`, what `postgres()` of postgres gives, or a `PGlite`. It is told by these members. */
export type PostgresClient =
  | { readonly connect: Method; readonly query: Method; readonly totalCount: number }
  | { readonly unsafe: Method; readonly listen: Method }
  | { readonly exec: Method; readonly query: Method; readonly listen: Method; readonly waitReady: PromiseLike<unknown> }

/**
 * A client of a pool of `pg`, the `sql` of a transaction of postgres, or the transaction of a PGlite: what the application
 * runs its transaction on.
 */
export type PostgresTransaction = { readonly query: Method } | { readonly unsafe: Method }

export type Row = Readonly<Record<string, unknown>>
export type Value = string | number | boolean | null

/** The few things that are done with a client, whichever it is. */
export interface ClientPort {
  /**
   * One statement. `isPrepared`: the server may keep its plan.
   * @throws Error when there is no connection or no result in time, or the result is an error
   */
  query(text: string, values: readonly Value[], isPrepared?: boolean): Promise<readonly Row[]>
  /** Several statements in one transaction, without a deadline. */
  script(text: string): Promise<void>
  openListener(events: ListenerEvents): Listener
}

/** A connection of its own that listens. */
export interface Listener {
  /** Resolves when messages are heard. Names are lower case and need no quotes. */
  listen(name: string): Promise<unknown>
  unlisten(name: string): Promise<unknown>
  /** Does not throw. */
  end(): void
}

export interface ListenerEvents {
  woken(): void
  /** The connection was broken: what was said meanwhile is lost. */
  broken(): void
  /** It does not come back by itself. */
  lost(): void
}

/** How long a command waits for a connection, and how long it may take with that, in milliseconds. */
export const deadlines = { connect: 1_500, reply: 4_000 }

/** @throws TypeError for what is none of the clients that are known. */
export function toClientPort(client: unknown, name = 'the client'): ClientPort {
  if (isPool(client)) return fromPool(client)
  if (isPostgres(client)) return fromPostgres(client)
  if (isPGlite(client)) return fromPGlite(client)
  throw expected(`${name} to be \`new Pool()\` of pg, \`postgres()\` of postgres, or a PGlite`, client)
}

/** @throws TypeError */
export async function queryIn(client: PostgresTransaction, text: string, values: readonly Value[]): Promise<void> {
  if ('unsafe' in (client ?? {})) await (client as never as { unsafe: Send }).unsafe(text, values)
  else if ('query' in (client ?? {})) await (client as never as { query: Send }).query(text, values)
  else throw expected('the client of a transaction of pg, the sql of one of postgres, or that of a PGlite', client)
}

type Send = (text: string, values: readonly Value[]) => Promise<unknown>

/** Settles like `promise`, or rejects after `ms` milliseconds, when `onLate` is called. */
export function within<T>(ms: number, what: string, promise: PromiseLike<T>, onLate?: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => {
      onLate?.()
      reject(new Error(`Expected ${what} from Postgres within ${ms} ms`))
    }
    const timer = setTimeout(late, ms)
    Promise.resolve(promise)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer))
  })
}
