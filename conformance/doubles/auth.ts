import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { kindOf } from './body.ts'
import { isObject, type Json, Refusal, type Settings, writeJson } from './wire.ts'

const key = randomBytes(32)
const audience = 'reference-server'
const scope = 'mcp'
const day = 86_400

/** Tokens for a server that was started with `auth`, by what they are for. */
export function issueTokens() {
  return {
    token: issue({ sub: 'alice' }),
    other: issue({ sub: 'bob' }),
    expired: issue({ sub: 'alice', exp: now() - day }),
    weak: issue({ sub: 'alice', scope: 'profile' }),
    foreign: issue({ sub: 'alice', aud: 'another-server' }),
  }
}

/** A signed JWT. */
function issue(claims: Json): string {
  const all = { iss: 'https://issuer.example.com', aud: audience, scope, exp: now() + day, ...claims }
  const input = [{ alg: 'HS256', typ: 'at+jwt' }, all].map(encode).join('.')
  return `${input}.${sign(input)}`
}

/** Who sent each request: what frameworks keep as `request.auth`. */
const principals = new WeakMap<IncomingMessage, string>()

/** `undefined` when nobody was asked. */
export function principalOf(request: IncomingMessage): string | undefined {
  return principals.get(request)
}

/** Access Token Usage: a token with every request. `value` is the body, where it was read before. */
export function authenticate(request: IncomingMessage, settings: Settings, value?: unknown): void {
  if (!settings.auth || isSpared(request, settings, value)) return
  const token = tokenOf(request, settings)
  if (token === undefined) throw unauthorized(request, settings)
  const claims = readToken(token, settings)
  if (claims === undefined) throw unauthorized(request, settings, ', error="invalid_token"')
  if (!String(claims.scope).split(' ').includes(scope)) throw lacksScope(request, settings)
  principals.set(request, String(claims.sub))
}

/** In some doubles the token is looked at only once the body is read, or once it is parsed. */
export function isAuthDeferred({ method, headers }: IncomingMessage, { defects }: Settings): boolean {
  if (method !== 'POST') return false
  const isKindAsked = defects.has('session-id-authenticates-requests') || defects.has('only-requests-need-a-token')
  return (
    defects.has('token-checked-after-reading') ||
    defects.has('token-checked-after-parsing') ||
    (isKindAsked && headers['mcp-session-id'] !== undefined)
  )
}

/** `true` where the session of a POST is looked up only once the body is parsed. */
export function isOwnerDeferred(request: IncomingMessage, settings: Settings): boolean {
  const { defects } = settings
  const isKindAsked = defects.has('other-users-may-request') || defects.has('other-users-may-answer')
  return isKindAsked || isAuthDeferred(request, settings)
}

function isSpared(request: IncomingMessage, { defects }: Settings, value: unknown): boolean {
  const { method, headers } = request
  if (headers.authorization !== undefined) return false
  const isRequest = kindOf(value) === 'request'
  const isOther = value !== undefined && !isRequest
  return (
    (method === 'GET' && defects.has('get-needs-no-token')) ||
    (method === 'DELETE' && defects.has('delete-needs-no-token')) ||
    (isOther && defects.has('only-requests-need-a-token')) ||
    (isRequest && headers['mcp-session-id'] !== undefined && defects.has('session-id-authenticates-requests'))
  )
}

function tokenOf({ headers, url = '' }: IncomingMessage, { defects }: Settings): string | undefined {
  const { authorization } = headers
  if (authorization !== undefined) return /^bearer +([\w.~+/=-]+)$/i.exec(authorization)?.[1] ?? ''
  if (!defects.has('token-in-query-accepted')) return undefined
  return new URL(url, 'http://localhost').searchParams.get('access_token') ?? undefined
}

/** What a valid token says; `undefined` for one that is not. */
function readToken(token: string, { defects }: Settings): Json | undefined {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const claims = decode(payload)
  if (token !== '' && claims === undefined && defects.has('garbage-token-is-500')) throw new Error('No JWT')
  if (!isSignature(signature, `${header}.${payload}`) && !defects.has('signatures-not-verified')) return undefined
  if (Number(claims?.exp) <= now() && !defects.has('expiry-not-checked')) return undefined
  if (claims?.aud !== audience && !defects.has('audience-not-checked')) return undefined
  return claims
}

