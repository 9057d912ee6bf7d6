import { expected, isClass } from '../option-checks.ts'
import type { JsonRpcMessage, JsonRpcRequest, RequestId } from './json-rpc.ts'
import type { RequestState } from './request-state.ts'
import type { EraName } from './revision.ts'

/** A verified access token. The shape that `requireBearerAuth` of the SDK puts on `req.auth`. */
export interface AuthInfo {
  readonly token: string
  readonly clientId: string
  readonly scopes: string[]
  /** Seconds since the epoch. */
  readonly expiresAt?: number
  readonly resource?: URL
  /** Where the metadata of the resource is, if not at its well-known place. Told to a client whose token lacks a scope. */
  readonly resourceMetadataUrl?: string
  readonly extra?: Record<string, unknown>
}

/** SDK 2.x: the scopes that a request needs and its token lacks; `undefined`: none. */
export type ScopeResolver = (context: { readonly request: JsonRpcRequest; readonly authInfo?: AuthInfo }) => unknown

/** Comes from the SDK with an outgoing message. */
export interface SendOptions {
  /** The incoming request on whose stream the message belongs. */
  readonly relatedRequestId?: RequestId | undefined
}

/**
 * The transport that an MCP server object drives: the part that `@modelcontextprotocol/sdk` 1.x and
 * `@modelcontextprotocol/server` 2.x have in common.
 */
export interface ServerTransport {
  sessionId?: string | undefined
  // The two SDK generations type these callbacks differently; both assign functions that take (message, extra).
  onmessage?: ((message: never, extra?: never) => void) | undefined
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  /** `McpServer` of SDK 2.x says before it connects what its `scopeChallenge`s are asked by. */
  setScopeChallengeResolver?(find: ScopeResolver): void
  start(): Promise<void>
  send(message: JsonRpcMessage, options?: SendOptions): Promise<void>
  close(): Promise<void>
}

/** An MCP server object: `McpServer` or `Server` of either SDK generation. */
export interface McpServerLike {
  connect(transport: never): Promise<void>
  close(): Promise<void>
}

export function isServer(value: unknown): value is McpServerLike {
  return typeof value === 'object' && typeof (value as Partial<McpServerLike> | null)?.connect === 'function'
}

/** The session that the `server` factory builds for. */
export interface SessionContext {
  /**
   * `2025`: a session, or with `sessions: false` a request, of 2024-11-05 to 2025-11-25; `2026`: a request of
   * 2026-07-28, which needs a server object of SDK 2.x.
   */
  readonly era: EraName
  /** The session's id; `undefined` when served without sessions. */
  readonly sessionId: string | undefined
  /** The protocol revision that the client asked for; the server's answer decides. `undefined` with `sessions: false`. */
  readonly requestedProtocolVersion: string | undefined
  /** Name and version the client gave in `initialize`, or with its request. */
  readonly clientInfo: { readonly name: string; readonly version: string } | undefined
  readonly clientCapabilities: Readonly<Record<string, unknown>> | undefined
  readonly auth: AuthInfo | undefined
  /** For server objects of SDK 2.x that ask their clients in several rounds: see the option `requestStateKeys`. */
  readonly requestState: RequestState
  /** `true` when the session existed before and its server object is built anew, on this node or after a restart. */
  readonly resumed: boolean
}

/**
 * Builds one MCP server object. Called once per session, with `sessions: false` and for revision 2026-07-28 once per
 * POST, and again when a session is rebuilt. Never share the object.
 */
export type ServerFactory = (session: SessionContext) => McpServerLike | Promise<McpServerLike>

/**
 * The check of the option `server`. One server object for all sessions would mix up their answers, and a class is no
 * function that can be called.
 */
export function toFactory(value: unknown, name: string): ServerFactory {
  if (typeof value === 'function' && !isClass(value)) return value as ServerFactory
  throw expected(
    `${name} to be a function that builds a server object for each session, as () => new McpServer(…)`,
    value,
  )
}
