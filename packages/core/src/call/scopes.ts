import { wellKnown } from '../http/bearer-auth.ts'
import { Rejection } from '../http/errors.ts'
import type { Incoming } from '../http/read-message.ts'
import { toFailure } from '../http/reply.ts'
import { isThenable } from '../promises/maybe-promise.ts'
import type { JsonRpcRequest } from '../rpc/json-rpc.ts'
import type { AuthInfo, ScopeResolver } from '../rpc/server.ts'
import { requestsIn } from './dispatch.ts'

/**
 * Asks a server object of SDK 2.x whether requests need scopes that the token lacks: of one tool, resource or prompt
 * (Authorization, Runtime Insufficient Scope Errors). `undefined`: none does, or there is nobody to ask.
 * @throws Rejection `insufficient_scope`, and `internal_error` when the server object's code fails
 */
export function checkScopes(
  find: ScopeResolver | undefined,
  incoming: Incoming,
  auth: AuthInfo | undefined,
): Promise<void> | undefined {
  return find && checkEach(find, requestsIn(incoming), auth)
}

function checkEach(
  find: ScopeResolver,
  requests: readonly JsonRpcRequest[],
  auth: AuthInfo | undefined,
): Promise<void> | undefined {
  for (const [i, request] of requests.entries()) {
    const found = ask(find, request, auth)
    if (isThenable(found)) return checkLater(found, auth, () => checkEach(find, requests.slice(i + 1), auth))
    refuse(found, auth)
  }
  return undefined
}

async function checkLater(
  found: PromiseLike<unknown>,
  auth: AuthInfo | undefined,
  goOn: () => Promise<void> | undefined,
): Promise<void> {
  try {
    refuse(await found, auth)
  } catch (error) {
    throw toFailure('server', error)
  }
  await goOn()
}

function ask(find: ScopeResolver, request: JsonRpcRequest, authInfo: AuthInfo | undefined): unknown {
  try {
    return find(authInfo ? { request, authInfo } : { request })
  } catch (error) {
    throw toFailure('server', error)
  }
}

function refuse(found: unknown, auth: AuthInfo | undefined): void {
  if (found === undefined) return
  const { scopes, errorDescription = 'Insufficient scope' } = toChallenge(found)
  const metadataUrl = metadataUrlOf(auth)
  const parameters = [
    ...(metadataUrl === undefined ? [] : [`resource_metadata="${metadataUrl}"`]),
    `scope="${scopes.join(' ')}"`,
    'error="insufficient_scope"',
    `error_description="${errorDescription}"`,
  ]
  throw new Rejection('insufficient_scope', { headers: { 'www-authenticate': `Bearer ${parameters.join(', ')}` } })
}

interface Challenge {
  readonly scopes: readonly string[]
  readonly errorDescription?: string
}

/** Goes into a header: RFC 6750 §3 says what may be in a scope, and in a description. */
const scope = /^[\x21\x23-\x5b\x5d-\x7e]+$/
const description = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/

/** What is half a challenge lets nobody in. */
function toChallenge(found: unknown): Challenge {
  const { scopes, errorDescription } = (found ?? {}) as Partial<Challenge>
  const areScopes = Array.isArray(scopes) && scopes.length > 0 && scopes.every((each) => scope.test(each))
  if (areScopes && (errorDescription === undefined || description.test(errorDescription))) return found as Challenge
  const error = new TypeError('Expected scopeChallenge to give undefined, or scopes that a token needs (RFC 6750 §3)')
  throw new Rejection('internal_error', { cause: error, source: 'server' })
}

/** Where clients find who issues tokens. */
function metadataUrlOf({ resource, resourceMetadataUrl }: Partial<AuthInfo> = {}): string | undefined {
  const given = readWebUrl(resourceMetadataUrl)
  const own = readWebUrl(resource)
  return (given ?? (own && wellKnown(own)))?.href
}

function readWebUrl(given: URL | string | undefined): URL | undefined {
  const url = given !== undefined && URL.canParse(String(given)) ? new URL(given) : undefined
  return url?.protocol === 'https:' || url?.protocol === 'http:' ? url : undefined
}
