import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEndpoint } from '@throughline/mcp-http-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { waitFor } from '../../../test-support/waiting.ts'
import { type Driver, findBetterDriver } from '../src/database/driver.ts'
import { type SqliteBackplane, type SqliteBackplaneOptions, sqliteBackplane } from '../src/index.ts'
import { openBackplane } from '../src/sqlite-backplane.ts'
import { toEvent, toRecord, ttlMs } from './records.ts'

const driver = findBetterDriver() as Driver

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'throughline-sqlite-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function open(file: string, options: SqliteBackplaneOptions = {}): SqliteBackplane {
  const backplane = sqliteBackplane(file, options)
  onTestFinished(() => backplane.close())
  return backplane
}

describe('a file that cannot be used is refused at start-up with the reason:', () => {
  test('a folder that is not there', () => {
    const folder = join(createFolder(), 'none')
    expect(() => open(join(folder, 'mcp.db'))).toThrow(`there is no folder ${folder}`)
  })

  test('what is no database', () => {
    const file = join(createFolder(), 'mcp.db')
    writeFileSync(file, 'Dear diary, '.repeat(1_000))
    expect(() => open(file)).toThrow(`Cannot use ${file} for MCP sessions: file is not a database`)
  })

  test('the database of something else, which is left as it is', () => {
    const file = join(createFolder(), 'app.db')
    const app = driver(file)
    app.exec('CREATE TABLE customer (name TEXT)')
    app.close()
    expect(() => open(file)).toThrow('it is the database of something else')
    const again = driver(file)
    expect(again.prepare('SELECT name FROM sqlite_schema').all()).toEqual([{ name: 'customer' }])
    again.close()
  })

  test('one of a later version', () => {
    const file = join(createFolder(), 'mcp.db')
    sqliteBackplane(file).close()
    const later = driver(file)
    later.exec('PRAGMA user_version = 2')
    later.close()
    expect(() => open(file)).toThrow('it was written by a later version of this package')
  })

  test('a folder in its place', () => {
    const folder = createFolder()
    expect(() => open(folder)).toThrow(/^Cannot use .* for MCP sessions: /)
  })

  // What is forbidden to others is not to root.
  test.skipIf(process.getuid?.() !== 0)('a file that may only be read', async () => {
    const folder = createFolder()
    const file = join(folder, 'mcp.db')
    sqliteBackplane(file).close()
    chmodSync(folder, 0o777)
    chmodSync(file, 0o444)
    // It gives its rights up by itself, when it has read all of this repository that it needs.
    const child = fork(new URL('opener.ts', import.meta.url), [file, join(folder, 'first.db')], {
      execArgv: ['--import', 'tsx'],
    })
    expect(await once(child, 'message')).toEqual([
      `Cannot use ${file} for MCP sessions: ${file} may not be written to`,
      undefined,
    ])
  })

  test('no SQLite at all', () => {
    const none = (): never => {
      throw new Error('none')
    }
    expect(() => openBackplane(join(createFolder(), 'mcp.db'), {}, none)).toThrow('none')
  })
})

test('a bad option is refused by its name', () => {
  const file = join(createFolder(), 'mcp.db')
  const bad: readonly [unknown, string][] = [
    [{ keyPrefix: 'x' }, 'Unknown option: keyPrefix'],
    [{ maxEventsPerSession: 0 }, 'Expected maxEventsPerSession to be a whole number from 1'],
    [{ maxBytesPerSession: '8 MiB' }, 'Expected maxBytesPerSession to be a whole number from 1'],
    [{ retainMs: 1.5 }, 'Expected retainMs to be a whole number from 1'],
    [{ onWarning: 'console' }, 'Expected onWarning to be a function'],
  ]
  for (const [options, message] of bad) {
    expect(() => sqliteBackplane(file, options as SqliteBackplaneOptions)).toThrow(message)
  }
  for (const other of ['', ':memory:', 'file:mcp.db?mode=memory', 'a\0b', 1, undefined, { file }]) {
    expect(() => sqliteBackplane(other as string)).toThrow('Expected the path of a file, got ')
  }
  expect(existsSync(file)).toBe(false)
})

