import { mcp } from '@throughline/mcp-http-hono'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { expect, test } from 'vitest'
import { describeMounting, expectHiddenFailure } from '../../../test-support/adapters/describe-mounting.ts'
import { describeMounts } from '../../../test-support/adapters/describe-mounts.ts'
import { start } from '../../../test-support/adapters/start.ts'
import { initializeMessage, McpClient } from '../../../test-support/client/mcp-client.ts'
import { send } from '../../../test-support/client/reply.ts'
import { endpointWith } from '../../../test-support/endpoints.ts'
import { adapter, listen, mounts, reading } from './adapter.ts'

describeMounting(adapter)
describeMounts(adapter, mounts)

test('answers 500 when a middleware has read the body past Hono, and lives on', async () => {
  const swallow = reading(async (c) => {
    if (c.req.header('x-swallow')) await c.req.raw.text()
  })
  const { url, errors } = await start(adapter, { before: [swallow] })
  const reply = await send(url, { headers: { 'x-swallow': 'yes' }, body: initializeMessage })
  expect(reply.status).toBe(500)
  expect(await reply.json()).toMatchObject({
    error: { code: -32603, message: expect.stringContaining('body was read before it reached the MCP endpoint') },
  })
  expect(errors).toEqual([])
  await McpClient.open(url)
})

test('leaves a body that is too large for bodyLimit() to bodyLimit()', async () => {
  const limit = bodyLimit({ maxSize: 500, onError: (c) => c.text('too much', 413) })
  const { url } = await start(adapter, { before: [limit] })
  const client = await McpClient.open(url)
  for (const headers of [{}, { 'transfer-encoding': 'chunked' }] as Record<string, string>[]) {
    const reply = await client.call('echo', { text: 'x'.repeat(1_000) }, headers)
    expect([reply.status, await reply.text()]).toEqual([413, 'too much'])
  }
  expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
})

test('middleware finds an error of the factory in c.error; the error handler of the app is not asked', async () => {
  const reported: unknown[] = []
  const seen: unknown[] = []
  const app = new Hono()
  app.use(async (c, next) => {
    await next()
    seen.push(c.error)
  })
  const fail = (): never => {
    throw new Error('secret of the factory')
  }
  app.all('/mcp', mcp({ server: fail, onError: (error) => reported.push(error) }))
  app.onError((error, c) => {
    seen.push('onError', error)
    return c.text('error handler of the app', 500)
  })
  const { origin } = await listen(app)
  await expectHiddenFailure(`${origin}/mcp`)
  expect(reported).toMatchObject([{ message: 'secret of the factory' }])
  expect(seen).toEqual(reported)
})

test('takes an app with its own environment', async () => {
  const app = new Hono<{ Variables: { user: string } }>()
  app.all('/mcp', mcp(endpointWith()))
  const { origin } = await listen(app as unknown as Hono)
  await McpClient.open(`${origin}/mcp`)
})
