import {
  aFunction,
  type Check,
  checkOptions,
  expected,
  listOf,
  type OptionRow,
  option,
  optional,
} from '../option-checks.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'
import type { AuthInfo } from '../rpc/server.ts'
import { toIdentity } from './authenticate.ts'
import { Rejection } from './errors.ts'
import { emptyHeaders, jsonHeaders } from './headers.ts'
import type { HttpReply, HttpRequest, Mountable } from './http.ts'

/** Options of {@link createBearerAuth}. */
export interface BearerAuthOptions {
  /**
   * Verifies an access token: signature, issuer, audience. Gives `undefined` for one that is not valid, or throws, as the
   * libraries for JWT and the verifiers written for the SDK do: 401. An error that says that the token could not be verified
   * at all is answered 503: one with the `code` of a network, TLS or key set failure (`ECONNREFUSED`, `CERT_HAS_EXPIRED`,
   * `ERR_JWKS_TIMEOUT`), the message of a fetch that failed, or a `status` from 500, itself or in its `cause`. All errors but those that JWT libraries throw for a bad token go to
   * `onError` of the endpoint. Put issuer and subject into `extra.iss` and `extra.sub`: they say whose a session is.
   */
  verify(token: string): MaybePromise<AuthInfo | undefined>
  /**
   * The endpoint's public URL, `https://mcp.example.com/mcp`. Refuses tokens that name another resource (RFC 8707).
   */
  resource: string
  /** Issuers that clients can get a token from. At least one. */
  authorizationServers: readonly string[]
  /**
   * Scopes that every request needs.
   * @default []
   */
  requiredScopes?: readonly string[]
  /**
   * The public URL of the metadata document. Needed where only a part of the host is yours: behind a proxy that passes
   * `https://example.com/tools/` on to you, the place that the specification names would be another server's.
   * @default `/.well-known/oauth-protected-resource` and the path of `resource`, on its host
   */
  metadataUrl?: string
}

/** An `auth` option for the endpoint, and the metadata document that tells clients where to get a token. */
export interface BearerAuth {
  (request: HttpRequest): Promise<AuthInfo>
  /** Serves the document (RFC 9728). Mount it at {@link BearerAuth.metadataPath} with the same adapter. */
  readonly metadata: Mountable
  /** The path of `metadataUrl`. */
  readonly metadataPath: string
}

const table = {
  verify: option(undefined, aFunction<BearerAuthOptions['verify']>()),
  resource: option(undefined, aUrl("the endpoint's URL")),
  authorizationServers: option(undefined, atLeastOne(listOf('the URL of an issuer', readIssuer))),
  requiredScopes: option([], listOf('a scope (RFC 6749 §3.3)', readScope)),
  metadataUrl: option(undefined, optional(aUrl('a URL'))),
} satisfies { [Name in keyof Required<BearerAuthOptions>]: OptionRow<unknown> }

/**
 * Bearer tokens for every mount (Authorization, Access Token Usage). A request without a valid token is answered 401,
 * one whose token lacks a scope 403, both with the `WWW-Authenticate` challenge from which clients find the metadata.
 *
 * @throws TypeError for a bad option, naming it.
 */
export function createBearerAuth(options: BearerAuthOptions): BearerAuth {
  const {
    verify,
    resource,
    authorizationServers,
    requiredScopes,
    metadataUrl = wellKnown(resource),
  } = checkOptions(table, options)
  // Clients ask for the scopes that they are told of with the first refusal (Scope Selection Strategy).
  const scope = requiredScopes.length > 0 ? `, scope="${requiredScopes.join(' ')}"` : ''
  const challenge = `Bearer resource_metadata="${metadataUrl}"${scope}`
  const document = JSON.stringify({
    resource: options.resource,
    authorization_servers: authorizationServers,
    ...(requiredScopes.length > 0 && { scopes_supported: requiredScopes }),
    bearer_methods_supported: ['header'],
  })

  return Object.assign(authenticate, {
    metadata: { handle: serveDocument, closing: false },
    metadataPath: metadataUrl.pathname,
  })

  async function authenticate(request: HttpRequest): Promise<AuthInfo> {
    const header = request.header('authorization')
    if (header === undefined) throw refuse('unauthorized', challenge)
    const token = /^bearer +([\x21-\x7e]+)$/i.exec(header)?.[1]
    if (token === undefined) throw refuseToken('Expected Bearer and one token in Authorization')
    const auth = toIdentity(await verifyToken(token), 'verify')
    if (!auth) throw refuse('unauthorized', `${challenge}, error="invalid_token"`)
    if (isExpired(auth)) throw refuseToken('The token has expired')
    if (!isFor(auth, resource)) throw refuseToken(`The token is for another resource than ${resource.href}`)
    // The type demands them; what JavaScript leaves out is none.
    if (requiredScopes.every((scope) => (auth.scopes as string[] | undefined)?.includes(scope))) return auth
    throw refuse('insufficient_scope', `${challenge}, error="insufficient_scope"`)
  }

  /** Of what is no secret of the verifier's, the reason (RFC 6750 §3). */
  function refuseToken(description: string): Rejection {
    return refuse('unauthorized', `${challenge}, error="invalid_token", error_description="${description}"`)
  }

  async function verifyToken(token: string): Promise<AuthInfo | undefined> {
    try {
      return await verify(token)
    } catch (error) {
      if (isOutage(error)) throw new Rejection('auth_unavailable', { cause: error, headers: { 'retry-after': '5' } })
      if (isTokenError(error)) return undefined
      throw refuse('unauthorized', `${challenge}, error="invalid_token"`, error)
    }
  }

  async function serveDocument({ method }: HttpRequest): Promise<HttpReply> {
    if (method === 'OPTIONS') return { status: 204, headers: preflightHeaders, body: undefined }
    if (method !== 'GET' && method !== 'HEAD')
      return { status: 405, headers: { allow: documentMethods }, body: undefined }
    return { status: 200, headers: { ...jsonHeaders, ...anyPage }, body: document }
  }
}

