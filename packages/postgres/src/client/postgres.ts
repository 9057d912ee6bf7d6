import { type Backend, requestCancel } from './cancel-request.ts'
import { type ClientPort, deadlines, type Listener, type ListenerEvents, type Row, within } from './postgres-client.ts'

/** What is used of what `postgres()` gives. */
interface Sql {
  readonly options: {
    readonly prepare?: boolean
    readonly host: readonly string[]
    readonly port: readonly number[]
    /** Of a socket, in place of these. */
    readonly path?: string | false
    readonly transform?: { readonly column?: { readonly from?: unknown } }
  }
  unsafe(text: string, values?: readonly unknown[], options?: object): Query
  listen(name: string, onNotify: () => void, onListen: () => void): Promise<{ unlisten(): Promise<unknown> }>
}

interface Query extends Promise<readonly Row[]> {
  cancel(): unknown
  /** Once it was sent: the backend that has it, and whether that works on it or on one before. In no type. */
  readonly state?: Backend | null
  readonly active?: boolean
}

export function isPostgres(client: unknown): client is Sql {
  if (typeof client !== 'function') return false
  const { unsafe, listen, options } = client as unknown as Partial<Sql>
  return typeof unsafe === 'function' && typeof listen === 'function' && !!options
}

export function fromPostgres(sql: Sql): ClientPort {
  // Whoever goes through PgBouncer has said so by `prepare: false`.
  const { prepare = true, transform } = sql.options
  return {
    async query(text, values, isPrepared = false) {
      const query = sql.unsafe(text, values, { prepare: prepare && isPrepared })
      const rows = await within(deadlines.reply, 'a result', query, () => giveUp(sql, query))
      return transform?.column?.from ? rows.map(toLowerCase) : rows
    },
    async script(text) {
      await sql.unsafe(text)
    },
    openListener: (events) => openListener(sql, events),
  }
}

/** The application may have names of columns written otherwise, as with `postgres.pascal`. */
function toLowerCase(row: Row): Row {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name.toLowerCase(), value]))
}

/**
 * One that waits for a connection is not sent any more, and one that runs is stopped. `cancel()` would do that as well, but
 * where the server cannot be reached it leaves a rejection that nobody can catch.
 */
function giveUp({ options }: Sql, query: Query): void {
  const { state, active } = query
  if (!state) query.cancel()
  if (!state || !active) return
  const addresses = options.host.map((host, i) => ({ host, port: options.port[i] as number }))
  // Which of several it is, is not told. The others know of no such backend.
  for (const address of options.path ? [{ path: options.path }] : addresses) requestCancel(address, state)
}

/** It listens again by itself once its connection was broken. */
function openListener(sql: Sql, events: ListenerEvents): Listener {
  const names = new Map<string, Promise<{ unlisten(): Promise<unknown> }>>()
  let isEnded = false
  const unlisten = async (name: string): Promise<void> => {
    const listening = names.get(name)
    names.delete(name)
    await (await listening)?.unlisten()
  }
  return {
    listen(name) {
      let isFirst = true
      const onListen = (): void => {
        if (!isFirst && !isEnded) events.broken()
        isFirst = false
      }
      const listening = sql.listen(name, () => isEnded || events.woken(), onListen)
      names.set(name, listening)
      return within(deadlines.reply, `a result of LISTEN ${name}`, listening)
    },
    unlisten,
    end() {
      isEnded = true
      for (const name of [...names.keys()]) unlisten(name).catch(() => undefined)
    },
  }
}
