import type { Backplane } from './backplane/backplane.ts'
import { toBackplane } from './backplane/backplane-option.ts'
import { isEmbedded } from './backplane/memory/memory-backplane.ts'
import { toAllowedOrigins } from './http/allowed-origins.ts'
import { type ErrorSource, toReport } from './http/error-source.ts'
import { readHost } from './http/host-name.ts'
import type { HttpRequest } from './http/http.ts'
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
  withMethods,
} from './option-checks.ts'
import type { MaybePromise } from './promises/maybe-promise.ts'
import { toStateKeys } from './rpc/request-state.ts'
import { type AuthInfo, isServer, type ServerFactory, toFactory } from './rpc/server.ts'
import { toPrincipal } from './session/principal.ts'
import { createSessionId } from './session/session-id.ts'
import { createEventIdCodec, type EventIdCodec } from './stream/event-id.ts'

/** Options of {@link createEndpoint}, the same in every adapter. Only `server` is needed. */
export interface EndpointOptions {
  /** Builds one MCP server object per session (per request with `sessions: false`). */
  server: ServerFactory

  /**
   * `false` serves statelessly: a fresh server object per POST, no session id, GET and DELETE answer 405, nothing can
   * be resumed and the server cannot ask the client.
   * @default true
   */
  sessions?: boolean

  /**
   * Protocol eras to serve: `2025` is 2024-11-05 to 2025-11-25, `2026` is 2026-07-28, which has neither sessions nor
   * GET. Both are served on one URL, each to the clients that speak it; `2026` needs a factory that builds server objects
   * of `@modelcontextprotocol/server` 2.x. With one of another SDK its clients are told to `initialize`.
   * @default ['2025', '2026']
   */
  eras?: readonly ('2025' | '2026')[]

  /**
   * Shape of the answer to a POST. `auto`: plain JSON when the answer is ready before anything else was sent and within
   * `upgradeAfterMs`, otherwise an event stream. `sse` and `json` pin it; a shape that the client's Accept header does
   * not list is never sent. With `json`, progress is undelivered and a tool that asks the client fails at once.
   * @default 'auto'
   */
  response?: 'auto' | 'sse' | 'json'

  /**
   * How long a call may take, in milliseconds, before an `auto` answer becomes an event stream.
   * @default 100
   */
  upgradeAfterMs?: number

  /**
   * Host names this server is known by, with or without a port: `mcp.example.com`, `localhost:3000`. Loopback names
   * are always known. A request that arrives on a loopback address must name a known host; anything looser lets a web
   * page reach a local server by DNS rebinding. Needed behind a proxy on the same machine.
   * @default []
   */
  allowedHosts?: readonly string[]

  /**
   * Origins of the web pages that may call this server, in full: `https://app.example.com`; or a function that says so
   * of an origin, at once; or, together with `auth`, `'*'` for every page. The server's own origin is allowed where its
   * host is known. A page of an allowed origin can run every tool with what the browser sends by itself: with `'*'`,
   * `auth` must ask for a token that pages have to have, never for a cookie.
   * @default []
   */
  allowedOrigins?: readonly string[] | ((origin: string) => boolean) | '*'

  /**
   * Largest request body, in bytes. A larger one is refused with 413: unread when its length is declared, else as soon
   * as the limit is passed.
   * @default 4_194_304
   */
  maxBodyBytes?: number

  /**
   * Memory, in bytes, for all request bodies that are being read at the same time: at least `maxBodyBytes`. A body that
   * finds no room is refused with 503 and `Retry-After`. Without a bound anyone who can connect can fill the memory
   * with bodies that never end.
   * @default 67_108_864
   */
  maxBodyBytesInFlight?: number

  /**
   * Time, in milliseconds, in which a request body must have come, counted from when its reading begins. After that it
   * is refused with 408 and its connection closed. `0` turns it off: then a client that sends a byte now and then holds
   * a connection, and its share of `maxBodyBytesInFlight`, as long as the platform lets it: with Fastify for ever.
   * @default 30_000
   */
  bodyTimeoutMs?: number

  /**
   * Deepest nesting of a JSON body, in levels. A deeper one overflows the stack of code that walks it: refused with
   * 400.
   * @default 64
   */
  maxDepth?: number

  /**
   * Idle time, in milliseconds, after which a session ends. An open stream or a running call is activity.
   * @default 1_800_000
   */
  sessionIdleMs?: number

  /**
   * Time, in milliseconds, in which `notifications/initialized` must follow `initialize`; also the time that the
   * factory, and the server object's answer to `initialize`, may each take.
   * @default 60_000
   */
  initializeTimeoutMs?: number

  /**
   * Sessions this node holds at most. At the cap one that was never initialized makes room at once, one in use only for
   * a newcomer that was initialized: of those without connection and running call the least used. When there is none,
   * `initialize` is answered 503 with `Retry-After`. Without sessions, and of 2026-07-28, requests that are answered at the
   * same time; and, counted apart, subscriptions. Without a cap anyone who can connect can fill the memory.
   * @default 10_000
   */
  maxSessions?: number

  /**
   * Sessions that one authenticated principal may hold at most, by the same rule; and requests of 2026-07-28, and
   * subscriptions, at the same time.
   * @default 1_000
   */
  maxSessionsPerPrincipal?: number

  /**
   * Calls that may run at the same time in one session. One more is answered 429.
   * @default 10_000
   */
  maxCallsPerSession?: number

