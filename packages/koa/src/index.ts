import { createEndpoint, type Endpoint, type EndpointOptions, type Mountable } from '@throughline/mcp-http-core'
import { readReply, writeReply } from '@throughline/mcp-http-core/node'
import type { Middleware } from 'koa'

export { createEndpoint, type Endpoint, type EndpointOptions }

/**
 * Serves an MCP server in a Koa app (2 or 3). Takes options, or an endpoint made before.
 *
 * @example
 * ```ts
 * import Koa from 'koa'
 * import Router from '@koa/router'
 * import { mcp } from '@throughline/mcp-http-koa'
 *
 * const router = new Router().all('/mcp', mcp({ server: () => buildServer() }))
 * new Koa().use(router.routes()).listen(3000, '127.0.0.1')
 * ```
 * @throws TypeError for a bad option, naming it.
 */
export function mcp(endpointOrOptions: Mountable | EndpointOptions): Middleware {
  const endpoint = 'handle' in endpointOrOptions ? endpointOrOptions : createEndpoint(endpointOrOptions)
  return async (ctx) => {
    const { body: parsedBody } = ctx.request as { body?: unknown }
    const onError = (error: unknown): unknown => ctx.app.emit('error', error, ctx)
    const reply = await readReply(endpoint, ctx.req, ctx.res, { parsedBody, auth: ctx.state.auth, onError })
    if (typeof reply.body === 'object') {
      // The stream writes itself: Koa and later middleware must not.
      ctx.respond = false
      return writeReply(reply, ctx.res, endpoint)
    }
    ctx.status = reply.status
    ctx.set({ ...reply.headers })
    ctx.body = reply.body ?? null
    ctx.status = reply.status
  }
}
