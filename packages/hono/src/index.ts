import {
  type AuthInfo,
  createEndpoint,
  type Endpoint,
  type EndpointOptions,
  type Mountable,
} from '@throughline/mcp-http-core'
import { type ConnectRequest, readReply, writeReply } from '@throughline/mcp-http-core/node'
import { toFetchHandler } from '@throughline/mcp-http-core/web'
import type { Context, Handler } from 'hono'

export { createEndpoint, type Endpoint, type EndpointOptions }

/** Tells @hono/node-server that the response is written by somebody else. */
const alreadySent = 'x-hono-already-sent'

/** What @hono/node-server binds. */
interface NodeBindings {
  readonly incoming?: ConnectRequest
  readonly outgoing?: Parameters<typeof writeReply>[1]
}

/**
 * Serves an MCP server in a Hono app, on Node and on every fetch runtime. Takes options, or an endpoint made before.
 *
 * @example
 * ```ts
 * import { serve } from '@hono/node-server'
 * import { Hono } from 'hono'
 * import { mcp } from '@throughline/mcp-http-hono'
 *
 * const app = new Hono()
 * app.all('/mcp', mcp({ server: () => buildServer() }))
 * serve({ fetch: app.fetch, port: 3000, hostname: '127.0.0.1' })
 * ```
 * @throws TypeError for a bad option, naming it.
 */
export function mcp(endpointOrOptions: Mountable | EndpointOptions): Handler {
  const endpoint = 'handle' in endpointOrOptions ? endpointOrOptions : createEndpoint(endpointOrOptions)
  const handleFetch = toFetchHandler(endpoint)
  return async (c) => {
    const { incoming, outgoing } = (c.env ?? {}) as NodeBindings
    const auth = c.get('auth') as AuthInfo | undefined
    // Hono keeps what a middleware in front has read of the body.
    const wasRead = incoming ? incoming.readableDidRead : c.req.raw.bodyUsed
    const parsedBody = wasRead ? await c.req.text() : undefined
    if (!incoming || !outgoing) return handleFetch(c.req.raw, { auth, parsedBody })
    const reply = await readReply(endpoint, incoming, outgoing, { auth, parsedBody })
    const { status, headers, body } = reply
    if (typeof body !== 'object') return new Response(body ?? null, { status, headers: { ...headers } })
    // Written on Node's own response, once the middleware in front has set its headers.
    setImmediate(() => {
      copyHeaders(c, outgoing)
      writeReply(reply, outgoing, endpoint)
    })
    return new Response(null, { headers: { ...headers, [alreadySent]: 'true' } })
  }
}

function copyHeaders({ res }: Context, outgoing: NonNullable<NodeBindings['outgoing']>): void {
  for (const [name, value] of res.headers) if (name !== alreadySent) outgoing.appendHeader(name, value)
}
