import { once } from 'node:events'
import { Agent } from 'node:http'
import { mcp } from '@throughline/mcp-http-koa'
import type { Middleware } from 'koa'
import bodyParser from 'koa-bodyparser'
import compress from 'koa-compress'
import { describe, expect, test } from 'vitest'
import { McpClient, ping } from '../../../test-support/client/mcp-client.ts'
import { begin, type Farewell, leave, readReply } from '../../../test-support/client/reply.ts'
import { describeClientLeaves } from '../../../test-support/client-leaves.ts'
import { endpointWith, settle } from '../../../test-support/endpoints.ts'
import type { Exchange, StartOptions, Watched } from '../../../test-support/exchanges.ts'
import { listen } from '../../../test-support/listen.ts'
import { cancelled, report, type Tool } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { watchProcess } from '../../../test-support/watch-process.ts'
import { type Framework, frameworks } from './frameworks.ts'
import { collectErrors } from './test-app.ts'

interface Started extends Watched {
  /** What the app was told of. */
  readonly errors: unknown[]
}

interface MountOptions extends StartOptions {
  readonly before?: readonly Middleware[]
}

async function start(framework: Framework, { tools, options, before = [] }: MountOptions = {}): Promise<Started> {
  const { faults } = watchProcess()
  const exchanges: Exchange[] = []
  const app = new framework()
  const errors: unknown[] = collectErrors(app)
  const endpoint = endpointWith(tools, { abandonAfterMs: 100, onError: (error) => errors.push(error), ...options })
  app.use(({ req: request, res: response }, next) => {
    exchanges.push({ request, response, closed: once(response, 'close') })
    return next()
  })
  for (const middleware of before) app.use(middleware)
  app.use(mcp(endpoint))
  const { origin } = await listen(app.callback())
  const expectNoFault = (): void => expect({ errors, faults }).toEqual({ errors: [], faults: [] })
  return { url: `${origin}/mcp`, endpoint, exchanges, errors, expectNoFault }
}

for (const [name, framework] of frameworks) describeClientLeaves(name, (options) => start(framework, options))

const farewells: readonly Farewell[] = ['close', 'reset']
const ways = frameworks.flatMap(([name, framework]) => farewells.map((farewell) => ({ name, framework, farewell })))

describe.each(ways)('$name: the client leaves with a $farewell', ({ framework, farewell }) => {
  test.each([
    ['koa-bodyparser', true],
    ['no parser', false],
  ])('while a middleware in front waits, with %s', async (_parser, parser) => {
    const waiting = deferred()
    const goOn = deferred()
    const started = deferred()
    const stopped = deferred()
    let slow = false
    const wait: Middleware = async (_ctx, next) => {
      if (slow) {
        waiting.resolve()
        await goOn.promise
      }
      await next()
    }
    const { url, endpoint, exchanges, errors, expectNoFault } = await start(framework, {
      options: { response: 'json' },
      before: parser ? [bodyParser(), wait] : [wait],
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
    leave(outgoing, farewell)
    await exchanges.at(-1)?.closed
    // The endpoint was not asked yet: it is Koa that speaks of a reset.
    expect(errors.splice(0)).toMatchObject(farewell === 'reset' ? [{ code: 'ECONNRESET' }] : [])
    goOn.resolve()
    slow = false
    // With a parsed body the call begins; nobody is there, so it is abandoned like any other.
    if (parser) {
      await started.promise
      await stopped.promise
    }
    await settle(endpoint)
    expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
    expectNoFault()
  })

  test('from an app that listens to no errors: nothing is printed', async () => {
    const { faults } = watchProcess()
    const stopped = deferred()
    const hold: Tool = async (_args, extra) => {
      await report(extra, 'first')
      await cancelled(extra)
      stopped.resolve()
    }
    const endpoint = endpointWith({ hold }, { abandonAfterMs: 1 })
    const { origin } = await listen(new framework().use(mcp(endpoint)).callback())
    const client = await McpClient.open(origin)
    const reply = await client.call('hold')
    await reply.events.next()
    reply.leave(farewell)
    await stopped.promise
    await settle(endpoint)
    expect(faults).toEqual([])
  })

  test('before anything was sent: middleware in front goes on, and the app hears when it throws', async () => {
    const started = deferred()
    const wentOn = deferred()
    const front: Middleware = async (ctx, next) => {
      await next()
      if (!ctx.get('x-watched')) return
      wentOn.resolve()
      throw new Error('of the middleware')
    }
    const hold: Tool = async (_args, extra) => {
      started.resolve()
      await cancelled(extra)
    }
    const { url, endpoint, errors, expectNoFault } = await start(framework, { before: [front], tools: { hold } })
    const client = await McpClient.open(url)
    const outgoing = begin(url, { headers: { ...client.headers, 'x-watched': '1' } })
    outgoing.end(JSON.stringify(client.callMessage('hold')))
    await started.promise
    leave(outgoing, farewell)
    await wentOn.promise
    await settle(endpoint)
    expect(errors.splice(0)).toMatchObject([{ message: 'of the middleware' }])
    expectNoFault()
  })
})

describe.each(frameworks)('%s', (_name, framework) => {
  test('leaves no listener behind on a connection that is used again', async () => {
    const { url, exchanges, expectNoFault } = await start(framework, {
      before: [compress({ threshold: 0 })],
      tools: {
        chat: async (_args, extra) => {
          for (let i = 0; i < 50; i++) await report(extra, 'x'.repeat(2_000))
          return 'done'
        },
      },
    })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const client = await McpClient.open(url)
    const listenersAfter = async (body: unknown, headers: Record<string, string> = {}): Promise<unknown> => {
      const outgoing = begin(url, { headers: { ...client.headers, ...headers }, agent })
      outgoing.end(JSON.stringify(body))
      await (await readReply(outgoing)).text()
      const { request, response, closed } = exchanges.at(-1) as Exchange
      await closed
      const { socket } = request
      expect(response.listenerCount('drain')).toBeLessThanOrEqual(2)
      return socket.eventNames().map((name) => [name, socket.listenerCount(name)])
    }
    const first = await listenersAfter(ping)
    for (let i = 0; i < 12; i++) {
      expect(await listenersAfter(ping)).toEqual(first)
      expect(await listenersAfter(client.callMessage('chat'))).toEqual(first)
      expect(await listenersAfter({ jsonrpc: '2.0', method: 'notifications/initialized' })).toEqual(first)
      expect(await listenersAfter(ping, { 'mcp-session-id': 'x'.repeat(32) })).toEqual(first)
    }
    expect(new Set(exchanges.slice(2).map(({ request }) => request.socket)).size).toBe(1)
    agent.destroy()
    expectNoFault()
  })
})
