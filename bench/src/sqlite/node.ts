// A server in a process of its own, that keeps its sessions in memory or in a SQLite file: `node.mjs [FILE]`.
import { createEndpoint, createMemoryBackplane, type EventLog, type LogEvent } from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import { sqliteBackplane } from '@throughline/mcp-http-sqlite'
import { listen } from '../targets/running-target.ts'
import { createServer1 } from '../targets/server1.ts'

/** Appends of so many sessions at once, each of so many events. */
export interface Appending {
  readonly sessions: number
  readonly events: number
}

/** Microseconds of the processor: of the process until now, or of each event. Or records added. */
export type Asked = 'cpu' | 'fill' | Appending

export type Told = { readonly url: string } | { readonly value: number }

const [file] = process.argv.slice(2)
const backplane = file === undefined ? createMemoryBackplane() : sqliteBackplane(file)
const maxSessions = 100_000
const endpoint = createEndpoint({
  server: () => createServer1(),
  ...{ backplane, maxSessions, maxSessionsPerPrincipal: maxSessions },
})

function cpu(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

const record = {
  ...{ principal: null, protocolVersion: '2025-11-25', serverCapabilities: { tools: {} }, createdAt: 0, owner: 'gone' },
  initializeParams: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'bench', version: '1.0.0' },
  },
  ...{ term: 1, initialized: true, logLevel: null, subscriptions: [] },
}
const ttlMs = 1_800_000
let keys = 0

async function createKey(): Promise<string> {
  const key = `bench ${process.pid} ${keys++}`
  await backplane.sessions.create({ ...record, key }, ttlMs)
  return key
}

async function fill(): Promise<number> {
  for (let i = 0; i < 100; i++) await Promise.all(Array.from({ length: 100 }, createKey))
  return 10_000
}

const data = JSON.stringify({
  jsonrpc: '2.0',
  method: 'notifications/progress',
  params: { progress: 1, text: 'x'.repeat(200) },
})

function toEvent(n: number): LogEvent {
  const position = { term: 1, n }
  return { streamTag: 'p1-1', index: n, position, kind: 'progress', data, last: false, requestIds: [1] }
}

/** About so many events. */
const appended = 8_000

async function append(log: EventLog, { sessions, events }: Appending): Promise<number> {
  const writers = await Promise.all(Array.from({ length: sessions }, createKey))
  const rounds = Math.ceil(appended / sessions / events)
  const before = cpu()
  for (let round = 0; round < rounds; round++) {
    const batch = Array.from({ length: events }, (_, i) => toEvent(round * events + i + 1))
    const outcomes = await Promise.all(writers.map((key) => log.append(key, batch)))
    if (outcomes.some((outcome) => outcome !== 'ok')) throw new Error(`Expected ok, got ${outcomes}`)
  }
  const used = cpu() - before
  for (const key of writers) await log.delete(key)
  return used / (rounds * sessions * events)
}

async function answer(asked: Asked): Promise<number> {
  if (asked === 'cpu') return cpu()
  return asked === 'fill' ? await fill() : await append(backplane.events, asked)
}

process.on('message', async (asked: Asked) => process.send?.({ value: await answer(asked) } satisfies Told))
process.on('disconnect', () => process.exit(0))
process.send?.({ url: await listen(toNodeHandler(endpoint)) } satisfies Told)