test('an endpoint takes the backplane as it is', async () => {
  const backplane = open(join(createFolder(), 'mcp.db'))
  const server = { connect: async () => undefined, close: async () => undefined }
  const endpoint = createEndpoint({ server: () => server, backplane })
  await endpoint.close({ drainMs: 0 })
})

test('what is written is there when the file is opened again, and close writes what is under way', async () => {
  const file = join(createFolder(), 'mcp.db')
  const before = open(file)
  const creating = before.sessions.create(toRecord('a'), ttlMs)
  const appending = before.events.append('a', [toEvent(1), toEvent(2)])
  before.close()
  expect(await creating).toBe(true)
  expect(await appending).toBe('ok')
  await expect(async () => await before.sessions.get('a')).rejects.toThrow('The SQLite backplane is closed')
  await expect(before.sessions.create(toRecord('b'), ttlMs)).rejects.toThrow('The SQLite backplane is closed')
  const after = open(file)
  expect(await after.sessions.get('a')).toEqual(toRecord('a'))
  expect((await after.events.read('a', 'g', 0, 10))?.head).toBe(2)
})

test.skipIf(!existsSync('/proc/self/fd'))('nothing is open after close, however much was under way', async () => {
  const file = join(createFolder(), 'mcp.db')
  const backplane = sqliteBackplane(file)
  const { bus } = backplane
  const stop = await bus.subscribe('channel', () => undefined)
  const publishing = bus.publish('channel', 'message')
  await stop()
  backplane.close()
  await publishing
  const opened = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      // That of the folder itself.
      return []
    }
  })
  expect(opened.filter((path) => path.startsWith(file))).toEqual([])
})

test('several processes that start at once make one file', { timeout: 60_000 }, async () => {
  const file = join(createFolder(), 'mcp.db')
  const children = Array.from({ length: 6 }, () =>
    fork(new URL('opener.ts', import.meta.url), [file], { execArgv: ['--import', 'tsx'] }),
  )
  const said = await Promise.all(children.map(async (child) => (await once(child, 'message'))[0]))
  expect(said).toEqual(Array.from(children, () => 'opened'))
  const { sessions } = open(file)
  const keys: string[] = []
  for await (const { key } of sessions.list()) keys.push(key)
  expect(keys).toHaveLength(6)
})

test('a process that is killed while it writes loses nothing that was acknowledged', { timeout: 60_000 }, async () => {
  const file = join(createFolder(), 'mcp.db')
  for (let round = 1; round <= 3; round++) {
    const child = fork(new URL('writer.ts', import.meta.url), [file, `${round}`], { execArgv: ['--import', 'tsx'] })
    let acknowledged = 0
    child.on('message', (n) => {
      acknowledged = Number(n)
    })
    await waitFor(() => acknowledged > 100, 20_000)
    child.kill('SIGKILL')
    await once(child, 'close')
    const page = await open(file).events.read(`${round}`, 'g', 0, 1_000_000)
    const indexes = page?.events.map(({ index }) => index) ?? []
    expect(indexes.length).toBeGreaterThanOrEqual(acknowledged)
    expect(indexes).toEqual(Array.from(indexes, (_, i) => i + 1))
  }
})

test('a lease of a process that was killed is over', { timeout: 30_000 }, async () => {
  const file = join(createFolder(), 'mcp.db')
  const child = fork(new URL('writer.ts', import.meta.url), [file, 'a'], { execArgv: ['--import', 'tsx'] })
  await once(child, 'message')
  const { sessions } = open(file)
  expect(await sessions.hasLease('a')).toBe(true)
  child.kill('SIGKILL')
  await once(child, 'close')
  expect(await sessions.hasLease('a')).toBe(!existsSync('/proc/self/ns/pid'))
})