const documentMethods = 'GET, HEAD, OPTIONS'

/** The document is public by nature, and read by clients in web pages before they have a token. */
const anyPage = { 'access-control-allow-origin': '*' } as const

/** Clients name the protocol version when they ask for it, about which a browser asks first. */
const preflightHeaders = {
  ...emptyHeaders,
  ...anyPage,
  allow: documentMethods,
  'access-control-allow-methods': documentMethods,
  'access-control-allow-headers': '*',
} as const

function refuse(code: 'unauthorized' | 'insufficient_scope', challenge: string, cause?: unknown): Rejection {
  return new Rejection(code, { headers: { 'www-authenticate': challenge }, cause })
}

/** What errors say of themselves: those of Node, fetch, HTTP clients, jose, jsonwebtoken and the SDK. */
interface ErrorLike {
  readonly name?: unknown
  readonly code?: unknown
  readonly errorCode?: unknown
  readonly status?: unknown
  readonly statusCode?: unknown
  readonly cause?: unknown
}

/** Of the system (`ECONNREFUSED`), of fetch in Node and in Bun, and of an answer that is no HTTP. Not `ERR_JWT_EXPIRED` and its like. */
const networkCode = /^(E(?!RR_)[A-Z]\w*|UND_ERR_\w+|HPE_\w+|ConnectionRefused|ConnectionClosed|FailedToOpenSocket)$/

/** Of a certificate that is not trusted, or a handshake that failed. */
const tlsCode = /^(ERR_(TLS|SSL|OSSL)_\w+|CERT_\w+|UNABLE_TO_\w+|(DEPTH_ZERO_)?SELF_SIGNED_CERT\w*)$/

/** Of jose, for a key set that did not come, or that is none. */
const keySetCode = /^ERR_(JWKS_TIMEOUT|JWKS_INVALID|JOSE_GENERIC)$/

/** What fetch says without any code, in Node, Deno and Workers. */
const fetchFailed = /^(fetch failed|terminated|error sending request|network connection lost)/i

/** The verifier could not reach what it needs: it is not the token's fault, and a new token would not help. */
function isOutage(error: unknown, depth = 3): boolean {
  if (typeof error !== 'object' || error === null || depth === 0) return false
  const { name, code, errorCode, status, statusCode, cause } = error as ErrorLike
  if (typeof code === 'string' && [networkCode, tlsCode, keySetCode].some((each) => each.test(code))) return true
  if (error instanceof Error && fetchFailed.test(error.message)) return true
  if (name === 'TimeoutError' || name === 'AbortError') return true
  if (Number(status ?? statusCode) >= 500) return true
  return errorCode === 'server_error' || errorCode === 'temporarily_unavailable' || isOutage(cause, depth - 1)
}

/** What jose throws for a token. */
const tokenErrorCode = /^ERR_(JW[TSE]_\w+|JWKS_NO_MATCHING_KEY|JOSE_ALG_NOT_ALLOWED|JOSE_NOT_SUPPORTED)$/

/** Thrown because of the token: any client can cause it, so it is nothing to report. */
function isTokenError(error: unknown): boolean {
  const { name, code, errorCode } = (error ?? {}) as ErrorLike
  if (errorCode === 'invalid_token') return true
  if (typeof code === 'string' && tokenErrorCode.test(code)) return true
  return name === 'JsonWebTokenError' || name === 'TokenExpiredError' || name === 'NotBeforeError'
}

function isExpired({ expiresAt }: AuthInfo): boolean {
  return expiresAt !== undefined && expiresAt * 1_000 <= Date.now()
}

/** Of a token that names no resource `verify` has checked the audience. */
function isFor({ resource }: AuthInfo, own: URL): boolean {
  return resource === undefined || withoutHash(resource) === withoutHash(own)
}

function withoutHash(url: URL): string {
  return `${url.origin}${url.pathname.replace(/\/$/, '')}${url.search}`
}

/** RFC 9728 §3.1 */
export function wellKnown(resource: URL): URL {
  const { pathname } = resource
  return new URL(`/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}`, resource)
}

function readUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url && (url.protocol === 'https:' || url.protocol === 'http:') && url.hash === '' ? url : undefined
}

function aUrl(what: string): Check<URL> {
  return (value, name) => {
    const url = typeof value === 'string' ? readUrl(value) : undefined
    if (url) return url
    throw expected(`${name} to be ${what}`, value)
  }
}

/** As it was given: clients compare it with what the issuer says of itself. */
function readIssuer(text: string): string | undefined {
  return readUrl(text) && text
}

function readScope(text: string): string | undefined {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text) ? text : undefined
}

function atLeastOne<Value>(check: Check<readonly Value[]>): Check<readonly Value[]> {
  return (value, name) => {
    if (Array.isArray(value) && value.length === 0) throw expected(`${name} to name at least one`, value)
    return check(value, name)
  }
}
