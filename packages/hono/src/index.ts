import {
  type AuthInfo,
  createEndpoint,
  type Endpoint,
  type EndpointOptions,
  type Mountable,
  toMountable,
} from '@throughline/mcp-http-core'
import { readReply } from '@throughline/mcp-http-core/node'
import { type FetchContext, toFetchHandler } from '@throughline/mcp-http-core/web'
import type { Handler } from 'hono'
import { isNodeRequest, type RuntimeBindings, readCachedBody, readLocalAddress } from './bindings.ts'
import { toResponse } from './to-response.ts'

export { createEndpoint, type Endpoint, type EndpointOptions }

/**
 * Serves an MCP server in a Hono app, on Node and on every fetch runtime. Takes options, or an endpoint made before.
 *
 * @example
 * ```ts
 * import { serve } from '@hono/node-server'
 * import { Hono } from 'hono'
 * import { mcp } from '@throughline/mcp-http-hono'
 *
 * const app = new Hono({ strict: false }) // `/mcp/` is `/mcp`
 * app.all('/mcp', mcp({ server: () => buildServer() }))
 * serve({ fetch: app.fetch, port: 3000, hostname: '127.0.0.1' })
 * ```
 * @throws TypeError for a bad option, naming it.
 */
export function mcp(endpointOrOptions: Mountable | EndpointOptions): Handler {
  const endpoint = toMountable(endpointOrOptions)
  const handleFetch = toFetchHandler(endpoint, { context: (_request, known: FetchContext) => known })
  return async (c) => {
    const bindings = (c.env ?? {}) as RuntimeBindings
    const auth = c.get('auth') as AuthInfo | undefined
    const parsedBody = await readCachedBody(c.req)
    const { incoming, outgoing } = bindings
    // Middleware may look at it; Hono itself logs nothing.
    const onError = (error: unknown, status: number): false => {
      if (status >= 500 && error instanceof Error) c.error = error
      return false
    }
    if (!incoming || !outgoing || !isNodeRequest(c.req.raw, incoming)) {
      const localAddress = readLocalAddress(bindings, c.req.raw)
      return handleFetch(c.req.raw, { auth, parsedBody, localAddress, onError })
    }
    const reply = await readReply(endpoint, incoming, outgoing, { auth, parsedBody, onError })
    return toResponse(reply, outgoing)
  }
}
