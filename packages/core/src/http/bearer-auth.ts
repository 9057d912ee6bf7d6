import type { MaybePromise } from '../promises/maybe-promise.ts'
import type { AuthInfo } from '../rpc/server.ts'
import { Rejection } from './errors.ts'
import { jsonHeaders } from './headers.ts'
import type { HttpReply, HttpRequest, Mountable } from './http.ts'

/** Options of {@link createBearerAuth}. */
export interface BearerAuthOptions {
  /**
   * Verifies an access token: signature, issuer, audience. Gives `undefined` for one that is not valid, or throws an
   * error with `errorCode: 'invalid_token'`, as verifiers written for the SDK do. Any other error is answered 500.
   * Put issuer and subject into `extra.iss` and `extra.sub`: a session belongs to them.
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
}

/** An `auth` option for the endpoint, and the metadata document that tells clients where to get a token. */
export interface BearerAuth {
  (request: HttpRequest): Promise<AuthInfo>
  /** Serves the document (RFC 9728). Mount it at {@link BearerAuth.metadataPath} with the same adapter. */
  readonly metadata: Mountable
  /** `/.well-known/oauth-protected-resource` and the path of the resource. */
  readonly metadataPath: string
}

/**
 * Bearer tokens for every mount (Authorization, Access Token Usage). A request without a valid token is answered 401,
 * one whose token lacks a scope 403, both with the `WWW-Authenticate` challenge from which clients find the metadata.
 *
 * @throws TypeError for a bad option, naming it.
 */
export function createBearerAuth(options: BearerAuthOptions): BearerAuth {
  const { verify, authorizationServers, requiredScopes = [] } = options
  const resource = readResource(options.resource)
  if (typeof verify !== 'function') throw new TypeError('Expected verify to be a function')
  if (authorizationServers.length === 0)
    throw new TypeError('Expected authorizationServers to name at least one issuer')
  const metadataPath = `/.well-known/oauth-protected-resource${resource.pathname === '/' ? '' : resource.pathname}`
  const challenge = `Bearer resource_metadata="${new URL(metadataPath, resource)}"`
  const document = JSON.stringify({
    resource: options.resource,
    authorization_servers: authorizationServers,
    ...(requiredScopes.length > 0 && { scopes_supported: requiredScopes }),
    bearer_methods_supported: ['header'],
  })

  return Object.assign(authenticate, { metadata: { handle: serveDocument, closing: false }, metadataPath })

  async function authenticate(request: HttpRequest): Promise<AuthInfo> {
    const header = request.header('authorization')
    if (header === undefined) throw refuse('unauthorized', challenge)
    const token = /^bearer +([\x21-\x7e]+)$/i.exec(header)?.[1]
    const auth = token === undefined ? undefined : await verifyToken(token)
    if (!auth || isExpired(auth) || !isFor(auth, resource))
      throw refuse('unauthorized', `${challenge}, error="invalid_token"`)
    if (requiredScopes.every((scope) => auth.scopes.includes(scope))) return auth
    throw refuse('insufficient_scope', `${challenge}, error="insufficient_scope", scope="${requiredScopes.join(' ')}"`)
  }

  async function verifyToken(token: string): Promise<AuthInfo | undefined> {
    try {
      return await verify(token)
    } catch (error) {
      if ((error as { errorCode?: unknown } | null)?.errorCode === 'invalid_token') return undefined
      throw error
    }
  }

  async function serveDocument({ method }: HttpRequest): Promise<HttpReply> {
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, headers: { allow: 'GET, HEAD' }, body: undefined }
    // Public by nature, and read by clients in web pages before they have a token.
    const headers = { ...jsonHeaders, 'access-control-allow-origin': '*' }
    return { status: 200, headers, body: document }
  }
}

function refuse(code: 'unauthorized' | 'insufficient_scope', challenge: string): Rejection {
  return new Rejection(code, { headers: { 'www-authenticate': challenge } })
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

function readResource(resource: string): URL {
  const url = URL.canParse(resource) ? new URL(resource) : undefined
  if (url && (url.protocol === 'https:' || url.protocol === 'http:') && url.hash === '') return url
  throw new TypeError(`Expected resource to be the endpoint's URL, got ${JSON.stringify(resource)}`)
}
