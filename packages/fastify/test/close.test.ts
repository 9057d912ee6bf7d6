import { mcp } from '@throughline/mcp-http-fastify'
import { describe, expect, test } from 'vitest'
import { McpClient, ping, toText } from '../../../test-support/client/mcp-client.ts'
import { send } from '../../../test-support/client/reply.ts'
import { endpointWith } from '../../../test-support/endpoints.ts'
import { cancelled, report, serverWith } from '../../../test-support/sdk-server.ts'
import { deferred, within } from '../../../test-support/waiting.ts'
import { adapters, createApp, listen } from './adapter.ts'

describe.each(adapters)('$name', ({ framework }) => {
  test('app.close() ends the standalone streams and lets running calls finish', async () => {
    const finish = deferred()
    const { app, errors } = createApp({}, framework)
    const server = serverWith({
      hold: async (_args, extra) => {
        await report(extra, 'running')
        await finish.promise
        return 'finished'
      },
    })
    app.register(mcp, { prefix: '/mcp', server })
    const client = await McpClient.open(`${await listen(app)}/mcp`)
    const left = await client.get()
    left.leave()
    const standalone = await client.get()
    const call = await client.call('hold')
    await call.events.next()
    const closing = within(2_000, app.close())
    finish.resolve()
    expect(toText(await call.answer())).toBe('finished')
    await standalone.events.ended
    await closing
    expect(errors).toEqual([])
  })

  test('app.close() ends calls that do not end, and readers that do not read, in the time Fastify gives a hook', async () => {
    const { app, errors } = createApp({ pluginTimeout: 1_000 }, framework)
    const server = serverWith({
      hold: async (_args, extra) => {
        await report(extra, 'running')
        await cancelled(extra)
      },
      big: () => 'x'.repeat(20_000_000),
    })
    app.register(mcp, { prefix: '/mcp', server })
    const client = await McpClient.open(`${await listen(app)}/mcp`)
    const unread = await client.call('big', {}, { accept: 'text/event-stream' })
    const call = await client.call('hold')
    const answer = call.answer()
    await app.close()
    expect(await answer).toMatchObject({ error: { message: expect.stringContaining('shutting down') } })
    unread.leave()
    expect(errors).toEqual([])
  })

  test('app.close() closes both of two endpoints, and one that never listened', async () => {
    const { app } = createApp({}, framework)
    app.register(mcp, { prefix: '/blue', server: serverWith() })
    app.register(mcp, { prefix: '/green', server: serverWith() })
    const origin = await listen(app)
    const streams = await Promise.all(
      ['/blue', '/green'].map(async (prefix) => (await McpClient.open(origin + prefix)).get()),
    )
    const ended = streams.map(({ events }) => events.ended)
    await app.close()
    await Promise.all(ended)

    const idle = createApp({}, framework).app
    idle.register(mcp, { prefix: '/mcp', server: serverWith() })
    await idle.ready()
    await idle.close()
  })

  test('an endpoint made before is left open, unless a hook of the app closes it', async () => {
    const endpoint = endpointWith()
    const first = createApp({}, framework).app
    first.register(mcp, { prefix: '/mcp', endpoint })
    const client = await McpClient.open(`${await listen(first)}/mcp`)
    await first.close()
    expect([endpoint.closing, endpoint.stats().sessions]).toEqual([false, 1])

    const second = createApp({}, framework).app
    second.register(mcp, { prefix: '/mcp', endpoint })
    second.addHook('preClose', () => endpoint.close({ drainMs: 1_000 }))
    const url = `${await listen(second)}/mcp`
    const stream = await send(url, { method: 'GET', headers: client.headers })
    expect((await send(url, { headers: client.headers, body: ping })).status).toBe(200)
    const { ended } = stream.events
    await second.close()
    await ended
    expect(endpoint.stats().sessions).toBe(0)
  })
})
