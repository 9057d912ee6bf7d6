// A node on Redis that opens idle sessions in itself, without HTTP, and listens: `node.mjs REDIS_PORT HIBERNATE_AFTER_MS SESSION_IDLE_MS`.
import { setTimeout as sleep } from 'node:timers/promises'
import { createEndpoint, sharedServer } from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import { redisBackplane } from '@throughline/mcp-http-redis'
import { Redis } from 'ioredis'
import { TestRequest } from '../../../test-support/in-process/test-request.ts'
import { initializedText, initializeText, protocolVersion } from '../load/messages.ts'
import { listen } from '../targets/running-target.ts'
import { createServer1 } from '../targets/server1.ts'

/** `open`: so many sessions, of which some hundred ids are told. `memory`: after collecting. */
export type Asked = { readonly open: number } | 'memory' | 'live'

export interface Memory {
  readonly heapUsed: number
  readonly rss: number
}

export type Told =
  | { readonly url: string }
  | { readonly opened: readonly string[] }
  | { readonly memory: Memory }
  | { readonly live: number }

const [redisPort = 0, hibernateAfterMs = 0, sessionIdleMs = 0] = process.argv.slice(2).map(Number)

/** Sessions that are being opened at the same time. */
const atOnce = 64

const endpoint = createEndpoint({
  server: sharedServer(createServer1),
  backplane: redisBackplane(new Redis({ port: redisPort, host: '127.0.0.1' })),
  ...{ hibernateAfterMs, sessionIdleMs, maxSessions: 100_000 },
})

function post(body: string, sessionId?: string) {
  const session =
    sessionId === undefined ? {} : { 'mcp-session-id': sessionId, 'mcp-protocol-version': protocolVersion }
  return endpoint.handle(new TestRequest('POST', { body, headers: session }))
}

async function openOne(): Promise<string> {
  const { status, headers } = await post(initializeText)
  const sessionId = headers['mcp-session-id']
  if (sessionId === undefined) throw new Error(`Expected a session, got status ${status}`)
  const initialized = await post(initializedText, sessionId)
  if (initialized.status !== 202) throw new Error(`notifications/initialized: ${initialized.status}`)
  return sessionId
}

/** What is told: each, or about a thousand of them. */
async function open(count: number): Promise<string[]> {
  const told: string[] = []
  const step = Math.max(1, Math.floor(count / 1_000))
  let next = 0
  const work = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) {
      const sessionId = await openOne()
      if (i % step === 0) told.push(sessionId)
      // Those that are idle must have a chance to be put away.
      while (endpoint.stats().sessions > 50_000) await sleep(20)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return told
}

async function memory(): Promise<Memory> {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.()
    await sleep(50)
  }
  const { heapUsed, rss } = process.memoryUsage()
  return { heapUsed, rss }
}

async function answer(asked: Asked): Promise<Told> {
  if (asked === 'memory') return { memory: await memory() }
  if (asked === 'live') return { live: endpoint.stats().sessions }
  return { opened: await open(asked.open) }
}

process.on('message', async (asked: Asked) => process.send?.(await answer(asked)))
process.on('disconnect', () => process.exit(0))
process.send?.({ url: await listen(toNodeHandler(endpoint)) } satisfies Told)
