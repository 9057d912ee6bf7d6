import { describe, expect, test, vi } from 'vitest'
import { createMemoryBackplane } from '../../packages/core/src/index.ts'
import { initializeMessage, McpClient, ping } from '../client/mcp-client.ts'
import { RawConnection } from '../client/raw-connection.ts'
import { begin, type Farewell, leave, send } from '../client/reply.ts'
import { settle } from '../endpoints.ts'
import { holding, report, slowFactory } from '../sdk-server.ts'
import { deferred } from '../waiting.ts'
import type { Adapter } from './adapter.ts'
import { newest, type Started, type StartOptions, start as startOn } from './start.ts'

const farewells: readonly Farewell[] = ['close', 'reset']

/** What may stand in front of the endpoint and read the body. */
export interface Front<M> {
  readonly name: string
  readonly before: readonly M[]
  /** Whether it hands the parsed body on, so that a call begins without the connection. */
  readonly parses: boolean
}

export interface LeavesOptions<M> {
  readonly fronts: readonly Front<M>[]
  /** What the framework tells the app of a connection that was reset before the endpoint was asked. */
  readonly saidOfReset?: readonly unknown[]
}

/** A client that leaves before it is answered: nothing is thrown, nothing is left over, and others are served. */
export function describeClientLeaves<M>(adapter: Adapter<M>, { fronts, saidOfReset = [] }: LeavesOptions<M>): void {
  const start = (options: StartOptions<M> = {}): Promise<Started> => startOn(adapter, options)

  describe.each(farewells)(`${adapter.name}: the client leaves with a %s`, (farewell) => {
    test.each([
      ['a length', { 'content-length': '1000' }],
      ['chunks', { 'transfer-encoding': 'chunked' }],
    ])('before its body is complete, with %s', async (_framing, framing) => {
      const { url, endpoint, exchanges, expectNoFault } = await start()
      const client = await McpClient.open(url)
      for (const headers of [client.headers, {}]) {
        const outgoing = begin(url, { headers: { ...headers, ...(framing as Record<string, string>) } })
        const count = exchanges.length + 1
        outgoing.write('{"jsonrpc":"2.0",')
        const { closed } = await newest(exchanges, count)
        leave(outgoing, farewell)
        await closed
      }
      await settle(endpoint)
      expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
      expectNoFault()
    })

    test.each(fronts)('while what is in front waits: $name', async ({ before, parses }) => {
      const waiting = deferred()
      const goOn = deferred()
      const { hold, started, stopped } = holding()
      let slow = false
      const wait = adapter.inFront(async () => {
        if (!slow) return
        waiting.resolve()
        await goOn.promise
      })
      const { url, endpoint, exchanges, errors, expectNoFault } = await start({
        options: { response: 'json' },
        before: [...before, wait],
        tools: { hold },
      })
      const client = await McpClient.open(url)
      slow = true
      const outgoing = begin(url, { headers: client.headers })
      outgoing.end(JSON.stringify(client.callMessage('hold')))
      await waiting.promise
      leave(outgoing, farewell)
      await exchanges.at(-1)?.closed
      expect(errors.splice(0)).toMatchObject(farewell === 'reset' ? saidOfReset : [])
      goOn.resolve()
      slow = false
      // With a parsed body the call begins; nobody is there, so it is abandoned like any other.
      if (parses) {
        await started
        await stopped
      }
      await settle(endpoint)
      expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
      expectNoFault()
    })

    test('while its server object is being built', async () => {
      const { server, building, finish } = slowFactory()
      const { url, endpoint, exchanges, expectNoFault } = await start({
        options: { initializeTimeoutMs: 100, response: 'sse', server },
      })
      const outgoing = begin(url)
      outgoing.end(JSON.stringify(initializeMessage))
      await building
      leave(outgoing, farewell)
      await exchanges.at(-1)?.closed
      finish()
      // Nobody knows the session's id, so it ends unused.
      await settle(endpoint, 0)
      expectNoFault()
    })

    test.each([
      ['GET', undefined],
      ['POST', ping],
    ])('while its session is brought to life again, with %s', async (method, body) => {
      const backplane = createMemoryBackplane()
      const first = await start({ options: { backplane } })
      const client = await McpClient.open(first.url)
      const { server, building, finish } = slowFactory()
      const second = await start({ options: { backplane, response: 'sse', server } })
      const outgoing = begin(second.url, { method, headers: client.headers })
      outgoing.end(body && JSON.stringify(body))
      await building
      leave(outgoing, farewell)
      await second.exchanges.at(-1)?.closed
      finish()
      await settle(second.endpoint)
      second.expectNoFault()
    })

    test.each(['auto', 'sse', 'json'] as const)('while the handler runs, with response: %s', async (response) => {
      const { hold, started, stopped } = holding()
      const { url, endpoint, exchanges, expectNoFault } = await start({
        options: { response, upgradeAfterMs: 10_000 },
        tools: { hold },
      })
      const client = await McpClient.open(url)
      const outgoing = begin(url, { headers: client.headers })
      outgoing.end(JSON.stringify(client.callMessage('hold')))
      await started
      leave(outgoing, farewell)
      await exchanges.at(-1)?.closed
      await stopped
      await settle(endpoint)
      expectNoFault()
    })

    test('while the handler runs, which then sends an event and ends by itself', async () => {
      const started = deferred()
      const finish = deferred()
      const { url, endpoint, exchanges, expectNoFault } = await start({
        options: { abandonAfterMs: 60_000, upgradeAfterMs: 10_000 },
        tools: {
          hold: async (_args, extra) => {
            started.resolve()
            await finish.promise
            await report(extra, 'late')
            return 'late'
          },
        },
      })
      const client = await McpClient.open(url)
      const outgoing = begin(url, { headers: client.headers })
      outgoing.end(JSON.stringify(client.callMessage('hold')))
      await started.promise
      leave(outgoing, farewell)
      await exchanges.at(-1)?.closed
      finish.resolve()
      await settle(endpoint)
      expectNoFault()
    })

    test.each(['json', 'sse'] as const)(
      'with several requests in one pipeline, with response: %s',
      async (response) => {
        const { hold, started, stopped } = holding()
        const { url, port, endpoint, expectNoFault } = await start({ options: { response }, tools: { hold } })
        const client = await McpClient.open(url)
        const connection = await RawConnection.open(port)
        for (let i = 0; i < 3; i++) {
          connection.send({ method: 'POST', headers: client.headers, body: client.callMessage('hold') })
        }
        await started
        await vi.waitFor(() => expect(endpoint.stats().calls).toBe(3), { interval: 2 })
        if (farewell === 'reset') connection.socket.resetAndDestroy()
        else connection.socket.destroy()
        await stopped
        await settle(endpoint)
        expectNoFault()
      },
    )

    test('and 50 clients at once in all states', async () => {
      const { hold } = holding((extra) => report(extra, 'x'))
      const { url, endpoint, expectNoFault } = await start({ tools: { hold } })
      const client = await McpClient.open(url)
      await Promise.all(
        Array.from({ length: 50 }, async (_value, i) => {
          const outgoing = begin(url, { headers: client.headers })
          if (i % 2 === 0) outgoing.end(JSON.stringify(client.callMessage('hold')))
          else outgoing.write('{')
          if (i % 4 < 2) setImmediate(() => outgoing.destroy())
          else if (i % 2 === 0) outgoing.once('response', () => leave(outgoing, farewell))
          else {
            const connected = () => leave(outgoing, i % 8 === 3 ? farewell : 'reset')
            outgoing.once('socket', (socket) => socket.once('connect', connected))
          }
          await new Promise((resolve) => outgoing.once('close', resolve))
        }),
      )
      await settle(endpoint)
      expect((await send(url, { headers: client.headers, body: ping })).status).toBe(200)
      expectNoFault()
    })
  })
}
