import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe } from 'vitest'
import {
  describeStore,
  openFaultProxy,
  type StoreFaults,
  type StoreUnderTest,
} from '../../../conformance/src/vitest.ts'
import { type PgBouncer, startPgBouncer } from '../../../test-support/postgres/start-pgbouncer.ts'
import { type PostgresServer, skipsPostgres, startPostgres } from '../../../test-support/postgres/start-postgres.ts'
import { createTables, type PostgresBackplane, type PostgresBackplaneOptions, postgresBackplane } from '../src/index.ts'
import { toName } from '../src/names.ts'
import { type Connect, type Connected, clients } from './clients.ts'

/** Where the stores of a test are: a database, with ways to it that are opened for one test each. */
export interface Place {
  readonly oracle: Connected
  /** Without faults there are none to be tested. */
  open(): Promise<Ways>
  stop(): Promise<unknown>
}

interface Ways {
  /** `breaks`: through what `faults` breaks. */
  join(options: PostgresBackplaneOptions, breaks: boolean): PostgresBackplane
  readonly faults?: StoreFaults
  close(): Promise<unknown>
}

/** The whole contract, with a client of this kind and a server of its own. */
export function describeContract(name: string, connect: Connect): void {
  describe.skipIf(skipsPostgres())(`Postgres through ${name}`, () => {
    describePlace(async () => {
      const server = await startPostgres()
      return { ...toPlace(server), open: () => openWays(server, connect) }
    })
  })
}

/** The same by way of a PgBouncer in transaction mode, which a connection to the server goes past to listen. */
export function describeBouncedContract(name: string, connect: Connect): void {
  describe.skipIf(skipsPostgres())(`Postgres through ${name} and PgBouncer`, () => {
    describePlace(async () => {
      const server = await startPostgres()
      const bouncer = await startPgBouncer(server.port)
      const { oracle, stop } = toPlace(server)
      return {
        oracle,
        open: () => openBouncedWays(server, bouncer, connect),
        stop: () => Promise.all([bouncer.stop(), stop()]),
      }
    })
  })
}

/** The whole contract in this place; what nobody can break there is left out. */
export function describePlace(start: () => Promise<Place>, isStrict = true): void {
  let place: Place
  beforeAll(async () => {
    place = await start()
  }, 60_000)
  afterAll(() => place.stop())

  async function open(maxEventsPerSession = 100_000): Promise<StoreUnderTest> {
    const { join, faults, close } = await place.open()
    const schema = `mcp_${randomBytes(4).toString('hex')}`
    const other = `${schema}_2`
    for (const each of [schema, other]) await createTables(place.oracle.client, { schema: each })
    const count = async (sql: string, key: string) => {
      const rows = await place.oracle.query(sql.replaceAll('mcp.', `${schema}.`), [toName(key)])
      return Number(rows[0]?.count)
    }
    return {
      backplane: join({ schema, maxEventsPerSession }, true),
      second: () => join({ schema, maxEventsPerSession }, false),
      neighbour: () => join({ schema: other, maxEventsPerSession }, false),
      ...(faults && { faults }),
      oracle: {
        hasSession: async (key) => (await count('SELECT count(*) FROM mcp.session WHERE name = $1', key)) > 0,
        countEvents: (key) =>
          count(
            `SELECT count(*) FROM mcp.event WHERE stream IN
              (SELECT k.id FROM mcp.stream k JOIN mcp.session s ON s.id = session WHERE name = $1)`,
            key,
          ),
      },
      async close() {
        await close()
        for (const each of [schema, other]) await place.oracle.query(`DROP SCHEMA ${each} CASCADE`)
      },
    }
  }

  describeStore('keeps the contract', () => open(), {
    openBounded: open,
    parts: ['sessions', 'events', 'bus'],
    strict: isStrict,
    ttlToleranceMs: 30,
  })
}

function toPlace(server: PostgresServer): Pick<Place, 'oracle' | 'stop'> {
  const oracle = clients.pg(server.url)
  return {
    oracle,
    async stop() {
      await oracle.close()
      await server.stop()
    },
  }
}

async function openWays({ port, url }: PostgresServer, connect: Connect): Promise<Ways> {
  const proxy = await openFaultProxy({ port })
  const connected: Connected[] = []
  const breaking = url.replace(`${port}`, `${proxy.port}`)
  return {
    join(options, breaks) {
      const { client } = open(connected, () => connect(breaks ? breaking : url))
      return postgresBackplane(client, options)
    },
    faults: proxy.faults,
    close: () => Promise.all([...connected.map(({ close }) => close()), proxy.close()]),
  }
}

async function openBouncedWays(server: PostgresServer, bouncer: PgBouncer, connect: Connect): Promise<Ways> {
  const proxies = [await openFaultProxy({ port: bouncer.port }), await openFaultProxy({ port: server.port })] as const
  const [pooled, direct] = proxies
  const connected: Connected[] = []
  const breaking = bouncer.url.replace(`${bouncer.port}`, `${pooled.port}`)
  const breakingDirect = server.url.replace(`${server.port}`, `${direct.port}`)
  return {
    join(options, breaks) {
      const { client } = open(connected, () => connect(breaks ? breaking : bouncer.url, true))
      const { client: listenOn } = open(connected, () => connect(breaks ? breakingDirect : server.url))
      return postgresBackplane(client, { ...options, listenOn })
    },
    faults: {
      disconnect: () => proxies.forEach(({ faults }) => void faults.disconnect()),
      reconnect: () => proxies.forEach(({ faults }) => void faults.reconnect()),
      loseNextReply: () => pooled.faults.loseNextReply(),
    },
    close: () => Promise.all([...connected.map(({ close }) => close()), ...proxies.map((proxy) => proxy.close())]),
  }
}

function open(connected: Connected[], connect: () => Connected): Connected {
  const each = connect()
  connected.push(each)
  return each
}
