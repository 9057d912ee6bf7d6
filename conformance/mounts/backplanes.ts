import type { OpenBackplane } from './start-nodes.ts'

/** A kind of backplane that nodes share, known by the protocol of its URL. */
interface SharedBackplane {
  /** With the colon, as `URL` has it. */
  readonly protocol: string
  /** As the usage shows it. */
  readonly form: string
  readonly isValid: (url: URL) => boolean
  /** Rejects when there is no such database. What happens to it later is reported. */
  readonly open: (url: URL, report: (error: Error) => void) => Promise<OpenBackplane>
}

const kinds: readonly SharedBackplane[] = [
  { protocol: 'redis:', form: 'redis://host:port[/db]', isValid: isRedisUrl, open: openRedis },
  { protocol: 'postgres:', form: 'postgres://host:port/db', isValid: isPostgresUrl, open: openPostgres },
  { protocol: 'sqlite:', form: 'sqlite:FILE', isValid: isSqliteUrl, open: openSqlite },
]

export const backplaneForms = kinds.map(({ form }) => form).join('|')

/** Opens the backplane that a URL names. `undefined`: the URL is none of {@link backplaneForms}. */
export function findBackplane(text: string): ((report: (error: Error) => void) => Promise<OpenBackplane>) | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const kind = kinds.find(({ protocol, isValid }) => url?.protocol === protocol && isValid(url))
  return kind && url ? (report) => kind.open(url, report) : undefined
}

function isRedisUrl({ hostname, port, pathname, search, hash }: URL): boolean {
  return hostname !== '' && port !== '' && /^(\/\d{1,5})?$/.test(pathname) && search === '' && hash === ''
}

async function openRedis({ href, host }: URL, report: (error: Error) => void): Promise<OpenBackplane> {
  const [{ Redis }, { redisBackplane }] = await Promise.all([import('ioredis'), import('@throughline/mcp-http-redis')])
  const client = new Redis(href, { lazyConnect: true })
  let last: Error | undefined
  client.on('error', (error: Error) => {
    last = error
  })
  try {
    await client.connect()
  } catch (error) {
    client.disconnect()
    throw new Error(`Expected a Redis at ${host}: ${(last ?? (error as Error)).message}`)
  }
  client.on('error', report)
  return { backplane: redisBackplane(client), close: () => client.disconnect() }
}

function isPostgresUrl({ hostname, port, pathname }: URL): boolean {
  return hostname !== '' && port !== '' && pathname.length > 1
}

async function openPostgres({ href, host }: URL, report: (error: Error) => void): Promise<OpenBackplane> {
  const [{ Pool }, postgres] = await Promise.all([import('pg'), import('@throughline/mcp-http-postgres')])
  const pool = new Pool({ connectionString: href })
  pool.on('error', report)
  try {
    await postgres.createTables(pool)
  } catch (error) {
    await pool.end()
    throw new Error(`Expected a Postgres at ${host}: ${(error as Error).message}`)
  }
  return { backplane: postgres.postgresBackplane(pool), close: () => pool.end() }
}

function isSqliteUrl({ host, pathname, search, hash }: URL): boolean {
  return host === '' && pathname !== '' && search === '' && hash === ''
}

async function openSqlite({ pathname }: URL): Promise<OpenBackplane> {
  const { sqliteBackplane } = await import('@throughline/mcp-http-sqlite')
  const backplane = sqliteBackplane(decodeURIComponent(pathname))
  return { backplane, close: () => backplane.close() }
}
