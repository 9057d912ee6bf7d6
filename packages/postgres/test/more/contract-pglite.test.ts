import { PGlite } from '@electric-sql/pglite'
import { describe } from 'vitest'
import { postgresBackplane } from '../../src/index.ts'
import { describePlace } from '../describe-contract.ts'

describe('PGlite, a Postgres within the process', () => {
  describePlace(async () => {
    const client = new PGlite()
    const query = async (sql: string, values: readonly string[] = []) =>
      (await client.query<Record<string, unknown>>(sql, [...values])).rows
    const close = () => client.close()
    return {
      oracle: { client, query, close },
      open: async () => ({ join: (options) => postgresBackplane(client, options), close: async () => undefined }),
      stop: close,
    }
  }, false)
})
