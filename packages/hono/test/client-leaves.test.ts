import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { compress } from 'hono/compress'
import { describe, expect, test } from 'vitest'
import { describeClientLeaves } from '../../../test-support/adapters/describe-client-leaves.ts'
import { describeReaderLeaves } from '../../../test-support/adapters/describe-reader-leaves.ts'
import { start } from '../../../test-support/adapters/start.ts'
import { McpClient, ping } from '../../../test-support/client/mcp-client.ts'
import { begin } from '../../../test-support/client/reply.ts'
import { settle } from '../../../test-support/endpoints.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { adapter, reading } from './adapter.ts'

const fronts = [
  { name: 'nothing', before: [], parses: false },
  { name: 'c.req.json()', before: [reading((c) => c.req.json())], parses: true },
  { name: 'bodyLimit()', before: [bodyLimit({ maxSize: 100_000 })], parses: false },
]

describeClientLeaves(adapter, { fronts })
describeReaderLeaves(adapter)

describe('the client leaves', () => {
  test('while a middleware behind the answer still waits', async () => {
    let waiting = deferred()
    let goOn = deferred()
    let slow = false
    const wait: MiddlewareHandler = async (_c, next) => {
      await next()
      if (!slow) return
      waiting.resolve()
      await goOn.promise
    }
    const { url, endpoint, exchanges, expectNoFault } = await start(adapter, { before: [compress(), wait] })
    const client = await McpClient.open(url, { 'accept-encoding': 'gzip' })
    for (const method of ['GET', 'POST']) {
      slow = true
      waiting = deferred()
      goOn = deferred()
      const outgoing = begin(url, { method, headers: client.headers })
      outgoing.end(method === 'POST' ? JSON.stringify(ping) : undefined)
      await waiting.promise
      outgoing.destroy()
      await exchanges.at(-1)?.closed
      slow = false
      // Its stream is over although nobody has begun to read the response.
      await settle(endpoint)
      goOn.resolve()
    }
    expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
    expectNoFault()
  })

  test('and a middleware has dropped its stream: it is over with the exchange', async () => {
    let drop = false
    const { url, endpoint, expectNoFault } = await start(adapter, {
      before: [
        async (c, next) => {
          await next()
          if (!drop) return
          c.res = undefined
          c.res = c.text('instead', 503)
        },
      ],
    })
    const client = await McpClient.open(url)
    drop = true
    const reply = await client.get()
    expect([reply.status, await reply.text()]).toEqual([503, 'instead'])
    await settle(endpoint)
    expectNoFault()
  })
})
