import type { Report } from '../http/error-source.ts'
import { toFailure } from '../http/reply.ts'
import { expected } from '../option-checks.ts'
import type { AuthInfo } from '../rpc/server.ts'

/** Names principals with the function of the options. What it gives is not trusted: sessions belong to it. */
export function toPrincipal(
  given: ((auth: AuthInfo) => unknown) | undefined,
  onError: Report,
): (auth: AuthInfo) => string {
  const nameOf = given ?? createDefaultPrincipal(onError)
  return (auth) => {
    try {
      const name = nameOf(auth)
      // `undefined` would stand for nobody; a promise or an object would belong to no request that follows.
      if (typeof name === 'string' && name !== '') return name
      throw expected('`principal` to return a non-empty string', name)
    } catch (error) {
      throw toFailure('auth', error)
    }
  }
}

/** Issuer, subject and client. A token names its subject in a claim, which verifiers leave in `extra`. */
function createDefaultPrincipal(onError: Report): (auth: AuthInfo) => string {
  let isWarned = false
  return ({ clientId, extra }) => {
    // Some other plugin's object: whoever it stands for, all users would be one.
    if (typeof clientId !== 'string')
      throw expected('auth.clientId to be a string, or the option `principal`', clientId)
    const issuer = extra?.iss ?? extra?.issuer ?? null
    const subject = extra?.sub ?? extra?.subject ?? extra?.userId ?? null
    if (subject === null && !isWarned) {
      isWarned = true
      onError(new Error(withoutSubject), 'auth')
    }
    return JSON.stringify([issuer, subject, clientId])
  }
}

const withoutSubject =
  'An access token names no subject: all users of its client share their sessions. Let the verifier set extra.sub, or set the option `principal`'
