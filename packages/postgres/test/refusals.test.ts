import { Client, Pool } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { skipsPostgres, startPostgres } from '../../../test-support/postgres/start-postgres.ts'
import { postgresBackplane } from '../src/index.ts'

/** As of a server with `lc_messages` in German, whose texts are not installed everywhere. */
class GermanClient extends Client {
  override query = (async (...parameters: Parameters<Client['query']>) => {
    try {
      return await super.query(...parameters)
    } catch (error) {
      throw Object.assign(error as object, { severity: 'FEHLER' })
    }
  }) as never
}

describe.skipIf(skipsPostgres())('a statement that the server refuses', () => {
  test('leaves its connection to others, in whichever language', async () => {
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    const pool = new Pool({ connectionString: server.url, Client: GermanClient } as object)
    onTestFinished(() => pool.end())
    let connections = 0
    pool.on('connect', () => connections++)
    const { sessions } = postgresBackplane(pool, { listenOn: false })
    for (let i = 0; i < 3; i++) await expect(sessions.hasLease('node')).rejects.toThrow('await createTables(client, ')
    expect(connections).toBe(1)
  }, 60_000)
})
