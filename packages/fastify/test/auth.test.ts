import { mcp } from '@throughline/mcp-http-fastify'
import { describe, expect, test } from 'vitest'
import { describeAuth, type Protection } from '../../../test-support/adapters/describe-auth.ts'
import { describeBearerAuth } from '../../../test-support/adapters/describe-bearer-auth.ts'
import { verify, verifyHeader, whoami } from '../../../test-support/adapters/tokens.ts'
import { McpClient } from '../../../test-support/client/mcp-client.ts'
import { serverWith } from '../../../test-support/sdk-server.ts'
import { adapters, createApp, type Hook, listen } from './adapter.ts'

/** A hook sets `request.auth` in the scope of the endpoint. */
const requireToken: Hook = (app) =>
  app.addHook('onRequest', async (request, reply) => {
    request.auth = verifyHeader(request.headers.authorization)
    if (!request.auth) return reply.code(401).header('www-authenticate', 'Bearer').send({ error: 'who are you?' })
  })

const ownHook: Protection<Hook> = {
  name: 'request.auth of a hook',
  before: [requireToken],
  expectRefused: async (reply) => {
    expect([reply.status, reply.headers['www-authenticate']]).toEqual([401, 'Bearer'])
    expect(await reply.json()).toEqual({ error: 'who are you?' })
  },
}

for (const adapter of adapters) {
  describeAuth(adapter, [ownHook])
  describeBearerAuth(adapter)
}

describe.each(adapters)('$name', ({ framework }) => {
  test('takes what connect-style middleware leaves on the raw request', async () => {
    const { app } = createApp({}, framework)
    app.addHook('onRequest', async ({ raw }) => void Object.assign(raw, { auth: verify('alice.1') }))
    app.register(mcp, { prefix: '/mcp', server: serverWith({ whoami }) })
    const client = await McpClient.open(`${await listen(app)}/mcp`)
    expect(JSON.parse(await client.textOf('whoami'))).toMatchObject({ extra: { sub: 'alice' } })
  })
})
