import type { Backplane } from './backplane/backplane.ts'
import type { ErrorSource } from './http/error-source.ts'
import type { HttpRequest } from './http/http.ts'
import type { MaybePromise } from './promises/maybe-promise.ts'
import type { AuthInfo, ServerFactory } from './rpc/server.ts'
import type { EventIdCodec } from './stream/event-id.ts'

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
   * Sessions this node holds at most. A hundredth above it one that was never initialized makes room, one in use only for
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

  /**
   * Time, in milliseconds, after which the sessions of a node that has died, or stands still, may live on elsewhere. It
   * applies where several nodes share a backplane. A third of it is how often each node renews its lease: one command,
   * however many sessions it has.
   * @default 4_000
   */
  leaseMs?: number

  /**
   * Time, in milliseconds, after which a session without call and connection hibernates: its server object is given back,
   * and the next request, on any node, builds it anew. For factories whose server objects keep nothing of their own
   * between two calls: what they keep is lost. `0` turns it off.
   * @default 0
   */
  hibernateAfterMs?: number

  /** Session store, event log and message bus; those left out are kept in memory. */
  backplane?: Partial<Backplane>

  /** Turns a place in a stream into an SSE id and back. */
  eventIds?: EventIdCodec

  /**
   * Receives errors that no reply carries, and where they came from: `factory` is the option `server`, `server` the
   * object that it built. By default one line for each kind of error and minute, for 20 kinds at most, goes to
   * `console.error`. Must not throw.
   */
  onError?: (error: unknown, where: ErrorSource) => void
}
