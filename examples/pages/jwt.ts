import { type AuthInfo, type BearerAuth, createBearerAuth } from '@throughline/mcp-http-core'
import { createRemoteJWKSet, jwtVerify } from 'jose'

export interface JwtOptions {
  readonly issuer: string
  /** `jwks_uri` of the issuer's metadata. */
  readonly jwksUrl: string
  /** The public URL of the endpoint, which tokens name as their audience. */
  readonly resource: string
}

/** Takes the tokens of one issuer that were made for this resource, and no others. */
export function createJwtAuth({ issuer, jwksUrl, resource }: JwtOptions): BearerAuth {
  // Fetches the keys when they are needed, and again when a token names one that is new.
  const keys = createRemoteJWKSet(new URL(jwksUrl))
  const expected = { issuer, audience: resource, algorithms: ['ES256', 'RS256'], requiredClaims: ['exp', 'sub'] }

  async function verify(token: string): Promise<AuthInfo> {
    const { payload } = await jwtVerify<{ client_id?: string; scope?: string }>(token, keys, expected)
    const { iss, sub, exp, client_id: clientId = '', scope = '' } = payload
    const claims = { clientId, scopes: scope.split(' '), extra: { iss, sub } }
    return { token, ...claims, ...(exp !== undefined && { expiresAt: exp }) }
  }

  return createBearerAuth({ resource, authorizationServers: [issuer], requiredScopes: ['mcp'], verify })
}
