import { createServer } from 'node:net'
import { Client, Pool, types } from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { listen } from '../../../test-support/listen.ts'
import { startPgBouncer } from '../../../test-support/postgres/start-pgbouncer.ts'
import { type PostgresServer, skipsPostgres, startPostgres } from '../../../test-support/postgres/start-postgres.ts'
import { sleep, waitFor } from '../../../test-support/waiting.ts'
import { createEndpoint } from '../../core/src/index.ts'
import { createTables, type PostgresBackplaneOptions, postgresBackplane } from '../src/index.ts'
import { clients, queryOnce } from './clients.ts'
import { toEvent, toRecord, ttlMs } from './records.ts'

test('an object that is no known client is refused with a sentence that says what to pass', () => {
  for (const other of [undefined, null, 'postgres://localhost', {}, Pool, new Client()]) {
    expect(() => postgresBackplane(other as never)).toThrow(
      /^Expected the client to be `new Pool\(\)` of pg, `postgres\(\)` of postgres, or a PGlite, got /,
    )
  }
})

test('a bad option is refused by its name', () => {
  const bad: readonly [unknown, string][] = [
    [{ keyPrefix: 'x' }, 'Unknown option: keyPrefix'],
    [{ schema: 'Mcp' }, 'Expected schema to be 1 to 40 lower-case letters, digits and underscores, got "Mcp"'],
    [{ schema: 'a.b' }, 'Expected schema to be 1 to 40 lower-case letters'],
    [{ listenOn: true }, 'Expected listenOn, where it is not false, to be `new Pool()` of pg, `postgres()`'],
    [{ maxEventsPerSession: 0 }, 'Expected maxEventsPerSession to be a whole number from 1'],
    [{ maxBytesPerSession: '8 MiB' }, 'Expected maxBytesPerSession to be a whole number from 1'],
    [{ retainMs: 1.5 }, 'Expected retainMs to be a whole number from 1'],
    // Beyond what Postgres can take from a time.
    [{ retainMs: Number.MAX_SAFE_INTEGER }, 'Expected retainMs to be a whole number from 1 to 2147483647'],
  ]
  for (const [options, message] of bad) {
    expect(() => postgresBackplane(new Pool(), options as PostgresBackplaneOptions)).toThrow(message)
  }
})

function toBigIntParser(oid: number, format?: never): unknown {
  return oid === types.builtins.INT8 || oid === types.builtins.INT4 ? BigInt : types.getTypeParser(oid, format)
}

