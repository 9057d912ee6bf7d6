import type { IncomingHttpHeaders, Server } from 'node:http'
import { Inbox } from '../interop/inbox.ts'

/** What a browser asked of the endpoint, and how it was answered. */
export interface Exchange {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  readonly status: number
}

/** Takes note of every exchange of a browser at `/mcp` once it is over, whatever serves it. */
export function record(server: Server): Inbox<Exchange> {
  const exchanges = new Inbox<Exchange>()
  server.on('request', ({ method = '', url, headers }, response) => {
    if (url !== '/mcp' || !headers['user-agent']?.includes('Chrome')) return
    response.once('close', () => exchanges.add({ method, headers, status: response.statusCode }))
  })
  return exchanges
}

/** Headers that were asked for, preflight by preflight. */
export function preflights({ items }: Inbox<Exchange>): { readonly headers: readonly string[] }[] {
  return items
    .filter(({ method }) => method === 'OPTIONS')
    .map(({ headers }) => ({ headers: headers['access-control-request-headers']?.split(',') ?? [] }))
}
