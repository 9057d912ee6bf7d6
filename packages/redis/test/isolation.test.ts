import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openSession, TestClient } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import { type RedisServer, skipsRedis, startRedis } from '../../../test-support/redis/start-redis.ts'
import { waitFor } from '../../../test-support/waiting.ts'
import type { AuthInfo, EndpointOptions, HttpReply } from '../../core/src/index.ts'
import { redisBackplane } from '../src/index.ts'

/** In `pnpm test`; the promise is made for 100,000, which take minutes. */
const abandoned = Number(process.env.ABANDONED ?? 2_000)

interface Visit {
  readonly client: TestClient
  readonly user: number
  /** What only this session has been told. */
  readonly canary: string
  readonly eventId: string
}

describe.skipIf(skipsRedis())('three nodes on a real Redis', () => {
  let server: RedisServer
  const connected: Redis[] = []

  beforeAll(async () => {
    server = await startRedis()
  })
  beforeEach(async () => {
    await connect().flushall()
  })
  afterAll(async () => {
    for (const client of connected) client.disconnect()
    await server.stop()
  })

  function connect(): Redis {
    const client = new Redis(server.port, '127.0.0.1')
    connected.push(client)
    return client
  }

  function createNodes(options: Partial<EndpointOptions> = {}) {
    const handlers = {
      tell: async ({ params, push }: { params: Record<string, unknown>; push: Push }) => {
        await push('notifications/message', { data: params.canary })
        return { told: params.canary }
      },
    }
    return Array.from({ length: 3 }, () =>
      createTestEndpoint(handlers as never, {
        backplane: redisBackplane(connect()),
        response: 'sse',
        principal: ({ clientId }) => clientId,
        ...options,
      }),
    )
  }

  /** In turn, so that each session is asked for on every node. */
  function on(nodes: ReturnType<typeof createNodes>, turn: number, { client }: Visit, auth = client.auth): TestClient {
    const node = nodes[turn % nodes.length] as (typeof nodes)[number]
    return Object.assign(new TestClient(node.endpoint), { sessionId: client.sessionId, auth })
  }

  test('of 60 sessions of five users none is reached, read or heard with what belongs to another', async () => {
    const nodes = createNodes()
    const visits: Visit[] = []
    for (let i = 0; i < 60; i++) {
      const auth = toAuth(i % 5)
      const { endpoint } = nodes[i % 3] as (typeof nodes)[number]
      const client = await openSession(endpoint, { auth })
      const canary = `canary-${i}-${crypto.randomUUID()}`
      const reader = await TestReader.open(await client.call('tell', { canary }, 1))
      await reader.until(() => reader.ended)
      visits.push({ client, user: i % 5, canary, eventId: reader.events[0]?.id ?? '' })
    }
    const seen: { readonly owner: Visit; readonly by: Visit; readonly status: number; readonly text: string }[] = []
    let turn = 0
    for (const owner of visits) {
      for (const by of visits.filter((_, i) => (i * 7 + turn) % 11 === 0)) {
        // With the other's token; with its event id; and both, in the way of someone who has read a log.
        const stranger = on(nodes, ++turn, owner, by.client.auth)
        const asked = [await stranger.call('tell', { canary: by.canary }, 2), await stranger.get(owner.eventId)]
        const own = on(nodes, ++turn, by)
        asked.push(await own.get(owner.eventId))
        for (const reply of asked) seen.push({ owner, by, status: reply.status, text: await toText(reply) })
      }
    }
    expect(seen.length).toBeGreaterThan(900)
    const foreign = seen.filter(({ owner, by }) => owner.user !== by.user)
    expect(foreign.length).toBeGreaterThan(600)
    // 204 is of the own stream of the same number, which has ended.
    expect(foreign.filter(({ status }) => ![204, 400, 404].includes(status))).toEqual([])
    expect(foreign.some(({ status }) => status === 404)).toBe(true)
    expect(
      seen.filter(({ owner, by, text }) => owner !== by && owner.user !== by.user && text.includes(owner.canary)),
    ).toEqual([])
    // Each session still has its own, on every node, and nothing else.
    for (const visit of visits) {
      const reader = await on(nodes, ++turn, visit).read()
      await reader.until(() => reader.text.includes(visit.canary))
      const others = visits.filter(({ canary, user }) => user !== visit.user && reader.text.includes(canary))
      expect(others).toEqual([])
      reader.leave()
    }
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([])
    await Promise.all(nodes.map(({ endpoint }) => endpoint.close({ drainMs: 0 })))
  }, 120_000)

  test(`${abandoned} sessions that nobody ends leave no key and no server object behind`, {
    timeout: 600_000,
  }, async () => {
    const nodes = createNodes({
      response: 'auto',
      sessionIdleMs: 2_000,
      maxSessions: 2 * abandoned,
      maxSessionsPerPrincipal: 2 * abandoned,
    })
    const redis = connect()
    let most = 0
    for (let i = 0; i < abandoned; i += 100) {
      await Promise.all(
        Array.from({ length: 100 }, (_, k) => {
          const { endpoint } = nodes[(i + k) % 3] as (typeof nodes)[number]
          return openSession(endpoint, { auth: toAuth(k % 5), initialized: k % 2 === 0 })
        }),
      )
      most = Math.max(most, await redis.dbsize())
    }
    expect(most).toBeGreaterThan(Math.min(abandoned, 1_000))
    await waitFor(() => nodes.every(({ endpoint }) => endpoint.stats().sessions === 0), 120_000)
    await Promise.all(nodes.map(({ endpoint }) => endpoint.close({ drainMs: 0 })))
    let left = Infinity
    const deadline = performance.now() + 60_000
    while (left > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      left = await redis.dbsize()
    }
    expect(left).toBe(0)
    expect(nodes.flatMap(({ servers }) => servers).filter(({ closed }) => !closed)).toEqual([])
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([])
  })
})

type Push = (method: string, params: Record<string, unknown>) => Promise<void>

function toAuth(user: number): AuthInfo {
  return { token: `token-${user}`, clientId: `user-${user}`, scopes: [] }
}

async function toText(reply: HttpReply): Promise<string> {
  if (typeof reply.body !== 'object') return `${reply.body}`
  const reader = await TestReader.open(reply)
  const { text } = reader
  reader.leave()
  return text
}