test('a file that is removed is written to no longer, and made anew', async () => {
  const folder = createFolder()
  const file = join(folder, 'mcp.db')
  const { sessions } = open(file)
  await sessions.create(toRecord('before'), ttlMs)
  for (const name of readdirSync(folder)) rmSync(join(folder, name))
  const other = open(file)
  await other.sessions.create(toRecord('other'), ttlMs)
  await expect
    .poll(async () => (await sessions.renewLease('node', ttlMs)) && (await other.sessions.hasLease('node')))
    .toBe(true)
  expect((await sessions.get('other'))?.key).toBe('other')
  expect(await sessions.get('before')).toBeUndefined()
})

test('a file that is broken is an error of the call, and of no other', async () => {
  const file = join(createFolder(), 'mcp.db')
  const before = sqliteBackplane(file)
  await before.sessions.create(toRecord('a'), ttlMs)
  await before.events.append(
    'a',
    Array.from({ length: 500 }, (_, i) => toEvent(i + 1, { data: 'x'.repeat(1_000) })),
  )
  before.close()
  const bytes = readFileSync(file)
  // Where the events are.
  bytes.fill(0x5a, bytes.length / 2)
  writeFileSync(file, bytes)
  const { sessions, events } = open(file)
  await expect(async () => await events.read('a', 'g', 0, 1_000)).rejects.toThrow(/malformed/)
  await expect(events.append('a', [toEvent(501)])).rejects.toThrow(/malformed/)
  expect(await sessions.get('a')).toEqual(toRecord('a'))
  expect(await sessions.create(toRecord('b'), ttlMs)).toBe(true)
})

describe.skipIf(!canMount())('on a disk that is full', () => {
  test('calls fail, nothing else does, and all is well again once there is room', async () => {
    const folder = createFolder()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder])
    onTestFinished(() => void execFileSync('umount', ['--lazy', folder]))
    const ballast = join(folder, 'ballast')
    const { sessions, events, bus } = open(join(folder, 'mcp.db'))
    let missed = 0
    await bus.subscribe(
      'c',
      () => undefined,
      () => missed++,
    )
    await sessions.create(toRecord('a'), ttlMs)
    await events.append('a', [toEvent(1)])
    writeFileSync(ballast, '')
    expect(() => writeFileSync(ballast, Buffer.alloc(4_000_000))).toThrow('ENOSPC')
    const failures: unknown[] = []
    let n = 2
    // Pages that it has left may take some.
    while (failures.length === 0 && n < 1_000) {
      const event = toEvent(n++, { data: 'x'.repeat(10_000) })
      await Promise.resolve(events.append('a', [event])).catch((error: unknown) => failures.push(error))
    }
    expect(String(failures[0])).toMatch(/full|disk I\/O error/)
    await expect(
      sessions.create(toRecord('b', { initializeParams: { text: 'x'.repeat(50_000) } }), ttlMs),
    ).rejects.toThrow(/full|disk I\/O/)
    expect(await sessions.get('a')).toEqual(toRecord('a'))
    truncateSync(ballast)
    expect(await events.append('a', [toEvent(n - 1, { data: 'x'.repeat(10_000) })])).toBe('ok')
    const page = await events.read('a', 'g', 0, 2_000)
    expect(page?.events.map(({ index }) => index)).toEqual(Array.from({ length: n - 1 }, (_, i) => i + 1))
    await waitFor(() => missed > 0)
  })
})

test('the file is not left growing: what is over is removed, and its room used again', async () => {
  const file = join(createFolder(), 'mcp.db')
  const { sessions, events } = open(file, { retainMs: 1 })
  const fill = async (round: number) => {
    for (let i = 0; i < 100; i++) {
      await sessions.create(toRecord(`${round} ${i}`), 1)
      await events.append(`${round} ${i}`, [toEvent(1, { data: 'x'.repeat(5_000) })])
    }
  }
  for (let round = 0; round < 3; round++) await fill(round)
  const plain = driver(file)
  onTestFinished(() => void plain.close())
  const isSwept = () => Object.values(plain.prepare('SELECT count(*) FROM event').get() as object)[0] === 0
  const deadline = performance.now() + 10_000
  while (!isSwept() && performance.now() < deadline) await sessions.renewLease('me', ttlMs)
  expect(isSwept()).toBe(true)
  expect(plain.prepare('SELECT count(*) AS count FROM session').get()).toEqual({ count: 0 })
  const size = () => statSync(file).size
  const before = size()
  for (let round = 3; round < 6; round++) await fill(round)
  expect(size()).toBeLessThan(2 * before + 1_000_000)
  expect(readdirSync(join(file, '..')).toSorted()).toEqual(['mcp.db', 'mcp.db-shm', 'mcp.db-wal'])
})

