import { connect, createServer, type Socket } from 'node:net'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { listen } from '../../../../test-support/listen.ts'
import { type PostgresServer, skipsPostgres, startPostgres } from '../../../../test-support/postgres/start-postgres.ts'
import { sleep } from '../../../../test-support/waiting.ts'
import { createTables, postgresBackplane } from '../../src/index.ts'
import { clients } from '../clients.ts'

describe.skipIf(skipsPostgres())('a statement that is not answered in time', () => {
  let server: PostgresServer
  let admin: Pool
  beforeAll(async () => {
    server = await startPostgres()
    admin = new Pool({ connectionString: server.url })
    await createTables(admin)
  }, 60_000)
  afterAll(async () => {
    await admin.end()
    await server.stop()
  })

  for (const [name, connectClient] of Object.entries(clients)) {
    test(`is stopped at the server, so that its backends are free again, through ${name}`, async () => {
      const { client, close } = connectClient(server.url)
      onTestFinished(close)
      const { sessions } = postgresBackplane(client, { listenOn: false })
      const locker = await admin.connect()
      try {
        await locker.query('BEGIN; LOCK TABLE mcp.session IN ACCESS EXCLUSIVE MODE')
        const asked = await Promise.allSettled(Array.from({ length: 5 }, async () => await sessions.get('key')))
        expect(asked.map(({ status }) => status)).toEqual(Array.from(asked, () => 'rejected'))
        await untilNoneWaits()
      } finally {
        await locker.query('ROLLBACK')
        locker.release()
      }
      expect(await sessions.get('key')).toBeUndefined()
    })

    test(`leaves no rejection behind when the server is away by then, through ${name}`, async () => {
      const proxy = await openMuteProxy(server.port)
      const { client, close } = connectClient(server.url.replace(`${server.port}`, `${proxy.port}`))
      const { sessions } = postgresBackplane(client, { listenOn: false })
      expect(await sessions.get('key')).toBeUndefined()
      await proxy.mute()
      await expect(async () => await sessions.get('key')).rejects.toThrow('Expected a result from Postgres within')
      proxy.cut()
      await close()
    })
  }

  async function untilNoneWaits(): Promise<void> {
    const sql = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    for (const deadline = performance.now() + 5_000; ; await sleep(20)) {
      const { rows } = await admin.query(sql)
      if (rows[0].count === 0) return
      if (performance.now() > deadline) expect(rows[0].count).toBe(0)
    }
  }
})

interface MuteProxy {
  readonly port: number
  /** Nothing more comes through, and no more connections are accepted. */
  mute(): Promise<void>
  cut(): void
}

async function openMuteProxy(port: number): Promise<MuteProxy> {
  const sockets = new Set<Socket>()
  let isMute = false
  const server = createServer((client) => {
    const database = connect({ port, host: '127.0.0.1' })
    for (const [from, to] of [
      [client, database],
      [database, client],
    ] as const) {
      sockets.add(from)
      from.on('data', (bytes) => isMute || to.write(bytes))
      from.on('error', () => to.destroy()).on('close', () => to.destroy())
    }
  })
  const listening = await listen(server as never)
  return {
    port: listening.port,
    async mute() {
      isMute = true
      server.close()
    },
    cut() {
      for (const socket of sockets) socket.destroy()
    },
  }
}
