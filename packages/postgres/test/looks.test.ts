import { Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type PostgresServer, skipsPostgres, startPostgres } from '../../../test-support/postgres/start-postgres.ts'
import { deferred, sleep, waitFor } from '../../../test-support/waiting.ts'
import { type ClientPort, toClientPort } from '../src/client/postgres-client.ts'
import { Database } from '../src/database.ts'
import { createTables, postgresBackplane } from '../src/index.ts'
import { PostgresBus } from '../src/message-bus.ts'
import { clients } from './clients.ts'
import { toEvent, toRecord, ttlMs } from './records.ts'

describe.skipIf(skipsPostgres())('whoever looks for messages', () => {
  let server: PostgresServer
  let pool: Pool
  beforeAll(async () => {
    server = await startPostgres()
    pool = new Pool({ connectionString: server.url })
    await createTables(pool)
  }, 60_000)
  afterAll(async () => {
    await pool.end()
    await server.stop()
  })

  /** A bus whose looks are held up on their way to the server, while `held` is there. */
  function createHeldBus(pauseMs: number) {
    const looks: { held?: Promise<void>; count: number } = { count: 0 }
    const port = toClientPort(pool)
    const query: ClientPort['query'] = async (text, values) => {
      if (text.includes('pg_current_snapshot')) {
        looks.count++
        await looks.held
      }
      return await port.query(text, values)
    }
    const times = { busy: pauseMs, quiet: pauseMs, idle: pauseMs, silence: 30_000, pause: 1_000 }
    return { bus: new PostgresBus(new Database({ ...port, query }, 'mcp'), undefined, times), looks }
  }

  test('and subscribes to another channel meanwhile hears what is said there from when that has settled', async () => {
    const { bus, looks } = createHeldBus(20)
    const other = postgresBackplane(pool, { listenOn: false })
    const heard: string[] = []
    onTestFinished(await bus.subscribe('first', () => undefined))
    const { promise, resolve } = deferred()
    looks.held = promise
    await oneMore(looks)
    const subscribing = bus.subscribe('second', (message) => heard.push(message))
    const publishing = subscribing.then(() => other.bus.publish('second', 'message'))
    // Were it settled too soon, the message would be there before the look is.
    await Promise.race([publishing, sleep(300)])
    delete looks.held
    resolve()
    await publishing
    await waitFor(() => heard.includes('message'))
    await (await subscribing)()
  })

  describe.each(['pg', 'postgres'] as const)('through %s', (name) => {
    test.each(['plain', 'mcp-http/node', 'long '.repeat(20), 'Ünïcode \uD800'])(
      'is woken by what comes on the channel %j',
      async (channel) => {
        const { client, close } = clients[name](server.url)
        onTestFinished(close)
        const pauseMs = 600_000
        const times = { busy: pauseMs, quiet: pauseMs, idle: pauseMs, silence: 30_000, pause: 1_000 }
        const port = toClientPort(client)
        const bus = new PostgresBus(new Database(port, 'mcp'), port, times)
        const { bus: otherBus, events, sessions } = postgresBackplane(pool, { listenOn: false })
        const heard: string[] = []
        onTestFinished(await bus.subscribe(channel, (message) => heard.push(message)))
        await otherBus.publish(channel, 'published')
        await waitFor(() => heard.includes('published'))
        const key = crypto.randomUUID()
        await sessions.create(toRecord(key), ttlMs)
        await events.appendAndPublish?.(key, [toEvent(1)], [{ channel, message: 'appended' }])
        await waitFor(() => heard.includes('appended'))
      },
    )
  })

  test('looks for messages often once one has come that nothing told of', async () => {
    const times = { busy: 5, quiet: 20, idle: 2_000, silence: 30_000, pause: 1_000 }
    const port = toClientPort(pool)
    let isMute = false
    const openListener: ClientPort['openListener'] = ({ woken, ...events }) =>
      port.openListener({ ...events, woken: () => isMute || woken() })
    const bus = new PostgresBus(new Database(port, 'mcp'), { ...port, openListener }, times)
    const { bus: otherBus } = postgresBackplane(pool, { listenOn: false })
    const heard: string[] = []
    onTestFinished(await bus.subscribe('mute', (message) => heard.push(message)))
    const publish = async (message: string) => {
      const since = performance.now()
      await otherBus.publish('mute', message)
      await waitFor(() => heard.includes(message))
      return performance.now() - since
    }
    expect(await publish('told of')).toBeLessThan(1_000)
    isMute = true
    await publish('missed')
    expect(await publish('looked for')).toBeLessThan(1_000)
  })

  test('is told that messages may be missed when so much time has passed that some may be gone', async () => {
    const { bus, looks } = createHeldBus(1_500)
    const other = postgresBackplane(pool, { listenOn: false })
    const heard: string[] = []
    let missed = 0
    const listener = (message: string) => heard.push(message)
    const stop = await bus.subscribe('channel', listener, () => missed++)
    await oneMore(looks)
    const { promise, resolve } = deferred()
    looks.held = promise
    await oneMore(looks)
    await other.bus.publish('channel', 'message')
    await sleep(3_000)
    resolve()
    await waitFor(() => heard.includes('message'))
    expect(missed).toBe(1)
    await stop()
  })

  test('hears those that were committed late, and reads no others again while a transaction is open for long', async () => {
    const long = await pool.connect()
    const looking = await pool.connect()
    try {
      await pool.query('ANALYZE mcp.message')
      await long.query('BEGIN')
      await long.query("INSERT INTO mcp.message (channel, text) VALUES ('channel', 'late')")
      const { rows } = await pool.query('SELECT pg_current_snapshot()::text AS snapshot')
      const look = `SELECT text FROM mcp.look_1('{channel}', '${rows[0].snapshot}')`
      // Its plan is kept from here on.
      for (let i = 0; i < 10; i++) await looking.query(look)
      await pool.query(`DO $$ BEGIN
        FOR i IN 1..2000 LOOP INSERT INTO mcp.message (channel, text) VALUES ('channel', 'early'); COMMIT; END LOOP;
      END $$`)
      const { rows: later } = await pool.query('SELECT pg_current_snapshot()::text AS snapshot')
      const next = `SELECT text FROM mcp.look_1('{channel}', '${later[0].snapshot}')`
      await looking.query('BEGIN')
      expect((await looking.query(next)).rows).toEqual([])
      expect(await countRead(looking)).toBeLessThan(10)
      await looking.query('COMMIT')
      await long.query('COMMIT')
      expect((await looking.query(next)).rows).toEqual([{ text: 'late' }])
    } finally {
      long.release()
      looking.release()
    }
  })

  async function oneMore(looks: { readonly count: number }): Promise<void> {
    const before = looks.count
    await waitFor(() => looks.count > before)
  }

  /** Rows of messages that the transaction under way has read, also those that it dropped then. */
  async function countRead(client: PoolClient): Promise<number> {
    const { rows } = await client.query(
      "SELECT (seq_tup_read + idx_tup_fetch)::int AS read FROM pg_stat_xact_user_tables WHERE relname = 'message'",
    )
    return rows[0].read
  }
})
