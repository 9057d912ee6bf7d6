import { once } from 'node:events'
import { createEndpoint, mcp } from '@throughline/mcp-http-express'
import type { ErrorRequestHandler, RequestHandler } from 'express'
import { describe, expect, onTestFinished, test } from 'vitest'
import { McpClient } from '../../../test-support/client/mcp-client.ts'
import { begin } from '../../../test-support/client/reply.ts'
import { describeClientLeaves } from '../../../test-support/client-leaves.ts'
import { settle } from '../../../test-support/endpoints.ts'
import type { Exchange, StartOptions, Watched } from '../../../test-support/exchanges.ts'
import { listen } from '../../../test-support/listen.ts'
import { cancelled, serverWith } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { watchProcess } from '../../../test-support/watch-process.ts'
import { type Framework, frameworks } from './frameworks.ts'

interface MountOptions extends StartOptions {
  readonly before?: readonly RequestHandler[]
}

async function start(framework: Framework, { tools, options, before = [] }: MountOptions = {}): Promise<Watched> {
  const { faults } = watchProcess()
  const errors: unknown[] = []
  const exchanges: Exchange[] = []
  const app = framework()
  const endpoint = createEndpoint({
    server: serverWith(tools),
    abandonAfterMs: 100,
    onError: (error) => errors.push(error),
    ...options,
  })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  app.use((request, response, next) => {
    exchanges.push({ request, response, closed: once(response, 'close') })
    next()
  })
  app.all('/mcp', ...before, mcp(endpoint))
  const onError: ErrorRequestHandler = (error, _request, response, _next) => {
    errors.push(error)
    response.destroy()
  }
  app.use(onError)
  const { origin } = await listen(app)
  const expectNoFault = (): void => expect({ errors, faults }).toEqual({ errors: [], faults: [] })
  return { url: `${origin}/mcp`, endpoint, exchanges, expectNoFault }
}

for (const [name, framework] of frameworks) describeClientLeaves(name, (options) => start(framework, options))

describe.each(frameworks)('%s: the client leaves', (_name, framework) => {
  test.each([
    ['without', false],
    ['with', true],
  ])('while a middleware in front waits, %s express.json()', async (_with, parser) => {
    const waiting = deferred()
    const goOn = deferred()
    const started = deferred()
    const stopped = deferred()
    let slow = false
    const wait: RequestHandler = (_request, _response, next) => {
      if (!slow) return next()
      waiting.resolve()
      void goOn.promise.then(() => next())
    }
    const { url, endpoint, exchanges, expectNoFault } = await start(framework, {
      options: { response: 'json' },
      before: parser ? [framework.json(), wait] : [wait],
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
    if (parser) {
      await started.promise
      await stopped.promise
    }
    await settle(endpoint)
    expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
    expectNoFault()
  })
})
