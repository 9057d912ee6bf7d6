import { toIdentifier } from '../names.ts'
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
  query(statement: string | Statement): Promise<{ readonly rows: readonly Row[] }>
  end(): Promise<unknown>
  on(event: string, listener: (...args: never[]) => void): unknown
  off(event: string, listener: (...args: never[]) => void): unknown
  unref(): void
}

interface Statement {
  readonly name?: string
  readonly text: string
  readonly values: readonly unknown[]
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

/**
 * What is prepared takes up to a third less time, as long as the pool's connections are to one server process each. By way
 * of PgBouncer they need not be: it may be missing then, or be there already. The server has done nothing where it says so,
 * and it is asked without.
 */
const notPrepared = ['26000', '42P05']

export function fromPool(pool: Pool): ClientPort {
  let prepares = true
  const toStatement = (text: string, values: readonly unknown[], isPrepared: boolean): Statement => {
    // Whoever else has prepared a statement by the name of its text means the same.
    return prepares && isPrepared ? { name: toIdentifier(text), text, values } : { text, values }
  }
  return {
    async query(text, values, isPrepared = false) {
      const statement = toStatement(text, values, isPrepared)
      try {
        return await run(pool, statement)
      } catch (error) {
        const isToRepeat = statement.name && notPrepared.includes(String((error as { readonly code?: unknown }).code))
        if (!isToRepeat) throw error
        prepares = false
        return await run(pool, { text, values })
      }
    },
    async script(text) {
      await use(pool, (client) => client.query(text))
    },
    openListener: (events) => openListener(pool, events),
  }
}

async function run(pool: Pool, statement: Statement): Promise<readonly Row[]> {
  const { rows } = await use(pool, (client) => {
    const { host, port, processID: pid, secretKey: secret } = client
    const address = host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port }
    const onLate = () => requestCancel(address, { pid, secret })
    return within(deadlines.reply - deadlines.connect, 'a result', client.query(statement), onLate)
  })
  return rows
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
