import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js'
import type { RequestHandler } from 'express'
import { expect } from 'vitest'
import { describeAuth, type Protection } from '../../../test-support/adapters/describe-auth.ts'
import { describeBearerAuth } from '../../../test-support/adapters/describe-bearer-auth.ts'
import { verify } from '../../../test-support/adapters/tokens.ts'
import { adapters } from './adapter.ts'

const verifyAccessToken = async (token: string): Promise<AuthInfo> => {
  const auth = verify(token)
  if (!auth) throw new InvalidTokenError('Unknown token')
  return auth
}

const ofTheSdk: Protection<RequestHandler> = {
  name: 'requireBearerAuth',
  before: [requireBearerAuth({ verifier: { verifyAccessToken }, requiredScopes: ['mcp'] })],
  expectRefused: async (reply) => {
    expect(reply.status).toBe(401)
    expect(reply.headers['www-authenticate']).toContain('Bearer error="invalid_token"')
    await reply.text()
  },
}

for (const adapter of adapters) {
  describeAuth(adapter, [ofTheSdk])
  describeBearerAuth(adapter)
}
