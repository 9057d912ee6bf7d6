import {
  createEndpoint,
  type Endpoint,
  type EndpointOptions,
  type Mountable,
  toMountable,
} from '@throughline/mcp-http-core'
import { readReply, writeReply } from '@throughline/mcp-http-core/node'
import type { Middleware } from 'koa'
import { emitError, ignoreBrokenConnection } from './errors.ts'

export { createEndpoint, type Endpoint, type EndpointOptions }

/**
 * Serves an MCP server in a Koa app (2 or 3). Takes options, or an endpoint made before.
 *
 * @example
 * ```ts
 * import Router from '@koa/router'
 * import { mcp } from '@throughline/mcp-http-koa'
 * import Koa from 'koa'
 *
 * const router = new Router().all('/mcp', mcp({ server: () => buildServer() }))
 * new Koa().use(router.routes()).listen(3000, '127.0.0.1')
 * ```
 * @throws TypeError for a bad option, naming it.
 */
export function mcp(endpointOrOptions: Mountable | EndpointOptions): Middleware {
  const endpoint = toMountable(endpointOrOptions)
  return async (ctx) => {
    ignoreBrokenConnection(ctx)
    const { body: parsedBody } = ctx.request as { body?: unknown }
    const onError = (error: unknown, status: number): boolean => {
      if (status >= 500) emitError(ctx, error)
      return status >= 500
    }
    const reply = await readReply(endpoint, ctx.req, ctx.res, { parsedBody, auth: ctx.state.auth, onError })
    // An event stream writes itself: Koa and later middleware must not. So does every answer where Koa was told before.
    if (typeof reply.body === 'object' || ctx.respond === false) {
      ctx.respond = false
      return writeReply(reply, ctx.res)
    }
    // Of a type that is JSON, Koa would make an empty body 'null'.
    ctx.remove('Content-Type')
    ctx.body = reply.body ?? null
    ctx.status = reply.status
    ctx.set({ ...reply.headers })
    if (reply.body === undefined) ctx.length = 0
  }
}
