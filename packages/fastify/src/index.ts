import type { AuthInfo } from '@throughline/mcp-http-core'
import { createEndpoint, type Endpoint, type EndpointOptions, type Mountable } from '@throughline/mcp-http-core'
import { readReply } from '@throughline/mcp-http-core/node'
import type { FastifyPluginAsync } from 'fastify'
import { toReadable } from './to-readable.ts'

export { createEndpoint, type Endpoint, type EndpointOptions }

/** Where the plugin serves, and what: an endpoint made before, or the options of one that closes with the app. */
export type McpPluginOptions = { path?: string; prefix?: string } & ({ endpoint: Mountable } | EndpointOptions)

/**
 * Serves an MCP server in a Fastify app, as an encapsulated plugin.
 *
 * @example
 * ```ts
 * import Fastify from 'fastify'
 * import { mcp } from '@throughline/mcp-http-fastify'
 *
 * const app = Fastify()
 * app.register(mcp, { prefix: '/mcp', server: () => buildServer() })
 * await app.listen({ port: 3000 })
 * ```
 * @throws TypeError for a bad option, naming it.
 */
export const mcp: FastifyPluginAsync<McpPluginOptions> = async (scope, { path = '/', prefix: _, ...rest }) => {
  const own = 'endpoint' in rest ? undefined : createEndpoint(rest)
  const endpoint = own ?? (rest as { endpoint: Mountable }).endpoint
  // Draining ends the event streams, for which Fastify would wait.
  scope.addHook('preClose', () => own?.close() ?? Promise.resolve())
  // The endpoint reads the body itself, so that limits and errors are the same everywhere.
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
  scope.all(path, async (request, reply) => {
    const { auth } = request as { auth?: AuthInfo }
    const onError = (error: unknown): void => request.log.error(error)
    const { status, headers, body } = await readReply(endpoint, request.raw, reply.raw, { auth, onError })
    return reply
      .code(status)
      .headers({ ...headers })
      .send(typeof body === 'object' ? toReadable(body) : body)
  })
}
