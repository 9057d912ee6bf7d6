import { mcp } from '@throughline/mcp-http-fastify'
import type Fastify from 'fastify'
import fastify4 from 'fastify4'
import { expect, test } from 'vitest'
import { McpClient } from '../../../test-support/client/mcp-client.ts'
import { send } from '../../../test-support/client/reply.ts'
import { report, serverWith } from '../../../test-support/sdk-server.ts'
import { createApp, type Logged, listen } from './test-app.ts'

// The plugin uses nothing that differs; only the types know two frameworks.
const framework = fastify4 as unknown as typeof Fastify

async function start(): Promise<Logged & { readonly url: string }> {
  const logged = createApp({}, framework)
  logged.app.addHook('onRequest', async (_request, reply) => void reply.header('x-hook', 'set'))
  const server = serverWith({ say: (_args, extra) => report(extra, 'hello') })
  logged.app.register(mcp, { prefix: '/mcp', server })
  return { ...logged, url: `${await listen(logged.app)}/mcp` }
}

test('serves a session, and closes with the app', async () => {
  const { app, url, faults } = await start()
  expect(app.version).toMatch(/^4\./)
  const client = await McpClient.open(url)
  expect(await client.textOf('echo', { text: 'Grüße' })).toBe('Grüße')
  const reply = await client.call('say')
  expect(reply.headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-hook': 'set' })
  expect((await reply.events.next()).message).toMatchObject({ params: { data: 'hello' } })
  const left = await client.get()
  left.leave()
  const standalone = await client.get()
  const { ended } = standalone.events
  await app.close()
  await ended
  expect(faults()).toEqual([])
})

test('answers what it refuses itself', async () => {
  const { url, faults } = await start()
  for (const method of ['PUT', 'PATCH', 'HEAD', 'OPTIONS', 'PROPFIND']) {
    const reply = await send(url, { method })
    expect([method, reply.status, reply.headers.allow]).toEqual([method, 405, 'GET, POST, DELETE'])
  }
  const malformed = await send(url, { body: '{' })
  expect([malformed.status, await malformed.json()]).toMatchObject([400, { error: { code: -32700 } }])
  const large = await send(url, { body: ' '.repeat(4_194_305) })
  expect([large.status, await large.json()]).toMatchObject([413, { error: { code: -32000 } }])
  expect(faults()).toEqual([])
})

test('does not start with a bad option', async () => {
  const app = framework()
  app.register(mcp, { prefix: '/mcp', server: 'none' } as never)
  await expect(app.ready()).rejects.toThrow('Expected server to be a function')
})
