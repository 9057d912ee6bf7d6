import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { listen } from '../../../../test-support/listen.ts'
import {
  createFolder,
  initialize,
  type PostgresServer,
  serve,
  skipsPostgres,
} from '../../../../test-support/postgres/start-postgres.ts'
import { serverWith } from '../../../../test-support/sdk-server.ts'
import { createEndpoint, StoreError } from '../../../core/src/index.ts'
import { toNodeHandler } from '../../../core/src/node/index.ts'
import { createTables, postgresBackplane } from '../../src/index.ts'
import { toEvent, toRecord, ttlMs } from '../records.ts'

const megabytes = 128

/** A server whose disk is filled, and given room again. */
async function startOnDisk(): Promise<{ server: PostgresServer; fill(): void; empty(): void }> {
  const disk = mkdtempSync(join(tmpdir(), 'throughline-disk-'))
  onTestFinished(() => rmSync(disk, { recursive: true, force: true }))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', disk])
  onTestFinished(() => void execFileSync('umount', ['--lazy', disk]))
  const folder = await createFolder(disk)
  initialize(folder)
  const server = await serve(folder, ['fsync=off', 'min_wal_size=32MB', 'max_wal_size=32MB'])
  onTestFinished(() => server.stop())
  const ballast = join(disk, 'ballast')
  writeFileSync(ballast, '')
  return {
    server,
    fill: () => expect(() => writeFileSync(ballast, Buffer.alloc(megabytes * 1e6 * 1.1))).toThrow('ENOSPC'),
    empty: () => truncateSync(ballast),
  }
}

/** Text that takes as much room as it is long. */
function toText(length: number): string {
  return randomBytes(length / 2).toString('hex')
}

describe.skipIf(skipsPostgres() || !canMount())('on a disk that is full', { timeout: 120_000 }, () => {
  test('the reason is told, requests are answered 503, and all that was acknowledged is there again', async () => {
    const { server, fill, empty } = await startOnDisk()
    const pool = new Pool({ connectionString: server.url })
    pool.on('error', () => undefined)
    onTestFinished(() => pool.end())
    await createTables(pool)
    const { sessions, events } = postgresBackplane(pool)
    const errors: unknown[] = []
    const endpoint = createEndpoint({
      server: serverWith(),
      backplane: postgresBackplane(pool),
      onError: (error) => errors.push(error),
    })
    const { origin } = await listen(toNodeHandler(endpoint))
    onTestFinished(() => endpoint.close({ drainMs: 0 }))
    await sessions.create(toRecord('key'), ttlMs)
    fill()
    let next = toEvent(1, { data: toText(20_000) })
    /** What it says: one that fails is made again, as it is. */
    const append = async (): Promise<string> => {
      const outcome = await Promise.resolve(events.append('key', [next])).catch(String)
      if (outcome === 'ok') next = toEvent(next.index + 1, { data: toText(20_000) })
      return outcome
    }
    let outcome = await append()
    while (outcome === 'ok') outcome = await append()
    expect(outcome).toContain('No space left on device')
    const response = await fetch(origin, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: JSON.stringify({
        ...{ jsonrpc: '2.0', id: 1, method: 'initialize' },
        params: {
          protocolVersion: '2025-11-25',
          capabilities: {},
          clientInfo: { name: toText(60_000), version: '1' },
        },
      }),
    })
    expect(response.status, await response.text()).toBe(503)
    expect(response.headers.get('retry-after')).not.toBeNull()
    const told = errors.find((error) => error instanceof StoreError)
    expect(String(told?.cause)).toContain('No space left on device')
    empty()
    await expect.poll(append, { timeout: 60_000 }).toBe('ok')
    const page = await events.read('key', 'g', 0, next.index)
    expect(page?.events.map(({ index }) => index)).toEqual(Array.from({ length: next.index - 1 }, (_, i) => i + 1))
  })
})

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'throughline-mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' })
    execFileSync('umount', [folder])
    return true
  } catch {
    console.warn('LEFT OUT: the test with a full disk, because none can be mounted here')
    return false
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