function unauthorized(request: IncomingMessage, settings: Settings, more = ''): Refusal {
  const { defects } = settings
  const challenge = defects.has('no-challenge-on-401')
    ? {}
    : { 'www-authenticate': `Bearer resource_metadata="${metadataUrl(request)}"${more}` }
  return new Refusal(401, 'Unauthorized', { headers: challenge })
}

function lacksScope(request: IncomingMessage, { defects }: Settings): Refusal {
  const which = defects.has('missing-scope-is-not-named') ? '' : `, scope="${scope}"`
  const challenge = `Bearer error="insufficient_scope"${which}, resource_metadata="${metadataUrl(request)}"`
  const status = defects.has('missing-scope-is-401') ? 401 : 403
  return new Refusal(status, 'Insufficient scope', { headers: { 'www-authenticate': challenge } })
}

/** One tool needs a scope that no token has (Runtime Insufficient Scope Errors). */
export function checkScopeOfTool(request: IncomingMessage, value: unknown, { auth, defects }: Settings): void {
  const params = auth && isObject(value) && value.method === 'tools/call' ? value.params : undefined
  if (!isObject(params) || params.name !== 'test_missing_scope') return
  const isMute = request.headers['mcp-method'] !== undefined && defects.has('modern-scope-of-a-tool-is-not-named')
  const which = isMute ? '' : ', scope="admin"'
  const challenge = `Bearer error="insufficient_scope"${which}, resource_metadata="${metadataUrl(request)}"`
  const status = defects.has('scope-of-a-tool-is-401') ? 401 : 403
  throw new Refusal(status, 'Insufficient scope', { headers: { 'www-authenticate': challenge } })
}

/** `true` when the request's user may use a session of `owner`; so may everybody where nobody is asked for a token. */
export function mayUse(
  owner: string | undefined,
  request: IncomingMessage,
  settings: Settings,
  value: unknown,
): boolean {
  const principal = principalOf(request)
  if (principal === undefined || principal === owner) return true
  const { method, headers } = request
  const { defects } = settings
  const isResumed = headers['last-event-id'] !== undefined
  const kind = method === 'POST' ? kindOf(value) : method
  return (
    (kind === 'request' && defects.has('other-users-may-request')) ||
    (kind === 'response' && defects.has('other-users-may-answer')) ||
    (kind === 'GET' && !isResumed && defects.has('other-users-may-listen')) ||
    (kind === 'GET' && isResumed && defects.has('other-users-may-resume')) ||
    (kind === 'DELETE' && defects.has('other-users-may-delete'))
  )
}

/** A token is no permission for a web page. */
export function sparesOrigin({ headers }: IncomingMessage, { auth, defects }: Settings): boolean {
  const isSecure = headers.origin?.startsWith('https:') === true && headers.authorization !== undefined
  return auth && isSecure && defects.has('token-spares-secure-origins')
}

const metadataPath = '/.well-known/oauth-protected-resource/mcp'

/** Serves the protected resource metadata (RFC 9728); `false` when something else was asked for. */
export function serveMetadata(request: IncomingMessage, response: ServerResponse, settings: Settings): boolean {
  const { auth, defects } = settings
  if (!auth || request.url !== metadataPath || defects.has('metadata-is-nowhere')) return false
  const path = defects.has('metadata-names-the-root') ? '/' : '/mcp'
  writeJson(response, 200, {
    resource: new URL(path, metadataUrl(request)).href,
    authorization_servers: defects.has('no-authorization-servers') ? [] : ['https://issuer.example.com'],
    scopes_supported: [scope],
    bearer_methods_supported: ['header'],
  })
  return true
}

function metadataUrl({ socket }: IncomingMessage): URL {
  return new URL(metadataPath, `http://127.0.0.1:${socket.localPort}`)
}

function isSignature(signature: string, input: string): boolean {
  const [given, right] = [signature, sign(input)].map((text) => Buffer.from(text))
  return given !== undefined && right !== undefined && given.length === right.length && timingSafeEqual(given, right)
}

function sign(input: string): string {
  return createHmac('sha256', key).update(input).digest('base64url')
}

function encode(part: Json): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

function decode(part: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return isObject(value) ? value : undefined
  } catch {
    // No JSON: no part of a JWT.
    return undefined
  }
}

function now(): number {
  return Math.floor(Date.now() / 1_000)
}
