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
    const identity = auth(request)
    request.auth = isThenable(identity) ? await within(authTimeoutMs, identity, 'auth to settle') : identity
  } catch (error) {
    throw toRejection(error instanceof DeadlineError ? unavailable(error) : error, request, faults, 'auth')
  }
}

function unavailable(cause: DeadlineError): Rejection {
  return new Rejection('auth_unavailable', { cause, headers: { 'retry-after': '5' } })
}
