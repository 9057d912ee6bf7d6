import { requestCancel } from './cancel-request.ts'
import { type ClientPort, deadlines, type Listener, type ListenerEvents, type Row, within } from './postgres-client.ts'

/** What is used of a `Pool` of pg. */
interface Pool {
  readonly options: object
  readonly Client: new (options: object) => Client
  connect(onConnect: (error: Error | undefined, client: PooledClient | undefined) => void): unknown
}

interface Client {
  connect(): Promise<unknown>
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly Row[] }>
  end(): Promise<unknown>
  on(event: string, listener: (...args: never[]) => void): unknown
  off(event: string, listener: (...args: never[]) => void): unknown
  unref(): void
}

interface PooledClient extends Client {
  readonly host: string
  readonly port: number
  /** What the server called the connection. Both are there, but in no type. */
  readonly processID: number
  readonly secretKey: number
  release(isBroken?: boolean): void
}

export function isPool(client: unknown): client is Pool {
  const { connect, Client, options, totalCount } = (client ?? {}) as Partial<Pool> & { totalCount?: unknown }
  return typeof connect === 'function' && typeof Client === 'function' && !!options && typeof totalCount === 'number'
}

/** The pool tells its owner of errors. */
function ignore(): void {
  return
}

export function fromPool(pool: Pool): ClientPort {
  return {
    async query(text, values) {
      const { rows } = await use(pool, (client) => {
        const { host, port, processID: pid, secretKey: secret } = client
        const address = host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port }
        const onLate = () => requestCancel(address, { pid, secret })
        return within(deadlines.reply - deadlines.connect, 'a result', client.query(text, values), onLate)
      })
      return rows
    },
    async script(text) {
      await use(pool, (client) => client.query(text))
    },
    openListener: (events) => openListener(pool, events),
  }
}

/** A connection that failed, or has not answered yet, is of no use to others. */
async function use<T>(pool: Pool, work: (client: PooledClient) => Promise<T>): Promise<T> {
  const client = await checkOut(pool)
  let isBroken = true
  try {
    const result = await work(client)
    isBroken = false
    return result
  } catch (error) {
    isBroken = !isRefusal(error)
    throw error
  } finally {
    giveBack(client, isBroken)
  }
}

function giveBack(client: PooledClient, isBroken: boolean): void {
  if (!isBroken) client.off('error', ignore)
  client.release(isBroken)
}

/** It is listened to for errors. One that comes too late goes back. */
async function checkOut(pool: Pool): Promise<PooledClient> {
  // A promise would tell of it too late: the server can have ended it in the same breath.
  const connecting = new Promise<PooledClient>((resolve, reject) => {
    pool.connect((error, client) => {
      client?.on('error', ignore)
      if (client) resolve(client)
      else reject(error)
    })
  })
  try {
    return await within(deadlines.connect, 'a connection', connecting)
  } catch (error) {
    connecting.then((client) => giveBack(client, false), ignore)
    throw error
  }
}

/**
 * Codes of what the server says of a statement, by their class: not of the connection (08), of a session that only reads or
 * idled (25), of a server that ends (57) or is at fault (XX), and none of Node.js, as EPIPE. `severity` would tell as well,
 * but `lc_messages` translates it.
 */
const refusals = /^(?!08|25|57)(\d\d|P0)[\dA-Z]{3}$/

function isRefusal(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'string' && refusals.test(code)
}

function openListener(pool: Pool, events: ListenerEvents): Listener {
  const client = new pool.Client(pool.options)
  const end = (): void => void client.end().catch(ignore)
  client.on('error', ignore)
  client.on('notification', events.woken)
  client.on('end', () => {
    events.broken()
    events.lost()
  })
  const connecting = within(deadlines.connect, 'a connection', client.connect()).then(() => client.unref())
  connecting.catch(() => {
    end()
    events.lost()
  })
  const run = (text: string) =>
    connecting.then(() => within(deadlines.reply, `a result of ${text}`, client.query(text)))
  return { listen: (name) => run(`LISTEN ${name}`), unlisten: (name) => run(`UNLISTEN ${name}`), end }
}
