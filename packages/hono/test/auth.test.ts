import { createBearerAuth } from '@throughline/mcp-http-core'
import { mcp } from '@throughline/mcp-http-hono'
import { Hono, type MiddlewareHandler } from 'hono'
import { bearerAuth } from 'hono/bearer-auth'
import { expect, test } from 'vitest'
import { describeAuth, type Protection } from '../../../test-support/adapters/describe-auth.ts'
import { describeBearerAuth } from '../../../test-support/adapters/describe-bearer-auth.ts'
import { verify } from '../../../test-support/adapters/tokens.ts'
import { send } from '../../../test-support/client/reply.ts'
import { adapter, listen, readsJson } from './adapter.ts'

/** The team's own middleware: Hono's, with the user left where the adapter looks. */
const requireToken: MiddlewareHandler = bearerAuth({
  verifyToken: (token, c) => {
    const auth = verify(token)
    c.set('auth', auth)
    return auth !== undefined
  },
})

const ownMiddleware: Protection<MiddlewareHandler> = {
  name: "c.set('auth', …) of a middleware",
  before: [requireToken],
  expectRefused: async (reply) => {
    expect([reply.status, reply.headers['www-authenticate']]).toEqual([401, expect.stringMatching(/^Bearer/)])
    await reply.text()
  },
}

const behindReader = { ...ownMiddleware, name: "c.set('auth', …) behind one that has read the body" }

describeAuth(adapter, [ownMiddleware, { ...behindReader, before: [readsJson, requireToken] }])
describeBearerAuth(adapter)

test('leaves other methods of the metadata to the app where it is mounted for GET alone, and serves fetch', async () => {
  const resource = 'https://mcp.example.com/mcp'
  const auth = createBearerAuth({ resource, authorizationServers: ['https://id.example.com'], verify })
  const app = new Hono().get(auth.metadataPath, mcp(auth.metadata))
  const url = (await listen(app)).origin + auth.metadataPath
  expect((await send(url, { body: {} })).status).toBe(404)
  const head = await send(url, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
  expect(await (await app.request(auth.metadataPath)).json()).toMatchObject({ resource })
})
