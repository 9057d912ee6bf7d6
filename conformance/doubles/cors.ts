import type { IncomingMessage, ServerResponse } from 'node:http'
import { isAllowedOrigin } from './guard.ts'
import type { Settings } from './wire.ts'

const requestHeaders = [
  'Content-Type',
  'Accept',
  'Authorization',
  'Mcp-Session-Id',
  'MCP-Protocol-Version',
  'Last-Event-ID',
]

/** Lets pages of the server's own origins read answers. `true` when a preflight was answered with that (Fetch, CORS). */
export function allowOwnPages(request: IncomingMessage, response: ServerResponse, settings: Settings): boolean {
  const { defects } = settings
  const lines = request.headersDistinct.origin ?? []
  if (lines.length === 0 || !isAllowedOrigin(lines, request, settings)) return false
  response.setHeader('access-control-allow-origin', lines.join())
  response.setHeader(
    'access-control-expose-headers',
    defects.has('session-id-not-exposed') ? 'WWW-Authenticate' : 'Mcp-Session-Id, WWW-Authenticate',
  )
  if (!defects.has('allowed-origin-without-vary')) response.setHeader('vary', 'Origin')
  if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return false
  const allowed = defects.has('preflight-allows-content-type-only') ? ['Content-Type'] : requestHeaders
  response.writeHead(204, {
    'access-control-allow-methods': 'GET, POST, DELETE',
    'access-control-allow-headers': allowed.join(', '),
  })
  response.end()
  return true
}
