import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { compress } from 'hono/compress'
import { describe, expect, test, vi } from 'vitest'
import { McpClient, ping } from '../../../test-support/client/mcp-client.ts'
import { RawConnection, toHead } from '../../../test-support/client/raw-connection.ts'
import { begin } from '../../../test-support/client/reply.ts'
import { describeClientLeaves } from '../../../test-support/client-leaves.ts'
import { settle } from '../../../test-support/endpoints.ts'
import { cancelled } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { start } from './test-app.ts'

const readsJson: MiddlewareHandler = async (c, next) => {
  if (c.req.method === 'POST') await c.req.json()
  await next()
}

describeClientLeaves('Hono', start)

describe('the client leaves', () => {
  test.each([
    ['without', undefined],
    ['after c.req.json()', readsJson],
    ['after bodyLimit()', bodyLimit({ maxSize: 100_000 })],
  ])('while a middleware in front waits, %s', async (_with, parser) => {
    const waiting = deferred()
    const goOn = deferred()
    const started = deferred()
    const stopped = deferred()
    let slow = false
    const wait: MiddlewareHandler = async (_c, next) => {
      if (slow) {
        waiting.resolve()
        await goOn.promise
      }
      await next()
    }
    const { url, endpoint, exchanges, expectNoFault } = await start({
      options: { response: 'json' },
      before: parser ? [parser, wait] : [wait],
      tools: {
        hold: async (_args, extra) => {
          started.resolve()
          await cancelled(extra)
          stopped.resolve()
        },
      },
    })
    const client = await McpClient.open(url)
    slow = true
    const outgoing = begin(url, { headers: client.headers })
    outgoing.end(JSON.stringify(client.callMessage('hold')))
    await waiting.promise
    outgoing.destroy()
    await exchanges.at(-1)?.closed
    goOn.resolve()
    slow = false
    // With a parsed body the call begins; nobody is there, so it is abandoned like any other.
    if (parser === readsJson) {
      await started.promise
      await stopped.promise
    }
    await settle(endpoint)
    expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
    expectNoFault()
  })

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
    const { url, endpoint, exchanges, expectNoFault } = await start({ before: [compress(), wait] })
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
    const { url, endpoint, expectNoFault } = await start({
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

  test('while the request before it on the same connection is being answered', async () => {
    const started = deferred()
    const { url, port, endpoint, expectNoFault } = await start({
      tools: {
        hold: async (_args, extra) => {
          started.resolve()
          await cancelled(extra)
        },
      },
      options: { response: 'json' },
    })
    const client = await McpClient.open(url)
    const connection = await RawConnection.open(port)
    const headers = {
      host: `127.0.0.1:${port}`,
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      ...client.headers,
    }
    const call = JSON.stringify(client.callMessage('hold'))
    connection.write(toHead('POST', '/mcp', { ...headers, 'content-length': String(call.length) }) + call)
    await started.promise
    connection.write(toHead('POST', '/mcp', { ...headers, 'content-length': String(call.length) }) + call)
    await vi.waitFor(() => expect(endpoint.stats().calls).toBe(2), { interval: 2 })
    connection.socket.destroy()
    await settle(endpoint)
    expectNoFault()
  })
})
