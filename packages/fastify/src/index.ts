import type { Readable } from 'node:stream'
import {
  type AuthInfo,
  checkMountable,
  createEndpoint,
  type Endpoint,
  type EndpointOptions,
  type Mountable,
} from '@throughline/mcp-http-core'
import { readReply, toReadable } from '@throughline/mcp-http-core/node'
import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  FastifyServerOptions,
  RegisterOptions,
} from 'fastify'

export { createEndpoint, type Endpoint, type EndpointOptions }

declare module 'fastify' {
  interface FastifyRequest {
    /** What a hook of the app verified. Tools get it as `extra.authInfo`, and the session belongs to that principal. */
    auth?: AuthInfo | undefined
  }
}

/**
 * What Fastify's `register` takes, where to serve, and what: an endpoint made before, or the options of one that closes
 * with the app.
 */
export type McpPluginOptions = RegisterOptions & {
  /**
   * Path below `prefix`.
   * @default '/'
   */
  path?: string
} & ({ endpoint: Mountable } | (EndpointOptions & { endpoint?: never }))

/**
 * For routes whose answer may be an event stream: those outlive any handler, and the endpoint has limits of its own.
 */
const longestTimeout = 2_147_483_647

/**
 * Serves an MCP server in a Fastify app, as an encapsulated plugin: with the prefix alone the endpoint is at the
 * prefix.
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
 * @throws TypeError for a bad option, naming it, when the app starts.
 */
export const mcp: FastifyPluginAsync<McpPluginOptions> = (scope, given) => {
  // Thrown at the line of the app that calls it, as the adapters of other frameworks are called.
  if (given === undefined || !('register' in scope))
    throw new TypeError('Expected app.register(mcp, { server, prefix }), got a call of mcp itself')
  return serveIn(scope, given)
}

const serveIn: FastifyPluginAsync<McpPluginOptions> = async (scope, given) => {
  const { path = '/', prefix: _prefix, logLevel: _level, logSerializers: _serializers, endpoint, ...options } = given
  // Options that would say nothing, an `auth` least of all, must not be passed over.
  const [surplus] = endpoint ? Object.keys(options) : []
  if (surplus) throw new TypeError(`Expected either an endpoint or its options, got both: endpoint and ${surplus}`)
  if ('handle' in options) throw new TypeError('Expected { endpoint } as the options of register, got the endpoint')
  if (endpoint) checkMountable(endpoint)
  const log = new ErrorLog(scope)
  const own = endpoint
    ? undefined
    : createEndpoint({ ...(log.isOn && { onError: (error) => log.add(error) }), ...(options as EndpointOptions) })
  const mounted = own ?? (endpoint as Mountable)
  const { pluginTimeout, handlerTimeout } = scope.initialConfig as FastifyServerOptions
  // Fastify waits for open responses, so event streams must end first; and it gives a hook `pluginTimeout`, then fails.
  const drainMs = Math.floor(Math.min(10_000, 0.8 * (pluginTimeout || Number.POSITIVE_INFINITY)))
  if (own) scope.addHook('preClose', () => own.close({ drainMs }))
  // The endpoint reads the body itself, so that limits and errors are the same everywhere: from what hooks made of it.
  const bodies = new WeakMap<FastifyRequest, Readable>()
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (request, payload, done) => {
    if (payload !== request.raw) bodies.set(request, payload)
    done(null)
  })
  // A stream that nobody waits for any more would be an error to Fastify.
  scope.addHook('onSend', ({ raw }, reply, payload, done) => {
    done(null, reply.raw.destroyed || raw.socket.destroyed ? null : payload)
  })
  // `fastify-raw-body` reads along on every route, and would have the body before us wherever a hook or `auth` takes a moment.
  const config: object = { rawBody: false }
  scope.all(path, handlerTimeout ? { config, handlerTimeout: longestTimeout } : { config }, serve)

  async function serve(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const { status, headers, body } = await readReply(mounted, request.raw, reply.raw, {
      auth: request.auth,
      body: bodies.get(request),
      onError: (error, status) => log.isOn && log.forRequest(request, error, status),
    })
    reply.code(status).headers({ ...headers })
    return typeof body === 'object' ? toReadable(body, reply.raw) : body
  }
}

/**
 * What belongs to a request is logged with the request, and only there: the endpoint tells of it afterwards once more.
 */
class ErrorLog {
  readonly #scope: FastifyInstance
  readonly #logged = new WeakSet<object>()

  constructor(scope: FastifyInstance) {
    this.#scope = scope
  }

  /** In an app without a logger all methods of `log` are one that does nothing. */
  get isOn(): boolean {
    return this.#scope.log.info !== this.#scope.log.error
  }

  forRequest(request: FastifyRequest, error: unknown, status: number): true {
    if (typeof error === 'object' && error !== null) this.#logged.add(error)
    if (status < 500) request.log.warn(error)
    else request.log.error(error)
    return true
  }

  add(error: unknown): void {
    if (!this.#logged.has(error as object)) this.#scope.log.error(error)
  }
}