describe.skipIf(skipsPostgres())('with a real Postgres', { timeout: 60_000 }, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  }, 60_000)
  afterAll(() => server.stop())

  function connect(settings: object = {}): Pool {
    const pool = new Pool({ connectionString: server.url, ...settings })
    pool.on('error', () => undefined)
    onTestFinished(() => pool.end())
    return pool
  }

  async function open(schema: string, options: PostgresBackplaneOptions = {}) {
    const pool = connect()
    await createTables(pool, { schema })
    return { pool, ...postgresBackplane(pool, { schema, ...options }) }
  }

  test('tables that are not there are named as the reason', async () => {
    const { sessions } = postgresBackplane(connect(), { schema: 'nowhere' })
    await expect(async () => await sessions.get('key')).rejects.toThrow(
      "The tables for MCP sessions are not in the schema nowhere: await createTables(client, { schema: 'nowhere' }), or give postgresBackplane the schema that it was given",
    )
  })

  test('a schema may be called by a word of SQL', async () => {
    const { sessions, events, bus, pool } = await open('user')
    await createTables(pool, { schema: 'user' })
    expect(await sessions.create(toRecord('key'), ttlMs)).toBe(true)
    expect(await events.append('key', [toEvent(1)])).toBe('ok')
    const heard: string[] = []
    onTestFinished(await bus.subscribe('mcp-http', (message) => heard.push(message)))
    await postgresBackplane(pool, { schema: 'user' }).notify(pool, { method: 'notification' })
    await waitFor(() => heard.length > 0)
  })

  test('nodes that start at once, by either client, make the tables once', async () => {
    const sql = clients.postgres(server.url)
    onTestFinished(() => sql.close())
    const starting = Array.from({ length: 6 }, (_, i) =>
      createTables(i % 2 ? sql.client : connect(), { schema: 'atonce' }),
    )
    await Promise.all(starting)
    expect(await queryOnce(server.url, 'SELECT FROM atonce.migration')).toBe(1)
  })

  test('createTables makes what an earlier version did not have', async () => {
    await createTables(connect(), { schema: 'earlier' })
    await queryOnce(server.url, 'DROP FUNCTION earlier.look_1; UPDATE earlier.migration SET version = 1')
    const { bus } = await open('earlier')
    const heard: string[] = []
    onTestFinished(await bus.subscribe('channel', (message) => heard.push(message)))
    await bus.publish('channel', 'message')
    await waitFor(() => heard.includes('message'))
  })

  test('who may only use the tables may call createTables all the same', async () => {
    await createTables(connect(), { schema: 'given' })
    await queryOnce(
      server.url,
      `CREATE ROLE app LOGIN; GRANT USAGE ON SCHEMA given TO app;
       GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA given TO app`,
    )
    const pool = connect({ connectionString: server.url.replace('postgres@', 'app@') })
    await createTables(pool, { schema: 'given' })
    const { sessions, events, bus } = postgresBackplane(pool, { schema: 'given' })
    expect(await sessions.create(toRecord('key'), ttlMs)).toBe(true)
    expect(await events.append('key', [toEvent(1)])).toBe('ok')
    await bus.publish('channel', 'message')
    expect(await sessions.delete('key')).toBe(true)
  })

  describe('a notification in a transaction of the application', () => {
    test.each(['pg', 'postgres'] as const)('through %s is heard when it is committed, and not before', async (name) => {
      const schema = `in_transaction_${name}`
      const { bus } = await open(schema)
      const heard: string[] = []
      await bus.subscribe('mcp-http', (message) => heard.push(message))
      const begin = name === 'pg' ? beginByPg : beginByPostgres
      const tell = async (method: string, isKept: boolean) => {
        await begin(async (client) => {
          await postgresBackplane(connect(), { schema }).notify(client, { method })
          await bus.publish('mcp-http', `before ${method}`)
          await waitFor(() => heard.includes(`before ${method}`))
          expect(heard.join()).not.toContain(`"${method}"`)
          if (!isKept) throw new Error('rolled back')
        }).catch((error: Error) => expect(error.message).toBe('rolled back'))
      }
      await tell('kept', true)
      await waitFor(() => heard.some((message) => message.includes('"kept"')))
      await tell('dropped', false)
      await bus.publish('mcp-http', 'end')
      await waitFor(() => heard.includes('end'))
      expect(heard.join()).not.toContain('"dropped"')
    })

    async function beginByPg(work: (client: never) => Promise<void>): Promise<void> {
      const client = await connect().connect()
      try {
        await client.query('BEGIN')
        await work(client as never)
        await client.query('COMMIT')
      } catch (error) {
        await client.query('ROLLBACK')
        throw error
      } finally {
        client.release()
      }
    }

    async function beginByPostgres(work: (client: never) => Promise<void>): Promise<void> {
      const sql = postgres(server.url, { fetch_types: false })
      onTestFinished(() => sql.end())
      await sql.begin((transaction) => work(transaction as never))
    }

    test('is what endpoint.notify publishes, and a long transaction holds up nobody', async () => {
      const backplane = await open('notify')
      const { pool, ...parts } = backplane
      const endpoint = createEndpoint({
        server: () => ({ connect: async () => undefined, close: async () => undefined }),
        backplane: postgresBackplane(pool, { schema: 'notify' }),
      })
      onTestFinished(() => endpoint.close({ drainMs: 0 }))
      const heard: string[] = []
      await parts.bus.subscribe('mcp-http', (message) => heard.push(message))
      const notification = { method: 'notifications/tools/list_changed', params: { why: '\u0000\ud800' } }
      await beginByPg(async (client) => {
        await postgresBackplane(pool, { schema: 'notify' }).notify(client, notification)
        await endpoint.notify(notification)
        await waitFor(() => heard.length === 1)
      })
      await waitFor(() => heard.length === 2)
      expect(heard[1]).toBe(heard[0])
    })
  })

  test('a pool that is exhausted rejects in time, and what waited takes no connection later', async () => {
    const pool = connect({ max: 1 })
    await createTables(pool, { schema: 'exhausted' })
    const { sessions } = postgresBackplane(pool, { schema: 'exhausted' })
    const taken = await pool.connect()
    await expect(async () => await sessions.get('key')).rejects.toThrow('Expected a connection from Postgres within')
    taken.release()
    expect(await sessions.create(toRecord('key'), ttlMs)).toBe(true)
    expect(pool.waitingCount).toBe(0)
  })

  test('a server that accepts and says nothing is waited for so long, and no longer', async () => {
    const silent = await listen(createServer((socket) => socket.on('error', () => undefined)))
    for (const connectTo of Object.values(clients)) {
      const { client, close } = connectTo(`postgres://postgres@127.0.0.1:${silent.port}/postgres`)
      const { sessions, events, bus } = postgresBackplane(client)
      const started = performance.now()
      const calls = [
        Promise.resolve(sessions.get('key')),
        Promise.resolve(events.append('key', [toEvent(1)])),
        Promise.resolve(bus.publish('channel', 'message')),
        Promise.resolve(bus.subscribe('channel', () => undefined)),
      ]
      const outcomes = await Promise.allSettled(calls)
      expect(outcomes.map(({ status }) => status)).toEqual(calls.map(() => 'rejected'))
      expect(performance.now() - started).toBeLessThan(10_000)
      silent.server.close()
      void close().catch(() => undefined)
    }
  })

  test('connections that are killed cost their calls, and nothing else', async () => {
    const { sessions, events, bus } = await open('killed')
    const heard: string[] = []
    let missed = 0
    await bus.subscribe(
      'channel',
      (message) => heard.push(message),
      () => missed++,
    )
    await sessions.create(toRecord('key'), ttlMs)
    let acknowledged = 0
    for (let n = 1; n <= 60; n++) {
      if (n % 20 === 0) {
        const all = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()'
        await queryOnce(server.url, `${all} AND backend_type = 'client backend'`)
      }
      for (;;) {
        const outcome = await Promise.resolve(events.append('key', [toEvent(n)])).catch(() => 'failed')
        if (outcome === 'ok') break
      }
      acknowledged = n
    }
    const page = await events.read('key', 'g', 0, 100)
    expect(page?.events.map(({ index }) => index)).toEqual(Array.from({ length: acknowledged }, (_, i) => i + 1))
    await waitFor(() => missed > 0, 10_000)
    await bus.publish('channel', 'after')
    await waitFor(() => heard.includes('after'), 10_000)
  })

  test('a server that may only be read refuses, and serves again when it may be written to', async () => {
    const { sessions, events, pool } = await open('readonly')
    onTestFinished(async () => void (await allow()))
    await sessions.create(toRecord('key'), ttlMs)
    const database = "ALTER DATABASE postgres SET default_transaction_read_only = 'on'"
    await queryOnce(server.url, database)
    await queryOnce(server.url, 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()')
    await Promise.allSettled([pool.query('SELECT 1'), pool.query('SELECT 1')])
    await expect(async () => await sessions.create(toRecord('other'), ttlMs)).rejects.toThrow('read-only')
    await expect(async () => await events.append('key', [toEvent(1)])).rejects.toThrow('read-only')
    await allow()
    await expect.poll(() => Promise.resolve(sessions.create(toRecord('other'), ttlMs)).catch(() => false)).toBe(true)
    expect(await events.append('key', [toEvent(1)])).toBe('ok')
  })

  async function allow(): Promise<void> {
    const database = "ALTER DATABASE postgres SET default_transaction_read_only = 'off'"
    await queryOnce(server.url, `BEGIN READ WRITE; ${database}; COMMIT`)
    await queryOnce(server.url, 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()')
  }

  test('an append that waits in an old term is fenced by the takeover that it waits for', async () => {
    const { sessions, events } = await open('fenced')
    const other = await open('fenced')
    for (let round = 0; round < 20; round++) {
      const key = `${round}`
      await sessions.create(toRecord(key), ttlMs)
      const taking = other.sessions.takeOver(key, { expectedTerm: 1, owner: 'other', ttlMs })
      const appending = Array.from({ length: 10 }, (_, i) => Promise.resolve(events.append(key, [toEvent(i + 1)])))
      expect(await taking).toMatchObject({ term: 2 })
      // What is there now stays: nothing of the old term comes later.
      const before = (await other.events.read(key, 'g', 0, 100))?.head ?? 0
      const outcomes = await Promise.all(appending)
      const after = (await other.events.read(key, 'g', 0, 100))?.head ?? 0
      expect(after).toBe(before)
      expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(after)
    }
  })

  test('an append of which one place is taken by another event leaves nothing', async () => {
    const { sessions, events } = await open('taken')
    for (const key of ['a', 'b']) await sessions.create(toRecord(key), ttlMs)
    await events.append('a', [toEvent(3, { data: '"there"' })])
    const outcomes = await Promise.all([
      events.append('a', [toEvent(2), toEvent(3), toEvent(4)]),
      events.append('b', [toEvent(1), toEvent(2)]),
    ])
    expect(outcomes).toEqual(['fenced', 'ok'])
    const page = await events.read('a', 'g', 0, 10)
    expect(page?.events.map(({ index, data }) => [index, data])).toEqual([[3, '"there"']])
  })

  test('texts that hold what separates them, or nothing, come back as they are', async () => {
    const { sessions, events } = await open('separated')
    await sessions.create(toRecord('key'), ttlMs)
    const texts = ['', '\u001f', 'a\u001fb', '\u0001', '\ufeffabc', '"\\{},', '\0\ud800', '']
    expect(await events.append('key', [toEvent(1, { data: '' })])).toBe('ok')
    await events.append(
      'key',
      texts.map((data, i) => toEvent(i + 2, { data })),
    )
    const page = await events.read('key', 'g', 1, 100)
    expect(page?.events.map(({ data }) => data)).toEqual(texts)
  })

  test('appends of many sessions at once are one statement', async () => {
    const { pool, sessions, events } = await open('grouped')
    const keys = Array.from({ length: 100 }, (_, i) => `${i}`)
    for (const key of keys) await sessions.create(toRecord(key), ttlMs)
    await queryOnce(server.url, "ALTER SYSTEM SET track_functions = 'all'; ")
    await queryOnce(server.url, 'SELECT pg_reload_conf()')
    const client = await pool.connect()
    client.release()
    const outcomes = await Promise.all(keys.map((key) => events.append(key, [toEvent(1)])))
    expect(new Set(outcomes)).toEqual(new Set(['ok']))
    const transactions = await pool.query('SELECT count(DISTINCT xmin::text) AS count FROM grouped.event')
    expect(Number(transactions.rows[0].count)).toBeLessThanOrEqual(2)
  })

  test('what is over is removed in small parts, by nodes that do not collide', async () => {
    const nodes = [await open('swept', { retainMs: 1 }), await open('swept', { retainMs: 1 })] as const
    const [{ sessions, events, bus }] = nodes
    for (let i = 0; i < 700; i++) {
      await sessions.create(toRecord(`${i}`), 1)
      if (i < 50) await sessions.update(`${i}`, 1, {}, 1)
    }
    await sessions.create(toRecord('stays'), ttlMs)
    await events.append('stays', [toEvent(1, { streamTag: 'p', index: 1, last: true })])
    await events.append('stays', [toEvent(2, { index: 1 })])
    events.release('stays', 'p')
    await bus.publish('channel', 'message')
    const count = async (table: string) => await queryOnce(server.url, `SELECT FROM swept.${table}`)
    const deadline = performance.now() + 40_000
    const isSwept = async () =>
      (await count('session')) === 1 && (await count('message')) === 0 && (await count('stream')) === 1
    while (!(await isSwept()) && performance.now() < deadline) {
      await Promise.all(nodes.map((node) => node.sessions.renewLease('me', ttlMs)))
      await sleep(50)
    }
    expect([await count('session'), await count('message'), await count('stream'), await count('event')]).toEqual([
      1, 0, 1, 1,
    ])
    expect(await events.read('stays', 'p', 0, 10)).toBeUndefined()
  })

  test('what an isolation that the application has set undoes is done again', async () => {
    const options = '-c default_transaction_isolation=serializable'
    const [one, other] = [connect({ options }), connect({ options })]
    await createTables(one, { schema: 'strict' })
    const stores = [one, other].map((pool) => postgresBackplane(pool, { schema: 'strict' }).sessions)
    for (const key of ['a', 'b', 'c']) {
      const creating = Array.from({ length: 40 }, async (_, i) => await stores[i % 2]?.create(toRecord(key), ttlMs))
      expect((await Promise.all(creating)).filter(Boolean)).toEqual([true])
      const updating = Array.from({ length: 40 }, async (_, i) => await stores[i % 2]?.update(key, 1, {}, ttlMs))
      expect(await Promise.all(updating)).not.toContain(false)
    }
  })

  test('a message can be heard for seconds, however short streams are kept', async () => {
    const { sessions, bus } = await open('brief', { retainMs: 1 })
    await bus.publish('channel', 'message')
    for (let i = 0; i < 10; i++) {
      await sessions.renewLease('me', ttlMs)
      await sleep(20)
    }
    expect(await queryOnce(server.url, 'SELECT FROM brief.message')).toBe(1)
  })

  test('after a kill of the server all that was acknowledged is there, and messages are heard again', async () => {
    const own = await startPostgres()
    onTestFinished(() => own.stop())
    const pool = connect({ connectionString: own.url })
    await createTables(pool)
    const { sessions, events, bus } = postgresBackplane(pool)
    let missed = 0
    const heard: string[] = []
    await bus.subscribe(
      'channel',
      (message) => heard.push(message),
      () => missed++,
    )
    await sessions.create(toRecord('key'), ttlMs)
    let acknowledged = 0
    const append = async () => {
      for (let n = 1; n < 100_000; n++) {
        const outcome = await Promise.resolve(events.append('key', [toEvent(n)])).catch(() => undefined)
        if (outcome !== 'ok') return
        acknowledged = n
      }
    }
    const appending = append()
    await waitFor(() => acknowledged > 50, 20_000)
    await own.kill()
    await appending
    await own.start()
    await waitFor(() => missed > 0, 20_000)
    const head = (await events.read('key', 'g', 0, 0))?.head ?? 0
    expect(head).toBeGreaterThanOrEqual(acknowledged)
    expect(head).toBeLessThanOrEqual(acknowledged + 1)
    await bus.publish('channel', 'after')
    await waitFor(() => heard.includes('after'))
  })

  test('statements are prepared once for each connection of pg', async () => {
    const pool = connect({ max: 1 })
    await createTables(pool, { schema: 'prepared' })
    const { sessions } = postgresBackplane(pool, { schema: 'prepared', listenOn: false })
    for (let i = 0; i < 10; i++) expect(await sessions.get('key')).toBeUndefined()
    const sql = "SELECT count(*)::int FROM pg_prepared_statements WHERE statement LIKE '%get_session_1%'"
    const { rows } = await pool.query(sql)
    expect(rows).toEqual([{ count: 1 }])
  })

  test('what was planned while the tables were small reads no more than it must once they are large', async () => {
    const pool = connect({ max: 1 })
    await createTables(pool, { schema: 'grown' })
    const { sessions, events } = postgresBackplane(pool, { schema: 'grown', listenOn: false })
    const countRead = async (): Promise<number> => {
      const sql =
        "SELECT sum(seq_tup_read + idx_tup_fetch)::int AS read FROM pg_stat_xact_user_tables WHERE schemaname = 'grown'"
      return (await pool.query(sql)).rows[0].read
    }
    const use = async (key: string) => {
      await sessions.create(toRecord(key), ttlMs)
      await sessions.update(key, 1, { initialized: true }, ttlMs)
      await events.append(key, [toEvent(1), toEvent(2)])
      expect((await events.read(key, 'g', 1, 10))?.events).toHaveLength(1)
      const taken = await sessions.takeOver(key, { expectedTerm: 1, owner: '', ttlMs })
      expect(await sessions.get(key)).toEqual(taken)
      expect(await sessions.delete(key, 2)).toBe(true)
      return taken
    }
    await sessions.create(toRecord('key'), ttlMs)
    await use('first')
    await pool.query('ANALYZE grown.session, grown.stream, grown.event')
    for (let i = 0; i < 10; i++) await use(`small ${i}`)
    // On another connection: what that reads does not count.
    const other = connect()
    await other.query(`INSERT INTO grown.session (name, fixed, term, owner, node, initialized, log_level, subscriptions, expires)
      SELECT 'of ' || i, fixed, term, owner, node, initialized, log_level, subscriptions, expires
      FROM grown.session, generate_series(1, 2000) i WHERE name = 'key'`)
    await other.query('INSERT INTO grown.stream (session, tag, request_ids) SELECT id, $1, $1 FROM grown.session', [
      'x',
    ])
    await other.query(`INSERT INTO grown.event (stream, i, term, n, kind, last, data)
      SELECT id, 1, 1, 1, 0, false, '' FROM grown.stream WHERE tag = 'x'`)
    const before = await countRead()
    await pool.query('BEGIN')
    expect(await use('large')).toMatchObject({ initialized: true })
    const read = (await countRead()) - before
    await pool.query('COMMIT')
    expect(read).toBeLessThan(50)
  })

  test('what is done for a session, and to remove those that are over, is not compiled and reads no whole table of them', async () => {
    const pool = connect({ max: 1, options: '-c session_preload_libraries=auto_explain -c client_min_messages=log' })
    await createTables(pool, { schema: 'plain' })
    const { sessions, events } = postgresBackplane(pool, { schema: 'plain', listenOn: false, retainMs: 1 })
    const settings = ['log_min_duration = 0', 'log_nested_statements = on', 'log_analyze = on', 'log_timing = off']
    for (const setting of settings) await pool.query(`SET auto_explain.${setting}`)
    const told: string[] = []
    const listening = await pool.connect()
    listening.on('notice', ({ message = '' }) => told.push(message)).release()
    await sessions.create(toRecord('key'), ttlMs)
    await events.append('key', [toEvent(1), toEvent(2)])
    await sleep(5)
    await sessions.renewLease('node', ttlMs)
    await waitFor(() => told.some((plan) => plan.includes('DELETE FROM "plain".node')))
    expect(told.filter((plan) => /JIT:|Seq Scan on (session|stream|event|message)/.test(plan))).toEqual([])
  })

  test.each([
    ['pg gives values as they were sent', () => ({ types: { getTypeParser: () => (value: unknown) => value } })],
    ['pg gives whole numbers as bigint', () => ({ types: { getTypeParser: toBigIntParser } })],
    ['postgres writes names of columns its own way', () => ({ transform: postgres.pascal })],
  ] as const)('an application for which %s is served as any other', async (name, makeOptions) => {
    const sql = name.startsWith('pg')
      ? undefined
      : postgres(server.url, { fetch_types: false, ...(makeOptions() as object) })
    onTestFinished(() => sql?.end())
    const client = sql ?? connect(makeOptions())
    await createTables(client, { schema: 'typed' })
    await createTables(client, { schema: 'typed' })
    const { sessions, events, bus } = postgresBackplane(client, { schema: 'typed' })
    const key = name.slice(-10)
    expect(await sessions.create(toRecord(key), ttlMs)).toBe(true)
    expect(await sessions.create(toRecord(key), ttlMs)).toBe(false)
    expect(await sessions.update(key, 1, { logLevel: 'info' }, ttlMs)).toBe(true)
    expect(await sessions.get(key)).toEqual(toRecord(key, { logLevel: 'info' }))
    expect([await sessions.renewLease(key, ttlMs), await sessions.renewLease(key, ttlMs)]).toEqual([false, true])
    expect([await sessions.hasLease(key), await sessions.hasLease('other')]).toEqual([true, false])
    expect(await events.append(key, [toEvent(1)])).toBe('ok')
    expect(await events.read(key, 'g', 0, 10)).toMatchObject({ events: [toEvent(1)], head: 1, ended: false })
    const heard: string[] = []
    onTestFinished(await bus.subscribe(key, (message) => heard.push(message)))
    await bus.publish(key, 'message')
    await waitFor(() => heard.includes('message'))
    expect(await sessions.delete(key)).toBe(true)
  })

  describe('through PgBouncer in transaction mode', () => {
    test('pg: nodes lose no statement that another connection has prepared, or none has', async () => {
      const bouncer = await startPgBouncer(server.port)
      const pools = [1, 2].map(() => new Pool({ connectionString: bouncer.url, max: 4 }))
      onTestFinished(async () => {
        for (const pool of pools) await pool.end()
        await bouncer.stop()
      })
      await createTables(connect(), { schema: 'mixed' })
      const nodes = pools.map((pool) => postgresBackplane(pool, { schema: 'mixed', listenOn: false }).sessions)
      const use = async (key: string, sessions: (typeof nodes)[number]) => {
        if (!(await sessions.create(toRecord(key), ttlMs))) return undefined
        await sessions.update(key, 1, { initialized: true }, ttlMs)
        return (await sessions.get(key))?.initialized
      }
      const used = Array.from({ length: 200 }, (_, i) => use(`key ${i}`, nodes[i % 2] as (typeof nodes)[number]))
      expect(new Set(await Promise.all(used))).toEqual(new Set([true]))
    })

    test.each(['pg', 'postgres'] as const)(
      '%s: messages are heard without LISTEN, and with a direct connection',
      async (name) => {
        const bouncer = await startPgBouncer(server.port)
        const through = clients[name](bouncer.url, true)
        const direct = clients[name](server.url)
        onTestFinished(async () => {
          await through.close()
          await direct.close()
          await bouncer.stop()
        })
        const schema = `bounced_${name}`
        await createTables(through.client, { schema })
        for (const [key, options] of Object.entries({
          none: { listenOn: false as const },
          direct: { listenOn: direct.client },
          pooled: {},
        })) {
          const { sessions, events, bus } = postgresBackplane(through.client, { schema, ...options })
          expect(await sessions.create(toRecord(key), ttlMs)).toBe(true)
          const outcomes = await Promise.all([1, 2, 3].map((n) => events.append(key, [toEvent(n)])))
          expect(outcomes).toEqual(['ok', 'ok', 'ok'])
          const heard: string[] = []
          const stop = await bus.subscribe('channel', (message) => heard.push(message))
          for (const message of ['1', '2', '3']) await bus.publish('channel', message)
          await waitFor(() => heard.length >= 3)
          expect(heard).toEqual(['1', '2', '3'])
          await stop()
        }
      },
    )
  })
})
