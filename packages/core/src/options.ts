import type { Backplane } from './backplane.ts'
import { createEventIdCodec, type EventIdCodec } from './event-id.ts'
import { createMemoryBackplane } from './memory-backplane.ts'
import { createSessionId } from './session-id.ts'
import type { AuthInfo, ServerFactory } from './server.ts'

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
   * Time, in milliseconds, in which `notifications/initialized` must follow `initialize`.
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
