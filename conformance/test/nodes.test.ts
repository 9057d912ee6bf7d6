import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTables, postgresBackplane } from '@throughline/mcp-http-postgres'
import { redisBackplane } from '@throughline/mcp-http-redis'
import { sqliteBackplane } from '@throughline/mcp-http-sqlite'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { skipsPostgres, startPostgres } from '../../test-support/postgres/start-postgres.ts'
import { skipsRedis, startRedis } from '../../test-support/redis/start-redis.ts'
import { type AdapterName, findAdapter, type OpenBackplane, startNodes } from '../mounts/index.ts'
import { describeServer } from '../src/describe-server.ts'
import { elsewhere } from './mounts/describe-mounts.ts'

/** A database, and how a node joins it. */
interface Database {
  open(): OpenBackplane
  close(): Promise<void>
}

/** What a session loses when it moves is nothing, so a client must not see that there are several nodes. */
function describeNodes(name: string, adapter: AdapterName, startDatabase: () => Promise<Database>): void {
  describeServer(`three nodes on ${name}, ${adapter}`, {
    'with each request going to the next': {
      start: async () => {
        const database = await startDatabase()
        const nodes = await startNodes({ nodes: 3, adapter, open: () => database.open() })
        return {
          ...nodes,
          close: async () => {
            await nodes.close()
            await database.close()
          },
        }
      },
      exclude: [...elsewhere, ...findAdapter(adapter).exceptions],
      strict: true,
      levels: 'all',
      abuse: true,
    },
  })
}

// Each adapter on Redis and on one more. Without `MOUNTS=more` on Redis alone, or on a file where there is none.
const isMore = process.env.MOUNTS === 'more'
const all: readonly AdapterName[] = isMore ? ['express', 'fastify', 'koa', 'hono'] : ['node']
const leavesRedisOut = skipsRedis()

if (!leavesRedisOut) for (const adapter of all) describeNodes('Redis', adapter, openRedis)
if (isMore || leavesRedisOut)
  for (const adapter of isMore ? (['express', 'hono'] as const) : all)
    describeNodes('a SQLite file', adapter, createFile)

if (isMore && !skipsPostgres())
  for (const adapter of ['fastify', 'koa'] as const) describeNodes('Postgres', adapter, openPostgres)

async function openPostgres(): Promise<Database> {
  const { url: connectionString, stop } = await startPostgres()
  const pool = new Pool({ connectionString })
  await createTables(pool)
  await pool.end()
  return {
    open() {
      const pool = new Pool({ connectionString })
      return { backplane: postgresBackplane(pool), close: () => pool.end() }
    },
    close: stop,
  }
}

async function openRedis(): Promise<Database> {
  const { port, stop } = await startRedis()
  return {
    open() {
      const client = new Redis({ port, host: '127.0.0.1' })
      return { backplane: redisBackplane(client), close: () => client.disconnect() }
    },
    close: stop,
  }
}

async function createFile(): Promise<Database> {
  const folder = await mkdtemp(join(tmpdir(), 'throughline-sqlite-'))
  return {
    open() {
      const backplane = sqliteBackplane(join(folder, 'mcp.db'))
      return { backplane, close: () => backplane.close() }
    },
    close: () => rm(folder, { recursive: true, force: true }),
  }
}
