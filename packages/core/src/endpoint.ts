import { Attendance } from './attendance/attendance.ts'
import { createEndpointSessions, type EndpointSessions } from './cluster/endpoint-sessions.ts'
import { NodeMessages, toNotify } from './cluster/node-messages.ts'
import { publishRefusal } from './diagnostics/publish-refusal.ts'
import { traceRequest } from './diagnostics/trace-request.ts'
import { createEra } from './eras/create-era.ts'
import type { Era } from './eras/era.ts'
import { authenticate } from './http/authenticate.ts'
import { Bodies } from './http/bodies.ts'
import { guard } from './http/guard.ts'
import type { Mountable } from './http/http.ts'
import { isMountable } from './http/mountable.ts'
import { toErrorReply, toRejection } from './http/reply.ts'
import { readHead } from './http/request-head.ts'
import { checkOptions, option, wholeNumber } from './option-checks.ts'
import type { EndpointOptions } from './options.ts'
import { type ResolvedOptions, resolveOptions } from './resolve-options.ts'

/** Counts of what this node holds. All but `undeliveredMessages` return to 0 when its sessions have ended. */
export interface EndpointStats {
  readonly sessions: number
  readonly connections: number
  readonly streams: number
  readonly calls: number
  /** Requests to clients that wait for an answer. */
  readonly questions: number
  /** Exchanges with running calls that no connection is attached to. */
  readonly detachedCalls: number
  /** Bytes that are held for request bodies of which more is to come. */
  readonly bodyBytes: number
  /** Messages that handlers sent and nobody could get, since the endpoint was made. */
  readonly undeliveredMessages: number
  /** Counts of what the event log holds. */
  readonly log: { readonly sessions: number; readonly streams: number; readonly events: number; readonly bytes: number }
}

/** An MCP endpoint: mount it with an adapter, `core/node` or `core/web`. */
export interface Endpoint extends Mountable {
  /**
   * Sends a notification to every initialized session on its standalone stream, on every node, or to one session.
   * A client that is away gets it when it comes back. Rejects when the message bus does, and with a TypeError for what is no
   * notification or no key.
   */
  notify(notification: { method: string; params?: Record<string, unknown> }, to?: { sessionKey: string }): Promise<void>
  readonly sessions: EndpointSessions
  stats(): EndpointStats
  /** `true` from the moment `close` is called. */
  readonly closing: boolean
  /**
   * Drains: no new session and no new call, running calls may finish for `drainMs` milliseconds, what still runs then
   * ends with a JSON-RPC error, and standalone streams end last. Resolves when nothing is left.
   * The store keeps the sessions, for other nodes or for after a restart; the embedded one goes with the process.
   * @param options.drainMs a whole number, default 10_000
   * @throws TypeError for a bad option; the endpoint goes on then
   */
  close(options?: { drainMs?: number }): Promise<void>
}

const closeOptions = { drainMs: option(10_000, wholeNumber(0)) }

/** Time, in milliseconds, that the last bytes of what has ended take to a client that reads. */
const lastBytesMs = 100

/** What adapters mount: an endpoint, or one that is made of these options. */
export function toMountable(endpointOrOptions: Mountable | EndpointOptions): Mountable {
  return isMountable(endpointOrOptions) ? endpointOrOptions : createEndpoint(endpointOrOptions)
}

/**
 * Builds an endpoint.
 * @throws TypeError for a bad option, naming it.
 */
export function createEndpoint(given: EndpointOptions): Endpoint {
  const options = resolveOptions(given)
  const { backplane } = options
  const attendance = new Attendance(options)
  const bodies = new Bodies(options)
  const era = createEra({ ...options, bodies }, attendance)
  const nodes = new NodeMessages(backplane.bus, era, (error) => options.onError(error, 'message-bus'))
  let closing: Promise<void> | undefined

  const endpoint: Endpoint = {
    handle: createHandler(options, era, attendance),
    notify,
    sessions: createEndpointSessions({
      ...{ backplane, nodes, sessionIdleMs: options.sessionIdleMs },
      activities: (node) => era.activities(node),
      streams: (node, key) => era.streams(node, key),
    }),
    stats,
    close,
    watch: (outgoing) => attendance.watch(outgoing),
    report: (error) => options.onError(error, 'request'),
    get closing() {
      return closing !== undefined
    },
  }
  attendance.endpoint = endpoint
  return endpoint

  async function notify(
    notification: { method: string; params?: Record<string, unknown> },
    to?: { sessionKey: string },
  ): Promise<void> {
    await nodes.publish(toNotify(notification, to))
  }

  function stats(): EndpointStats {
    const { connections, detachedExchanges: detachedCalls, undelivered: undeliveredMessages } = attendance
    const log = backplane.events.stats()
    return { ...era.counts(), connections, detachedCalls, bodyBytes: bodies.bytes, undeliveredMessages, log }
  }

  async function close(given: { drainMs?: number } = {}): Promise<void> {
    const { drainMs } = checkOptions(closeOptions, given)
    closing ??= drain(drainMs)
    await closing
  }

  async function drain(drainMs: number): Promise<void> {
    attendance.draining = true
    await era.drain(drainMs)
    era.sayFarewell()
    attendance.close()
    await era.close('The server is shutting down')
    await attendance.untilIdle(lastBytesMs, () => attendance.connections === 0)
    attendance.destroyConnections()
    await nodes.close()
  }
}

/** The way of one request: guard, authentication, era. */
function createHandler(options: ResolvedOptions, era: Era, attendance: Attendance): Mountable['handle'] {
  const guardOptions = { ...options, methods: era.methods }
  return traceRequest(attendance, async (request, trace) => {
    try {
      const head = readHead(request)
      guard(request, head, guardOptions)
      if (options.auth) await authenticate(request, options.auth, options)
      return await era.answer(request, head)
    } catch (error) {
      const rejection = toRejection(error, request, options)
      if (trace) trace.refusal = rejection.refusal
      publishRefusal(rejection, request, attendance.endpoint)
      return toErrorReply(rejection)
    }
  })
}
