import type { Backplane } from './backplane/backplane.ts'
import { createMemoryBackplane } from './backplane/memory/memory-backplane.ts'
import { type HostName, readHost, readOrigin } from './http/host-name.ts'
import type { HttpRequest } from './http/http.ts'
import type { MaybePromise } from './promises/maybe-promise.ts'
import type { AuthInfo, ServerFactory } from './rpc/server.ts'
import { createSessionId } from './session/session-id.ts'
import { createEventIdCodec, type EventIdCodec } from './stream/event-id.ts'

/** Where an error came from that no reply could carry. */
export type ErrorSource = 'server' | 'session-store' | 'event-log' | 'message-bus' | 'request'

/** Options of {@link createEndpoint}, the same in every adapter. Only `server` is needed. */
export interface EndpointOptions {
  /** Builds one MCP server object per session (per request with `sessions: false`). */
  server: ServerFactory

  /**
   * `false` serves statelessly: a fresh server object per request, no session id, GET and DELETE answer 405,
   * nothing can be resumed and the server cannot ask the client.
   * @default true
   */
  sessions?: boolean

  /**
   * Shape of the answer to a POST. `auto`: plain JSON when the answer is ready before anything else was sent and
   * within `upgradeAfterMs`, otherwise an event stream. `sse` and `json` pin it; what the client's Accept header
   * does not list is never sent. With `json`, progress is dropped and a tool that asks the client fails at once.
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
   * are always known. A connection on a loopback address must name a known host; anything looser lets a web page
   * reach a local server by DNS rebinding. Needed behind a proxy on the same machine.
   * @default []
   */
  allowedHosts?: readonly string[]

  /**
   * Origins of the web pages that may call this server, in full: `https://app.example.com`. The server's own origin
   * is allowed where its host is known. Whoever is listed here can run every tool with the browser's credentials.
   * @default []
   */
  allowedOrigins?: readonly string[]

  /**
   * Largest request body, in bytes. A larger one is refused with 413 before it is read.
   * @default 4_194_304
   */
  maxBodyBytes?: number

  /**
   * Deepest nesting of a JSON body. Unbounded nesting overflows the stack of code that walks it.
   * @default 64
   */
  maxDepth?: number

  /**
   * Idle time, in milliseconds, after which a session ends. An open stream or a running call is activity.
   * @default 1_800_000
   */
  sessionIdleMs?: number

  /**
   * Time, in milliseconds, in which `notifications/initialized` must follow `initialize`; also the time that the factory
   * and the server object's answer to `initialize` may take.
   * @default 60_000
   */
  initializeTimeoutMs?: number

  /**
   * Sessions this node holds at most. At the cap the longest-idle session with no connection and no running call makes
   * room; when there is none, `initialize` is answered 503 with `Retry-After`. Without a cap anyone who can connect can
   * fill the memory.
   * @default 10_000
   */
  maxSessions?: number

  /**
   * Sessions that one authenticated principal may hold at most, by the same rule.
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
   * one used before. Whoever can guess an id can use the session, unless it is bound to a principal.
   * @default 192 random bits, base64url
   */
  generateSessionId?: () => string

  /**
   * Finds out who sends a request: {@link createBearerAuth}, or a function of your own for whatever middleware you have.
   * `undefined` stands for nobody; to refuse a request, throw `new Rejection('unauthorized')`. Runs before the session is
   * looked up and before the body is read. When the token expires (`expiresAt`) its streams end.
   * @default what middleware of the framework left on the request
   */
  auth?: (request: HttpRequest) => MaybePromise<AuthInfo | undefined>

  /**
   * Names who is behind a verified token, so that a session belongs to that principal: not the token's bytes, which
   * change with each refresh. The default is issuer, subject and client id, as found in `auth.extra` and `auth.clientId`.
   */
  principal?: (auth: AuthInfo) => string

  /**
   * Time, in milliseconds, after which a call that no connection is attached to is cancelled: nobody will read it.
   * @default 60_000
   */
  abandonAfterMs?: number

  /**
   * Interval, in milliseconds, between comment lines on a silent stream, so that proxies keep it open. `0` turns them off.
   * @default 15_000
   */
  keepAliveMs?: number

  /**
   * Time, in milliseconds, that a reader may make no progress before its connection is closed. It loses nothing: it resumes.
   * @default 30_000
   */
  stallMs?: number

  /**
   * Age, in milliseconds (± 20 %), at which the server ends a connection and lets the client resume, so that dead peers do
   * not stay for ever. Calls of sessions before 2025-11-25 are spared. `0` turns it off.
   * @default 600_000
   */
  maxConnectionAgeMs?: number

  /**
   * What clients are told to wait, in milliseconds, before they reconnect. Each connection gets up to half more, at random.
   * @default 1_000
   */
  retryMs?: number

  /** Session store, event log and message bus; those left out are kept in memory. */
  backplane?: Partial<Backplane>

  /** Turns a place in a stream into an SSE id and back. */
  eventIds?: EventIdCodec

  /** Receives what would otherwise be lost. Nothing is printed by default. Must not throw. */
  onError?: (error: unknown, where: ErrorSource) => void
}

/** Options with every default filled in and every value checked. */
export interface ResolvedOptions
  extends Required<Omit<EndpointOptions, 'allowedHosts' | 'allowedOrigins' | 'auth' | 'backplane' | 'onError'>> {
  /** `undefined`: what middleware of the framework left on the request. */
  readonly auth: EndpointOptions['auth']
  readonly allowedHosts: readonly HostName[]
  readonly allowedOrigins: ReadonlySet<string>
  readonly backplane: Backplane
  /** Never throws. */
  readonly onError: (error: unknown, where: ErrorSource) => void
}

