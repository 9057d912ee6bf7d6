import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTables } from '../../../packages/postgres/src/index.ts'
import { clients, queryOnce } from '../../../packages/postgres/test/clients.ts'
import {
  createFolder,
  initialize,
  owner,
  type PostgresServer,
  program,
  serve,
} from '../../../test-support/postgres/start-postgres.ts'
import { Disk } from './disk.ts'
import { ProxyProcess } from './proxy-process.ts'
import type { ServerStore } from './server-store.ts'

/** The disk is in memory, and flushed at once but for what {@link PostgresStore.slowDown} adds. */
const settings = ['fsync=on', 'min_wal_size=32MB', 'max_wal_size=128MB']
const megabytes = 512

/** The real Postgres of a run, behind a proxy: it may be another one later, and is at the same port then. */
export class PostgresStore implements ServerStore {
  readonly #proxy: ProxyProcess
  #server: PostgresServer
  #disk: Disk

  private constructor(server: PostgresServer, disk: Disk, proxy: ProxyProcess) {
    this.#server = server
    this.#disk = disk
    this.#proxy = proxy
  }

  static async start(): Promise<PostgresStore> {
    const disk = await Disk.mount(megabytes)
    const folder = await createFolder(disk.folder)
    initialize(folder)
    const server = await serve(folder, settings)
    const { client, close } = clients.pg(server.url)
    await createTables(client)
    await close()
    return new PostgresStore(server, disk, await ProxyProcess.start(server.port))
  }

  get url(): string {
    return toUrl(this.#proxy.port)
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#server.signal(name)
  }

  cutBus(): Promise<unknown> {
    return this.#terminate("query ILIKE 'listen%'")
  }

  cutCommands(): Promise<unknown> {
    return this.#terminate("query NOT ILIKE 'listen%'")
  }

  flush(): Promise<unknown> {
    return query(this.#server.port, 'TRUNCATE mcp.session, mcp.stream, mcp.event, mcp.node, mcp.message')
  }

  /** It is killed, and comes back with all that it has acknowledged. */
  async crash(awayMs: number): Promise<void> {
    await this.#server.kill()
    await sleep(awayMs)
    await this.#server.start()
  }

  /** Nothing more fits on its disk for a while. One that has ended by itself is begun again when there is room. */
  async fill(ms: number): Promise<void> {
    await this.#disk.fill(ms)
    while (!(await this.#isServing())) {
      if (!this.#server.isRunning) await this.#server.start()
      await sleep(50)
    }
  }

  /** For a while whatever is to be on its disk is there so much later, at most 100 milliseconds. */
  async slowDown(ms: number, delayMs: number): Promise<void> {
    await query(this.#server.port, `ALTER SYSTEM SET commit_delay = ${1_000 * delayMs}`)
    await query(this.#server.port, 'ALTER SYSTEM SET commit_siblings = 0')
    await query(this.#server.port, 'SELECT pg_reload_conf()')
    await sleep(ms)
    await query(this.#server.port, 'ALTER SYSTEM RESET commit_delay')
    await query(this.#server.port, 'SELECT pg_reload_conf()')
  }

  async failOver(lostMs: number): Promise<void> {
    const disk = await Disk.mount(megabytes)
    const folder = await createFolder(disk.folder)
    const from = ['-h', '127.0.0.1', '-p', `${this.#server.port}`, '-U', 'postgres', '--checkpoint=fast', '--no-sync']
    const into = ['-D', join(folder, 'data'), '--write-recovery-conf', '--wal-method=stream']
    execFileSync(program('pg_basebackup'), [...from, ...into], { ...owner(), cwd: folder, stdio: 'pipe' })
    const replica = await serve(folder, [...settings, `recovery_min_apply_delay=${lostMs}`])
    while (!(await isStreaming(this.#server.port))) await sleep(50)
    await sleep(lostMs)
    await this.#server.kill()
    await query(replica.port, 'SELECT pg_promote(false)')
    while (await query(replica.port, 'SELECT WHERE pg_is_in_recovery()')) await sleep(20)
    this.#proxy.pointTo(replica.port)
    await this.#server.stop()
    await this.#disk.remove()
    this.#server = replica
    this.#disk = disk
  }

  async stop(): Promise<void> {
    this.#proxy.close()
    await this.#server.stop()
    await this.#disk.remove()
  }

  async #isServing(): Promise<boolean> {
    try {
      return (await query(this.#server.port, 'SELECT 1')) === 1
    } catch {
      // It has ended, or is recovering.
      return false
    }
  }

  #terminate(which: string): Promise<unknown> {
    const all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    return query(this.#server.port, `${all} AND pid <> pg_backend_pid() AND ${which}`)
  }
}

function toUrl(port: number): string {
  return `postgres://postgres@127.0.0.1:${port}/postgres`
}

async function isStreaming(port: number): Promise<boolean> {
  return (await query(port, "SELECT FROM pg_stat_replication WHERE state = 'streaming'")) > 0
}

/** Past the proxy. Gives the number of rows. */
function query(port: number, sql: string): Promise<number> {
  return queryOnce(toUrl(port), sql)
}
