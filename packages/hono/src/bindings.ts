import type { readReply } from '@throughline/mcp-http-core/node'
import type { HonoRequest } from 'hono'

type Incoming = Parameters<typeof readReply>[1]
export type Outgoing = Parameters<typeof readReply>[2]

/** What the runtimes put into `c.env`, as far as the bridges need it. */
export interface RuntimeBindings {
  /** `@hono/node-server` */
  readonly incoming?: Incoming
  readonly outgoing?: Outgoing
  /** Deno */
  readonly remoteAddr?: { readonly hostname?: string }
  /** Bun */
  requestIP?(request: Request): { readonly address: string } | null
}

/** What a middleware in front has read of the body: Hono keeps it. */
export async function readCachedBody(request: HonoRequest): Promise<string | undefined> {
  if (Object.keys(request.bodyCache).length === 0) return undefined
  // Older Hono keeps the failure of `c.req.json()` instead of the text. An empty text is no JSON either.
  return request.text().catch(() => '')
}

/**
 * Whether Node's request is still what `c.req` stands for. A middleware may have put another `Request` in its place
 * (`bodyLimit()`, decompression), or have had its body made into a web stream, which then owns Node's. The lightweight
 * request of `@hono/node-server` holds Node's own, and the fetch `Request` once it was made of it.
 */
export function isNodeRequest(request: Request, incoming: Incoming): boolean {
  const held = Object.getOwnPropertySymbols(request).map((key) => (request as unknown as Record<symbol, unknown>)[key])
  return held.includes(incoming) && !held.some((value) => value instanceof Request)
}

/** Who comes from a loopback address came to one: Deno and Bun tell only where a connection is from. */
export function readLocalAddress(bindings: RuntimeBindings, request: Request): string | undefined {
  const { incoming, remoteAddr } = bindings
  return incoming?.socket.localAddress ?? remoteAddr?.hostname ?? bindings.requestIP?.(request)?.address
}