  /**
   * Makes session ids. The id is a bearer secret: at least 128 random bits, 22 to 128 visible ASCII characters, never
   * one used before. A client that guesses an id can use the session, unless it is bound to a principal.
   * @default 192 random bits, base64url
   */
  generateSessionId?: () => string

  /**
   * Names the sender of a request: {@link createBearerAuth}, or a function of your own for whatever middleware you
   * have. `undefined` stands for nobody; to refuse a request, throw `new Rejection('unauthorized')`. Runs before the
   * session is looked up and before the body is read. When the token expires (`expiresAt`) its connections are cut.
   * @default what middleware of the framework left on the request
   */
  auth?: (request: HttpRequest) => MaybePromise<AuthInfo | undefined>

  /**
   * Names who is behind a verified token, so that a session belongs to that principal: not the token's bytes, which
   * change with each refresh. The default is issuer, subject and client id, as found in `auth.extra` and
   * `auth.clientId`; a token without a subject is told to `onError` once, because all users of its client are then one.
   * Must return a non-empty string, and at once: any other value would make all users one, or nobody. The request is
   * answered 500 then.
   */
  principal?: (auth: AuthInfo) => string

  /**
   * Time, in milliseconds, after which a call that no connection is attached to is abandoned: its handler is told to
   * stop, and an error waits as its answer.
   * @default 60_000
   */
  abandonAfterMs?: number

  /**
   * Silence, in milliseconds, after which a connection gets a comment line, so that proxies and clients keep it open:
   * the strictest that is known, Cursor, gives up after 10 s without a byte. It may come a second late. `0` turns it
   * off.
   * @default 8_000
   */
  keepAliveMs?: number

  /**
   * Time, in milliseconds, for which a client may read nothing before its connection is cut, whatever of an answer
   * waits for it: an event stream, also one that has ended, or JSON, of which less than 16 KiB counts as nothing. A
   * stream can be resumed.
   * @default 30_000
   */
  stallMs?: number

  /**
   * Age, in milliseconds (± 20 %), at which the server breaks the connection of a standalone stream, so that dead peers
   * do not stay for ever and clients resume; also that of a call, once its client has resumed before. Sessions before
   * 2025-11-25 are spared. `0` turns it off.
   * @default 600_000
   */
  maxConnectionAgeMs?: number

  /**
   * What clients are told to wait, in milliseconds, before they reconnect. Each connection gets up to half more, at
   * random. Official clients try twice and then never listen again: a server that is away for longer than two waits
   * loses them.
   * @default 2_000
   */
  retryMs?: number

  /**
   * Keys, of 32 bytes or more, that sign the `requestState` of questions in the style of 2026-07-28. The first signs, all
   * are accepted: to change a key, put the new one in front. Nodes of one deployment need the same. With a key that
   * others know a client can forge the state, and what a tool reads in it.
   * @default one at random, for this process
   */
  requestStateKeys?: readonly (string | Uint8Array)[]

  /** Session store, event log and message bus; those left out are kept in memory. */
  backplane?: Partial<Backplane>

  /** Turns a place in a stream into an SSE id and back. */
  eventIds?: EventIdCodec

  /**
   * Receives errors that no reply carries, and where they came from: `factory` is the option `server`, `server` the
   * object that it built. By default one line for each kind of error and minute goes to `console.error`. Must not
   * throw.
   */
  onError?: (error: unknown, where: ErrorSource) => void
}

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
  auth: option(undefined, anOptionalFunction<EndpointOptions['auth'] & object>()),
  principal: option(undefined, anOptionalFunction<(auth: AuthInfo) => unknown>()),
  abandonAfterMs: option(60_000, wholeNumber(1)),
  keepAliveMs: option(8_000, wholeNumber(0)),
  stallMs: option(30_000, wholeNumber(1)),
  maxConnectionAgeMs: option(600_000, wholeNumber(0)),
  retryMs: option(2_000, wholeNumber(0)),
  requestStateKeys: option([], toStateKeys),
  backplane: option({}, toBackplane),
  eventIds: option(createEventIdCodec(), withMethods<EventIdCodec>('encode', 'decode')),
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
  if (typeof options !== 'object' || isServer(options)) throw expected(wantedOptions, options)
  const checked = checkOptions(table, options)
  checkTogether(checked)
  const { backplane, principal, onError } = checked
  if (isEmbedded(backplane.bus) && !isEmbedded(backplane.sessions)) onError(new Error(storeAlone), 'session-store')
  // A node that stood still for a while must find the records of the sessions that were in use.
  return { ...checked, recordTtlMs: 2 * checked.sessionIdleMs, principal: toPrincipal(principal, onError) }
}

const storeAlone =
  'Sessions are in a store that several nodes can share, but the message bus is not: serve them from one node at a time. To others a DELETE, a cancel or an answer would not get through'

const wantedOptions = 'options such as { server: () => new McpServer(…) }'

/** What one option alone cannot tell. */
function checkTogether({ maxBodyBytes, maxBodyBytesInFlight, allowedOrigins, auth }: Checked<typeof table>): void {
  if (maxBodyBytesInFlight < maxBodyBytes)
    throw expected(`maxBodyBytesInFlight to be at least maxBodyBytes, ${maxBodyBytes}`, maxBodyBytesInFlight)
  if (allowedOrigins === '*' && !auth)
    throw new TypeError("Expected auth to be set with allowedOrigins '*', or every web page could use this server")
}
