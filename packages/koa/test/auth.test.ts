import Router from '@koa/router'
import { mcp } from '@throughline/mcp-http-koa'
import type { Middleware } from 'koa'
import { expect } from 'vitest'
import { describeAuth, type Protection } from '../../../test-support/adapters/describe-auth.ts'
import { describeBearerAuth } from '../../../test-support/adapters/describe-bearer-auth.ts'
import { verifyHeader } from '../../../test-support/adapters/tokens.ts'
import { adapters, serve } from './adapter.ts'

/** What a team has: its own middleware, which leaves on `ctx.state.auth` what it verified. */
const requireToken: Middleware = async (ctx, next) => {
  const auth = verifyHeader(ctx.get('authorization'))
  if (!auth) ctx.throw(401, 'log in first')
  ctx.state.auth = auth
  await next()
}

const ownMiddleware: Protection<Middleware> = {
  name: 'ctx.state.auth',
  before: [requireToken],
  expectRefused: async (reply) => {
    expect([reply.status, await reply.text()]).toEqual([401, 'log in first'])
  },
}

for (const adapter of adapters) {
  const withRouter: typeof adapter = {
    ...adapter,
    name: `${adapter.name} and a router`,
    serve: ({ routes }) => {
      const router = new Router()
      for (const { path, before = [], mounted } of routes) router.all(path, ...before, mcp(mounted))
      const app = new adapter.framework()
      app.use(router.routes()).use(router.allowedMethods())
      return serve(app)
    },
  }
  describeAuth(withRouter, [ownMiddleware])
  describeBearerAuth(withRouter)
  describeBearerAuth(adapter)
}