test('a stream that was delivered is kept for a while, then dropped, and then forgotten', async () => {
  const { sessions, events } = open(join(createFolder(), 'mcp.db'), { retainMs: 200 })
  await sessions.create(toRecord('key'), ttlMs)
  await events.append('key', [toEvent(1, { streamTag: 'p', last: true })])
  events.release('key', 'p')
  const read = async () => {
    // What is over is looked for while something is written.
    await sessions.renewLease('me', ttlMs)
    return await events.read('key', 'p', 0, 10)
  }
  expect((await read())?.events).toHaveLength(1)
  let page = await read()
  while (page?.events.length === 1) page = await read()
  expect(page).toMatchObject({ events: [], head: 1, ended: true, requestIds: [1], headPosition: { term: 1, n: 1 } })
  while (page) page = await read()
})

test('a budget of bytes is kept as well', async () => {
  const { sessions, events } = open(join(createFolder(), 'mcp.db'), { maxBytesPerSession: 100_000 })
  await sessions.create(toRecord('key'), ttlMs)
  for (let n = 1; n <= 100; n++) {
    await events.append('key', [toEvent(n, { kind: 'notification', data: 'x'.repeat(2_000) })])
  }
  const kept = (await events.read('key', 'g', 0, 100))?.events ?? []
  expect(kept.at(-1)?.index).toBe(100)
  expect(kept.length).toBeGreaterThan(40)
  expect(kept.length).toBeLessThan(50)
})

test('a process that stood still for too long is told that it has missed messages', async () => {
  const file = join(createFolder(), 'mcp.db')
  const { bus, sessions } = open(file)
  const heard: string[] = []
  let missed = 0
  await bus.subscribe(
    'c',
    (message) => heard.push(message),
    () => missed++,
  )
  await bus.publish('c', '1')
  await waitFor(() => heard.length === 1)
  const other = driver(file)
  // As when ten seconds had gone by meanwhile.
  other.exec("INSERT INTO message (channel, text, at) VALUES ('c', '2', 0); DELETE FROM message")
  other.close()
  await bus.publish('c', '3')
  await waitFor(() => missed === 1)
  expect(heard).toEqual(['1', '3'])
  expect(await sessions.hasLease('none')).toBe(false)
})

function canMount(): boolean {
  if (process.getuid?.() === 0 && process.platform === 'linux') {
    const folder = mkdtempSync(join(tmpdir(), 'throughline-mount-'))
    try {
      mkdirSync(join(folder, 'm'))
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', join(folder, 'm')], { stdio: 'ignore' })
      execFileSync('umount', [join(folder, 'm')])
      return true
    } catch {
      // Not allowed in this container.
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  const leftOut = 'LEFT OUT: the tests of a full disk, because no file system can be mounted here'
  if (process.env.CI) throw new Error(leftOut)
  console.warn(leftOut)
  return false
}

test('an append of which one place is taken by another event leaves nothing', async () => {
  const { sessions, events } = open(join(createFolder(), 'mcp.db'))
  await sessions.create(toRecord('key'), ttlMs)
  await events.append('key', [toEvent(3, { data: '"there"' })])
  const begun = { streamTag: 'p', index: 1 }
  expect(await events.append('key', [toEvent(1, begun), toEvent(2), toEvent(3), toEvent(4)])).toBe('fenced')
  expect(await events.read('key', 'p', 0, 10)).toBeUndefined()
  const page = await events.read('key', 'g', 0, 10)
  expect(page?.events.map(({ index, data }) => [index, data])).toEqual([[3, '"there"']])
})
