import { expected } from '../option-checks.ts'
import { DeadlineError, within } from '../promises/deadline.ts'
import { isThenable, type MaybePromise } from '../promises/maybe-promise.ts'
import type { AuthInfo } from '../rpc/server.ts'
import { Rejection } from './errors.ts'
import type { HttpRequest } from './http.ts'
import { type Faults, toRejection } from './reply.ts'

/** Time, in milliseconds, in which `auth` must settle. */
const authTimeoutMs = 10_000

export type Authenticator = (request: HttpRequest) => MaybePromise<AuthInfo | undefined>

/**
 * Sets who sent the request.
 * @throws Rejection what `auth` throws, `auth_unavailable` when it does not settle in time
 */
export async function authenticate(request: HttpRequest, auth: Authenticator, faults: Faults): Promise<void> {
  try {
    const given = auth(request)
    const identity = isThenable(given) ? await within(authTimeoutMs, given, 'auth to settle') : given
    request.auth = toIdentity(identity, 'auth')
  } catch (error) {
    throw toRejection(error instanceof DeadlineError ? unavailable(error) : error, request, faults, 'auth')
  }
}

/**
 * Who a function of the user's says that it is. What is half an answer lets nobody in: scopes that are one text would be
 * found in it by their parts, and a time that is no number would never come.
 * @throws TypeError
 */
export function toIdentity(identity: unknown, name: string): AuthInfo | undefined {
  if (identity === undefined) return undefined
  if (typeof identity !== 'object' || identity === null)
    throw expected(`${name} to give an AuthInfo or undefined`, identity)
  const { scopes, expiresAt } = identity as { readonly [Name in keyof AuthInfo]: unknown }
  const areScopes =
    scopes === undefined || (Array.isArray(scopes) && scopes.every((scope) => typeof scope === 'string'))
  if (!areScopes) throw expected(`the scopes that ${name} gives to be an array of strings`, scopes)
  if (expiresAt !== undefined && (!Number.isFinite(expiresAt) || areMilliseconds(expiresAt as number))) {
    throw expected(`the expiresAt that ${name} gives to be a number of seconds since 1970`, expiresAt)
  }
  return identity as AuthInfo
}

/** From 1973 on, as seconds after the year 5000. What is larger still is somebody's `never`. */
function areMilliseconds(expiresAt: number): boolean {
  return expiresAt > 1e11 && expiresAt < 1e14
}

function unavailable(cause: DeadlineError): Rejection {
  return new Rejection('auth_unavailable', { cause, headers: { 'retry-after': '5' } })
}
