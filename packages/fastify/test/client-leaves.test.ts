import { connect } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test, vi } from 'vitest'
import { McpClient } from '../../../test-support/client/mcp-client.ts'
import { begin } from '../../../test-support/client/reply.ts'
import { describeClientLeaves } from '../../../test-support/client-leaves.ts'
import { settle } from '../../../test-support/endpoints.ts'
import type { Exchange } from '../../../test-support/exchanges.ts'
import { cancelled, holding, report, type Tool } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { start } from './test-app.ts'

const soon = { abandonAfterMs: 100 }

describeClientLeaves('Fastify', ({ tools, options } = {}) =>
  start({ ...(tools && { tools }), options: { ...soon, ...options } }),
)

describe('the client leaves', () => {
  test.each(['preHandler', 'onSend'] as const)('while a %s hook waits', async (name) => {
    let slow = false
    const waiting = deferred()
    const goOn = deferred()
    const wait = async (): Promise<void> => {
      if (!slow) return
      waiting.resolve()
      await goOn.promise
    }
    const before = (app: FastifyInstance) => app.addHook(name as 'preHandler', wait)
    const { url, endpoint, exchanges, expectNoFault } = await start({
      before,
      options: soon,
      tools: { chat: (_args, extra) => report(extra, 'hello') },
    })
    const client = await McpClient.open(url)
    slow = true
    const outgoing = begin(url, { headers: client.headers })
    outgoing.end(JSON.stringify(client.callMessage('chat')))
    await waiting.promise
    outgoing.destroy()
    await exchanges.at(-1)?.closed
    slow = false
    goOn.resolve()
    await settle(endpoint)
    expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
    expectNoFault()
  })

  test('with several requests in one pipeline', async () => {
    const { hold, started, stopped } = holding()
    const { url, endpoint, expectNoFault } = await start({
      options: { ...soon, response: 'sse' },
      tools: { hold, chat: (_args, extra) => report(extra, 'hello') },
    })
    const client = await McpClient.open(url)
    const { port, host } = new URL(url)
    const socket = connect(Number(port), '127.0.0.1')
    const fields = { host, accept: 'text/event-stream', 'content-type': 'application/json', ...client.headers }
    const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
    for (const name of ['hold', 'hold', 'chat', 'hold']) {
      const body = JSON.stringify(client.callMessage(name))
      socket.write(`POST /mcp HTTP/1.1\r\n${head.join('')}content-length: ${body.length}\r\n\r\n${body}`)
    }
    await started
    await vi.waitFor(() => expect(endpoint.stats().connections).toBe(3))
    socket.resetAndDestroy()
    await stopped
    await settle(endpoint)
    expectNoFault()
  })
})

describe('a client that does not read', () => {
  const flooding = (): { flood: Tool; sent: () => number; stopped: Promise<void> } => {
    const stopped = deferred()
    let sent = 0
    const flood: Tool = async (_args, extra) => {
      const stop = cancelled(extra)
      while (!extra.signal.aborted) {
        await Promise.race([report(extra, 'x'.repeat(100_000)), stop])
        sent++
      }
      stopped.resolve()
    }
    return { flood, sent: () => sent, stopped: stopped.promise }
  }

  test('holds the sender, and leaves while a write to it is blocked', async () => {
    const { flood, sent, stopped } = flooding()
    const { url, endpoint, exchanges, expectNoFault } = await start({ options: soon, tools: { flood } })
    const client = await McpClient.open(url)
    const reply = await client.call('flood')
    await vi.waitFor(
      async () => {
        const before = sent()
        await new Promise((resolve) => setTimeout(resolve, 50))
        expect(sent()).toBe(before)
        expect(sent()).toBeGreaterThan(0)
      },
      { timeout: 5_000, interval: 5 },
    )
    // What waits in this process; the kernel's buffers hold some megabytes more.
    expect((exchanges.at(-1) as Exchange).response.writableLength).toBeLessThan(300_000)
    expect(sent() * 100_000).toBeLessThan(20_000_000)
    reply.leave()
    await stopped
    await settle(endpoint)
    expectNoFault()
  })

  test('is cut off, and one that reads slowly is not', async () => {
    const { url, exchanges, expectNoFault } = await start({
      options: { stallMs: 1_000, response: 'sse' },
      tools: { big: () => 'x'.repeat(20_000_000) },
    })
    const client = await McpClient.open(url)
    const stalled = await client.call('big')
    const { closed } = exchanges.at(-1) as Exchange

    const slow = await client.call('big')
    const began = performance.now()
    let bytes = 0
    for await (const chunk of slow.response) {
      bytes += (chunk as Buffer).length
      await new Promise((resolve) => setTimeout(resolve, (chunk as Buffer).length / 10_000))
    }
    expect(bytes).toBeGreaterThan(20_000_000)
    expect(performance.now() - began).toBeGreaterThan(1_000)
    await closed
    stalled.leave()
    expectNoFault()
  })
})
