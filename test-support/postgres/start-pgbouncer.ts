import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { findFreePort } from '../free-port.ts'
import { createFolder, owner } from './start-postgres.ts'

export interface PgBouncer {
  readonly port: number
  readonly url: string
  stop(): Promise<void>
}

/** A PgBouncer in transaction mode before a server on this port of loopback. */
export async function startPgBouncer(serverPort: number): Promise<PgBouncer> {
  const folder = await createFolder()
  const port = await findFreePort()
  const file = join(folder, 'pgbouncer.ini')
  const { uid, gid } = owner()
  await writeFile(
    file,
    `[databases]
postgres = host=127.0.0.1 port=${serverPort} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
ignore_startup_parameters = extra_float_digits
logfile = ${folder}/pgbouncer.log
`,
  )
  if (uid !== undefined && gid !== undefined) chownSync(file, uid, gid)
  const child = spawn('pgbouncer', ['-q', file], { ...owner(), cwd: folder, stdio: 'inherit' })
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  while (!(await isReady(url))) {
    if (child.exitCode !== null) throw new Error(`pgbouncer ended with ${child.exitCode}`)
    await sleep(50)
  }
  return {
    port,
    url,
    async stop() {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function isReady(connectionString: string): Promise<boolean> {
  const client = new Client({ connectionString })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('SELECT 1')
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}
