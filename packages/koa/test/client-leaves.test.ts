import { mcp } from '@throughline/mcp-http-koa'
import type { Middleware } from 'koa'
import bodyParser from 'koa-bodyparser'
import { describe, expect, test } from 'vitest'
import { describeClientLeaves } from '../../../test-support/adapters/describe-client-leaves.ts'
import { describeReaderLeaves } from '../../../test-support/adapters/describe-reader-leaves.ts'
import { start } from '../../../test-support/adapters/start.ts'
import { McpClient } from '../../../test-support/client/mcp-client.ts'
import { begin, type Farewell, leave } from '../../../test-support/client/reply.ts'
import { endpointWith, settle } from '../../../test-support/endpoints.ts'
import { listen } from '../../../test-support/listen.ts'
import { cancelled, report, type Tool } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { watchProcess } from '../../../test-support/watch-process.ts'
import { adapters } from './adapter.ts'

const fronts = [
  { name: 'no parser', before: [], parses: false },
  { name: 'koa-bodyparser', before: [bodyParser()], parses: true },
]

for (const adapter of adapters) {
  describeClientLeaves(adapter, { fronts, saidOfReset: [{ code: 'ECONNRESET' }] })
  describeReaderLeaves(adapter)
}

const farewells: readonly Farewell[] = ['close', 'reset']
const ways = adapters.flatMap((adapter) => farewells.map((farewell) => ({ name: adapter.name, adapter, farewell })))

describe.each(ways)('$name: the client leaves with a $farewell', ({ adapter, farewell }) => {
  test('from an app that listens to no errors: nothing is printed', async () => {
    const { faults } = watchProcess()
    const stopped = deferred()
    const hold: Tool = async (_args, extra) => {
      await report(extra, 'first')
      await cancelled(extra)
      stopped.resolve()
    }
    const endpoint = endpointWith({ hold }, { abandonAfterMs: 1 })
    const { origin } = await listen(new adapter.framework().use(mcp(endpoint)).callback())
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
    const { url, endpoint, errors, expectNoFault } = await start(adapter, { before: [front], tools: { hold } })
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
