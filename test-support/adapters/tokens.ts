import type { AuthInfo } from '../../packages/core/src/index.ts'
import type { Tool } from '../sdk-server.ts'

interface Claims {
  readonly iss: string
  readonly sub: string
  readonly clientId: string
  readonly scopes?: readonly string[]
}

const alice: Claims = { iss: 'https://id.example.com', sub: 'alice', clientId: 'app' }

/** Tokens are `<name>.<number>`: a refresh changes the number. */
const users: Record<string, Claims> = {
  alice,
  bob: { ...alice, sub: 'bob' },
  'alice-elsewhere': { ...alice, iss: 'https://other.example.com' },
  'alice-other-app': { ...alice, clientId: 'other-app' },
  limited: { ...alice, sub: 'limited', scopes: [] },
}

/** What an app verifies by. */
export function verify(token: string): AuthInfo | undefined {
  const claims = users[token.split('.', 1)[0] as string]
  if (!claims) return undefined
  const { iss, sub, clientId, scopes = ['mcp'] } = claims
  const expiresAt = Math.floor(Date.now() / 1_000) + 60
  return { token, clientId, scopes: [...scopes], expiresAt, extra: { iss, sub } }
}

/** What an app of its own verifies by: the token of an `Authorization` header. */
export function verifyHeader(authorization: string | undefined): AuthInfo | undefined {
  return verify(authorization?.replace(/^Bearer /, '') ?? '')
}

export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` }
}

export const whoami: Tool = (_args, { authInfo }) => authInfo ?? null
