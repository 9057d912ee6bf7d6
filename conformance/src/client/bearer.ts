import { randomBytes } from 'node:crypto'
import type { CheckContext } from './context.ts'
import type { Exchange } from './exchange.ts'
import { expectEqual, expectStatus, expectThat } from './expect.ts'
import type { HeaderChanges } from './http.ts'
import { initialize, isObject, type Json } from './json-rpc.ts'
import { freshPing } from './probes.ts'
import type { Session } from './session.ts'

/** Options of a request that carries `token` instead of the run's own; no token at all when it is `undefined`. */
export function withToken(token: string | undefined): { readonly headers: HeaderChanges } {
  return { headers: { Authorization: token === undefined ? undefined : `Bearer ${token}` } }
}

export const withoutToken = withToken(undefined)

/** Of the right form, issued by nobody. */
export const invalidToken = 'not-a-token-that-anybody-issued'

/** POSTs a ping, GETs and DELETEs in a session with `token`, and expects 401 each time. */
export async function expectUnauthorized(session: Session, token: string | undefined, what: string): Promise<void> {
  const options = withToken(token)
  expectStatus(await session.post(freshPing(), options), 401, `a POST with ${what}`)
  // A server may say that it has no such method before it asks who wants to know.
  expectStatus(await session.get(options), [401, 405], `a GET with ${what}`)
  expectStatus(await session.delete(options), [401, 405], `a DELETE with ${what}`)
}

/**
 * Tokens that say what `token` says and are signed by nobody: without a signature, and with one of random bytes. None for a
 * token that is no JWT. What it says of a person is left out: transcripts show these tokens.
 */
export function unsignedLike(token: string): string[] {
  const [header, claims] = token.split('.').slice(0, 2).map(decodePart)
  if (header === undefined || claims === undefined || token.split('.').length !== 3) return []
  const kept = ['iss', 'aud', 'azp', 'client_id', 'scope', 'scp', 'resource']
  const now = Math.floor(Date.now() / 1_000)
  const forged = {
    ...Object.fromEntries(Object.entries(claims).filter(([name]) => kept.includes(name))),
    ...{ sub: 'conformance', iat: now, nbf: now, exp: now + 3_600 },
  }
  return [
    `${encodePart({ ...header, alg: 'none' })}.${encodePart(forged)}.`,
    `${encodePart(header)}.${encodePart(forged)}.${randomBytes(32).toString('base64url')}`,
  ]
}

function decodePart(part: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return isObject(value) ? value : undefined
  } catch {
    // No JSON: no part of a JWT.
    return undefined
  }
}

function encodePart(part: Json): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

/** `initialize` without a token, refused. */
export async function refusedInitialize({ post, version }: CheckContext): Promise<Exchange> {
  const exchange = await post(initialize(version), withoutToken)
  expectStatus(exchange, 401, 'initialize without a token')
  return exchange
}

/** What a client needs to ask for the scopes that its token lacks (Runtime Insufficient Scope Errors). */
export function expectScopeChallenge(exchange: Exchange): void {
  const challenge = bearerChallenge(exchange)
  expectEqual(challenge?.get('error'), 'insufficient_scope', 'the error in WWW-Authenticate')
  for (const name of ['scope', 'resource_metadata']) {
    const got = exchange.header('www-authenticate')
    expectThat(Boolean(challenge?.get(name)), `Expected ${name} in WWW-Authenticate, got ${JSON.stringify(got)}`)
  }
}

/** Parameters of the Bearer challenge in `WWW-Authenticate` (RFC 9110 §11.6.1); `undefined` when there is none. */
export function bearerChallenge(exchange: Exchange): ReadonlyMap<string, string> | undefined {
  const parts = /([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/g
  let challenge: Map<string, string> | undefined
  let isBearer = false
  for (const [, name = '', quoted, plain] of (exchange.header('www-authenticate') ?? '').matchAll(parts)) {
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain
    if (value === undefined) isBearer = name.toLowerCase() === 'bearer'
    if (isBearer) challenge ??= new Map()
    if (isBearer && value !== undefined) challenge?.set(name.toLowerCase(), value)
  }
  return challenge
}
