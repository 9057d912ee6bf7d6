// Clients of both eras at once, on one process, some of whom leave in the middle: none may see what is another's, or of the
// other era, and nothing may be left.
//   pnpm soak:eras --minutes 5 --seed 1
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { decide, everyKindOfBody, everyNamed } from '../packages/core/src/eras/verdicts.ts'
import { createEndpoint, type SessionContext } from '../packages/core/src/index.ts'
import { toNodeHandler } from '../packages/core/src/node/index.ts'
import { Random } from './random.ts'

const versions = { none: undefined, '2025': '2025-11-25', '2026': '2026-07-28', unknown: '2099-01-01' } as const
const idKey = 'io.modelcontextprotocol/subscriptionId'
const lanes = 24

interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly result?: Record<string, unknown>
  readonly error?: { readonly code: number }
  readonly params?: Record<string, unknown>
}

interface Answer {
  readonly status: number
  readonly sessionId: string | null
  /** Of every event on it, where it was a stream. */
  readonly hasIds: boolean
  readonly messages: readonly Message[]
}

const faults: string[] = []
const seen: Record<string, number> = {}

function count(what: string): void {
  seen[what] = (seen[what] ?? 0) + 1
}

function expect(holds: boolean, what: string, got: unknown): void {
  if (!holds) faults.push(`${what}: ${JSON.stringify(got)}`.slice(0, 600))
}

function buildServer({ era }: SessionContext): McpServer {
  const server = new McpServer({ name: 'eras', version: '1' }, { capabilities: { tools: { listChanged: true } } })
  const inputSchema = z.object({ text: z.string(), steps: z.int() })
  server.registerTool(
    'tell',
    { description: 'Says what it was told.', inputSchema },
    async ({ text, steps }, context) => {
      const progressToken = context.mcpReq._meta?.progressToken
      for (let progress = 1; progress <= steps; progress++) {
        await sleep(2)
        if (progressToken === undefined || context.mcpReq.signal.aborted) continue
        const params = { progressToken, progress, total: steps, message: text }
        await context.mcpReq.notify({ method: 'notifications/progress', params })
      }
      return { content: [{ type: 'text', text: `${era} ${text}` }] }
    },
  )
  return server
}

function toMeta(version: string, more: object = {}): object {
  return {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientCapabilities': {},
    ...more,
  }
}

async function post(
  url: string,
  body: unknown,
  headers: Record<string, string>,
  leaveAfterMs?: number,
): Promise<Answer> {
  const signal = leaveAfterMs === undefined ? AbortSignal.timeout(30_000) : AbortSignal.timeout(leaveAfterMs)
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: JSON.stringify(body),
    signal,
  })
  const text = await response.text()
  const isStream = response.headers.get('content-type') === 'text/event-stream'
  const data = isStream
    ? [...text.matchAll(/^data: (.+)$/gm)].map(([, json]) => json as string)
    : text === ''
      ? []
      : [text]
  return {
    status: response.status,
    sessionId: response.headers.get('mcp-session-id'),
    hasIds: /^id: /m.test(text),
    messages: data.map((json) => JSON.parse(json) as Message),
  }
}

function toCall(random: Random, version: string): { text: string; steps: number; body: object } {
  const text = `${random.int(0, 1e9)}`
  const steps = random.int(0, 5)
  const _meta = version === versions['2026'] ? toMeta(version, { progressToken: text }) : { progressToken: text }
  // Every client numbers its calls alike.
  return {
    text,
    steps,
    body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'tell', arguments: { text, steps }, _meta } },
  }
}

function checkCall(era: '2025' | '2026', { text, steps }: { text: string; steps: number }, answer: Answer): void {
  const last = answer.messages.at(-1)
  expect(answer.status === 200 && last?.id === 1, `${era}: a call is answered`, answer)
  const [content] = (last?.result?.content ?? []) as { text: string }[]
  expect(content?.text === `${era} ${text}`, `${era}: its own answer`, answer)
  expect((last?.result?.resultType === undefined) === (era === '2025'), `${era}: a result of its era`, answer)
  const progress = answer.messages.slice(0, -1)
  expect(progress.length === steps, `${era}: all progress`, answer)
  expect(
    progress.every(({ params }) => params?.message === text),
    `${era}: its own progress`,
    answer,
  )
  if (era === '2026') expect(answer.sessionId === null && !answer.hasIds, '2026: no sessions, no event ids', answer)
  count(`${era} calls`)
}

async function beOf2025(url: string, random: Random): Promise<void> {
  const clientInfo = { name: 'soak', version: '1' }
  const params = { protocolVersion: versions['2025'], capabilities: {}, clientInfo }
  const opened = await post(url, { jsonrpc: '2.0', id: 0, method: 'initialize', params }, {})
  expect(opened.sessionId !== null, '2025: a session', opened)
  const session = { 'mcp-session-id': opened.sessionId ?? '' }
  // Some send the newest version they know.
  const headers = {
    ...session,
    ...(random.chance(0.7) && { 'mcp-protocol-version': random.pick([versions['2025'], versions['2026']]) }),
  }
  await post(url, { jsonrpc: '2.0', method: 'notifications/initialized' }, headers)
  for (let calls = random.int(1, 5); calls > 0; calls--) {
    const call = toCall(random, versions['2025'])
    if (random.chance(0.2)) await leave(post(url, call.body, headers, random.int(1, 10)))
    else checkCall('2025', call, await post(url, call.body, headers))
  }
  await fetch(url, { method: 'DELETE', headers: session })
}

