import { toBackplane } from './backplane/backplane-option.ts'
import { isEmbedded } from './backplane/memory/memory-backplane.ts'
import { toAllowedOrigins } from './http/allowed-origins.ts'
import { toReport } from './http/error-source.ts'
import { readHost } from './http/host-name.ts'
import {
  aBoolean,
  aFunction,
  anOptionalFunction,
  type Checked,
  checkOptions,
  expected,
  listOf,
  type OptionRow,
  oneOf,
  option,
  someOf,
  wholeNumber,
} from './option-checks.ts'
import type { EndpointOptions } from './options.ts'
import { isThenable } from './promises/maybe-promise.ts'
import { toStateKeys } from './rpc/request-state.ts'
import { type AuthInfo, isServer, toFactory } from './rpc/server.ts'
import { toPrincipal } from './session/principal.ts'
import { createSessionId } from './session/session-id.ts'
import { toEventIdCodec } from './stream/event-id.ts'

/** One row per option. `docs/options.md` describes the same options, with the same defaults. */
const table = {
  server: option(undefined, toFactory),
  sessions: option(true, aBoolean),
  eras: option(['2025', '2026'], someOf('2025', '2026')),
  response: option('auto', oneOf('auto', 'sse', 'json')),
  upgradeAfterMs: option(100, wholeNumber(0)),
  allowedHosts: option([], listOf("a host such as 'mcp.example.com' or 'localhost:3000'", readHost)),
  allowedOrigins: option([], toAllowedOrigins),
  maxBodyBytes: option(4_194_304, wholeNumber(1)),
  maxBodyBytesInFlight: option(67_108_864, wholeNumber(1)),
  bodyTimeoutMs: option(30_000, wholeNumber(0)),
  maxDepth: option(64, wholeNumber(1)),
  sessionIdleMs: option(1_800_000, wholeNumber(1)),
  initializeTimeoutMs: option(60_000, wholeNumber(1)),
  maxSessions: option(10_000, wholeNumber(1)),
  maxSessionsPerPrincipal: option(1_000, wholeNumber(1)),
  maxCallsPerSession: option(10_000, wholeNumber(1)),
  generateSessionId: option(createSessionId, aFunction<() => string>()),
  auth: option(undefined, anOptionalFunction<EndpointOptions['auth'] & object>(', such as createBearerAuth(…)')),
  principal: option(undefined, anOptionalFunction<(auth: AuthInfo) => unknown>()),
  abandonAfterMs: option(60_000, wholeNumber(1)),
  keepAliveMs: option(8_000, wholeNumber(0)),
  stallMs: option(30_000, wholeNumber(1)),
  maxConnectionAgeMs: option(600_000, wholeNumber(0)),
  // With half as much again, still a delay that a client's timer takes.
  retryMs: option(2_000, wholeNumber(0, 1_000_000_000)),
  requestStateKeys: option([], toStateKeys),
  // One that is over before a database has answered is never held.
  leaseMs: option(4_000, wholeNumber(100)),
  hibernateAfterMs: option(0, wholeNumber(0)),
  backplane: option({}, toBackplane),
  eventIds: option(undefined, toEventIdCodec),
  onError: option(undefined, toReport),
} satisfies { [Name in keyof Required<EndpointOptions>]: OptionRow<unknown> }

/** Options with every default filled in and every value checked. */
export type ResolvedOptions = Omit<Checked<typeof table>, 'principal'> & {
  readonly principal: (auth: AuthInfo) => string
  readonly recordTtlMs: number
}

/**
 * Every default and every check, once.
 * @throws TypeError that names the option, what was expected and what was given.
 */
export function resolveOptions(options: EndpointOptions): ResolvedOptions {
  // An `await` was forgotten, or a server object stands where its factory should.
  if (typeof options !== 'object' || isServer(options) || isThenable(options)) throw expected(wantedOptions, options)
  const checked = checkOptions(table, options)
  checkTogether(checked)
  const { backplane, principal, onError } = checked
  const { sessions, events, bus } = backplane
  if (!isEmbedded(sessions) && (isEmbedded(events) || isEmbedded(bus))) onError(new Error(storeAlone), 'session-store')
  // A node that stood still for a while must find the records of the sessions that were in use.
  return { ...checked, recordTtlMs: 2 * checked.sessionIdleMs, principal: toPrincipal(principal, onError) }
}

const storeAlone =
  'Sessions are in a store that several nodes can share, but the message bus or the event log is not: serve them from one node at a time. To others a DELETE, a cancel or an answer would not get through'

const wantedOptions = 'options such as { server: () => new McpServer(…) }'

/** What one option alone cannot tell. */
function checkTogether({ maxBodyBytes, maxBodyBytesInFlight, allowedOrigins, auth }: Checked<typeof table>): void {
  if (maxBodyBytesInFlight < maxBodyBytes)
    throw expected(`maxBodyBytesInFlight to be at least maxBodyBytes, ${maxBodyBytes}`, maxBodyBytesInFlight)
  if (allowedOrigins === '*' && !auth)
    throw new TypeError("Expected auth to be set with allowedOrigins '*', or every web page could use this server")
}