const numbers = {
  upgradeAfterMs: { default: 100, from: 0 },
  maxBodyBytes: { default: 4_194_304, from: 1 },
  maxDepth: { default: 64, from: 1 },
  sessionIdleMs: { default: 1_800_000, from: 1 },
  initializeTimeoutMs: { default: 60_000, from: 1 },
  maxSessions: { default: 10_000, from: 1 },
  maxSessionsPerPrincipal: { default: 1_000, from: 1 },
  maxCallsPerSession: { default: 10_000, from: 1 },
  abandonAfterMs: { default: 60_000, from: 1 },
  keepAliveMs: { default: 15_000, from: 0 },
  stallMs: { default: 30_000, from: 1 },
  maxConnectionAgeMs: { default: 600_000, from: 0 },
  retryMs: { default: 1_000, from: 0 },
} as const

/** The longest delay a Node timer takes. */
const maxNumber = 2_147_483_647

const known = new Set([
  ...Object.keys(numbers),
  ...['server', 'sessions', 'response', 'allowedHosts', 'allowedOrigins', 'generateSessionId', 'auth', 'principal'],
  ...['backplane', 'eventIds', 'onError'],
])

/**
 * Every default and every check, once.
 * @throws TypeError that names the option, what was expected and what was given.
 */
export function resolveOptions(options: EndpointOptions): ResolvedOptions {
  if (typeof options !== 'object' || options === null) throw expected('the options to be an object', options)
  for (const name of Object.keys(options)) if (!known.has(name)) throw new TypeError(`Unknown option: ${name}`)
  const { server, sessions = true, response = 'auto', backplane = {}, eventIds = createEventIdCodec() } = options
  const { generateSessionId = createSessionId, auth, principal = defaultPrincipal } = options
  const { onError = () => undefined } = options
  checkFunctions({ server, generateSessionId, principal, onError, ...(auth !== undefined && { auth }) })
  if (typeof sessions !== 'boolean') throw expected('sessions to be true or false', sessions)
  if (!['auto', 'sse', 'json'].includes(response)) throw expected("response to be 'auto', 'sse' or 'json'", response)
  return {
    ...resolveNumbers(options),
    server,
    sessions,
    response,
    generateSessionId,
    auth,
    principal,
    eventIds,
    allowedHosts: readList('allowedHosts', options.allowedHosts).map(toHost),
    allowedOrigins: new Set(readList('allowedOrigins', options.allowedOrigins).map(toOrigin)),
    backplane: resolveBackplane(backplane),
    onError: (error, where) => {
      try {
        onError(error, where)
      } catch {
        // There is nobody left to tell.
      }
    },
  }
}

function resolveNumbers(options: EndpointOptions): Record<keyof typeof numbers, number> {
  const resolved = {} as Record<keyof typeof numbers, number>
  for (const name of Object.keys(numbers) as (keyof typeof numbers)[]) {
    const value = options[name] ?? numbers[name].default
    const { from } = numbers[name]
    if (!Number.isSafeInteger(value) || value < from || value > maxNumber) {
      throw expected(`${name} to be a whole number from ${from} to ${maxNumber}`, value)
    }
    resolved[name] = value
  }
  return resolved
}

function resolveBackplane(backplane: Partial<Backplane>): Backplane {
  if (typeof backplane !== 'object' || backplane === null) throw expected('backplane to be an object', backplane)
  for (const name of Object.keys(backplane)) {
    if (!['sessions', 'events', 'bus'].includes(name)) throw new TypeError(`Unknown part of the backplane: ${name}`)
  }
  return { ...createMemoryBackplane(), ...backplane }
}

function checkFunctions(functions: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(functions)) {
    if (typeof value !== 'function') throw expected(`${name} to be a function`, value)
  }
}

function readList(name: string, value: readonly string[] = []): readonly string[] {
  if (!Array.isArray(value)) throw expected(`${name} to be an array of strings`, value)
  return value
}

function toHost(entry: unknown): HostName {
  const host = typeof entry === 'string' ? readHost(entry) : undefined
  if (!host) throw expected("each of allowedHosts to be a host such as 'mcp.example.com' or 'localhost:3000'", entry)
  return host
}

function toOrigin(entry: unknown): string {
  const origin = typeof entry === 'string' ? readOrigin(entry) : undefined
  if (!origin) throw expected("each of allowedOrigins to be an origin such as 'https://app.example.com'", entry)
  return origin.text
}

/** Issuer, subject and client. A token names its subject in a claim, which verifiers leave in `extra`. */
function defaultPrincipal({ clientId, extra = {} }: AuthInfo): string {
  // Some other plugin's object: whoever it stands for, all users would be one.
  if (typeof clientId !== 'string') throw expected('auth.clientId to be a string, or the option `principal`', clientId)
  return JSON.stringify([
    extra.iss ?? extra.issuer ?? null,
    extra.sub ?? extra.subject ?? extra.userId ?? null,
    clientId,
  ])
}

function expected(what: string, got: unknown): TypeError {
  const shown = typeof got === 'function' ? 'a function' : typeof got === 'number' ? String(got) : JSON.stringify(got)
  return new TypeError(`Expected ${what}, got ${shown} (${got === null ? 'null' : typeof got})`)
}
