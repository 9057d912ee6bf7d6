import {
  createEndpoint,
  type Endpoint,
  type EndpointOptions,
  type Mountable,
  toMountable,
} from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import type { RequestHandler } from 'express'

export { createEndpoint, type Endpoint, type EndpointOptions }

/**
 * Serves an MCP server in an Express app (4 or 5). Takes options, or an endpoint made before.
 *
 * @example
 * ```ts
 * import express from 'express'
 * import { mcp } from '@throughline/mcp-http-express'
 *
 * const app = express()
 * app.all('/mcp', mcp({ server: () => buildServer() }))
 * app.listen(3000, '127.0.0.1')
 * ```
 * @throws TypeError for a bad option, naming it.
 */
export function mcp(endpointOrOptions: Mountable | EndpointOptions): RequestHandler {
  const endpoint = toMountable(endpointOrOptions)
  const handle = toNodeHandler(endpoint)
  return (request, response, next) => {
    handle(request, response).catch(next)
  }
}