const modern = { 'mcp-protocol-version': versions['2026'] }

async function beOf2026(url: string, random: Random): Promise<void> {
  const headers = {
    ...modern,
    'mcp-method': 'tools/call',
    'mcp-name': 'tell',
    ...(random.chance(0.2) && { 'mcp-session-id': 'stale' }),
  }
  for (let calls = random.int(1, 5); calls > 0; calls--) {
    const call = toCall(random, versions['2026'])
    if (random.chance(0.2)) await leave(post(url, call.body, headers, random.int(1, 10)))
    else checkCall('2026', call, await post(url, call.body, headers))
  }
}

/** Listens for a while, and hears of changes under its own id. */
async function listen(url: string, random: Random): Promise<void> {
  const id = random.int(1, 1e9)
  const params = { notifications: { toolsListChanged: true }, _meta: toMeta(versions['2026']) }
  let text = ''
  const reading = async (): Promise<void> => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        ...{ 'content-type': 'application/json', accept: 'text/event-stream' },
        ...modern,
        'mcp-method': 'subscriptions/listen',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id, method: 'subscriptions/listen', params }),
      signal: AbortSignal.timeout(random.int(50, 1_000)),
    })
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString()
  }
  await leave(reading())
  // It left before there was an answer.
  if (text === '') return
  const messages = [...text.matchAll(/^data: (.+)\n\n/gm)].map(([, json]) => JSON.parse(json as string) as Message)
  const metas = messages.map(({ params: { _meta } = {} }) => (_meta as Record<string, unknown> | undefined)?.[idKey])
  expect(
    metas.every((meta) => meta === id),
    '2026: its own subscription',
    messages,
  )
  expect(messages[0]?.method === 'notifications/subscriptions/acknowledged', '2026: acknowledged first', messages)
  count('2026 subscriptions')
}

/** One combination of the table without a session: the verdict's era answers. */
async function mix(url: string, random: Random): Promise<void> {
  const kind = random.pick(everyKindOfBody.filter((each) => each === 'request' || each === 'notification'))
  const [header, claim] = [random.pick(everyNamed), random.pick(everyNamed)]
  const [version, named] = [versions[header], versions[claim]]
  const params = named === undefined ? {} : { _meta: toMeta(named) }
  const method = kind === 'request' ? 'tools/list' : 'notifications/roots/list_changed'
  const answer = await post(
    url,
    { jsonrpc: '2.0', ...(kind === 'request' && { id: 1 }), method, params },
    { ...(version !== undefined && { 'mcp-protocol-version': version }), 'mcp-method': method },
  )
  const isServed = answer.status === 200 || answer.status === 202
  if (isServed)
    expect(decide({ kind, header, claim, session: false }) === '2026', 'without a session only 2026 serves', answer)
  else expect(answer.status === 400, 'a clear refusal', answer)
  count('mixtures')
}

async function leave(left: Promise<unknown>): Promise<void> {
  await left.catch(() => undefined)
  count('left')
}

function settledHeap(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string', default: '1' } },
  })
  const random = new Random(Number(values.seed))
  const endpoint = createEndpoint({
    server: buildServer,
    abandonAfterMs: 200,
    onError: (error, where) => faults.push(`${where}: ${error}`),
  })
  const server = createServer(toNodeHandler(endpoint)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  process.on('unhandledRejection', (error) => faults.push(`unhandled: ${error}`))
  const runFor = async (ms: number): Promise<void> => {
    const until = Date.now() + ms
    const turns = [beOf2025, beOf2025, beOf2026, beOf2026, listen, mix]
    await Promise.all(
      Array.from({ length: lanes }, async (_, lane) => {
        const own = random.fork(lane)
        while (Date.now() < until && faults.length < 20) await own.pick(turns)(url, own)
      }),
    )
  }
  const changing = setInterval(() => void endpoint.notify({ method: 'notifications/tools/list_changed' }), 5)
  const ms = Number(values.minutes) * 60_000
  await runFor(Math.min(ms, 20_000))
  const before = settledHeap()
  await runFor(ms)
  clearInterval(changing)
  await sleep(2_000)
  const heap = settledHeap()
  const { sessions, connections, calls, streams, detachedCalls } = endpoint.stats()
  expect(sessions + connections + calls + streams + detachedCalls === 0, 'nothing is left', endpoint.stats())
  expect(heap < before * 1.1, 'the heap is as it was', { before, heap })
  await endpoint.close()
  server.close()
  server.closeAllConnections()
  console.log(
    JSON.stringify({
      seen,
      heap: `${(before / 1e6).toFixed(1)} MB, then ${(heap / 1e6).toFixed(1)} MB`,
      faults: faults.length,
    }),
  )
  for (const fault of faults.slice(0, 10)) console.log(fault)
  process.exitCode = faults.length > 0 ? 1 : 0
}

await main()
