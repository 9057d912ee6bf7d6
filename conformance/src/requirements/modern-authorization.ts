import { expectScopeChallenge, invalidToken, withoutToken, withToken } from '../client/bearer.ts'
import type { CheckContext } from '../client/context.ts'
import { expectStatus } from '../client/expect.ts'
import { modernRole, modernSend } from '../client/modern.ts'
import { requirement } from '../requirement.ts'

const authorization = '2026-07-28/basic/authorization'

/** Of what a client sends, that which is answered at once and that which stays open. */
async function expectUnauthorized(context: CheckContext, token: string | undefined, what: string): Promise<void> {
  const options = token === undefined ? withoutToken : withToken(token)
  const { exchange } = await modernSend(context, 'server/discover', {}, options)
  expectStatus(exchange, 401, `server/discover ${what}`)
  const params = { notifications: { toolsListChanged: true } }
  const listening = await modernSend(context, 'subscriptions/listen', params, options)
  listening.exchange.abort()
  expectStatus(listening.exchange, 401, `subscriptions/listen ${what}`)
}

/** P. Authorization where no session is: each request brings its token. */
export const modernAuthorizationRequirements = [
  requirement({
    id: 'auth/modern-requests-need-the-token',
    title: 'A request of 2026-07-28 without a token is refused with 401, and so is a subscription.',
    rows: ['R236'],
    level: 'MUST',
    spec: `${authorization}#token-requirements`,
    because: 'A token belongs to every request, also to those of the revision without sessions.',
    era: 'modern',
    needs: ['auth'],
    async check(context) {
      await expectUnauthorized(context, undefined, 'without a token')
    },
  }),
  requirement({
    id: 'auth/modern-invalid-token-is-401',
    title: 'A request of 2026-07-28 with a token that nobody issued is refused with 401, and so is a subscription.',
    rows: ['R236'],
    level: 'MUST',
    spec: `${authorization}#token-handling`,
    era: 'modern',
    needs: ['auth'],
    async check(context) {
      await expectUnauthorized(context, invalidToken, 'with an invalid token')
    },
  }),
  requirement({
    id: 'auth/modern-scope-of-a-tool-is-challenged',
    title:
      'In 2026-07-28 a call of a tool that needs a scope which the token lacks is refused with 403 and told which one.',
    rows: ['R240'],
    level: 'SHOULD',
    spec: `${authorization}#runtime-insufficient-scope-errors`,
    era: 'modern',
    needs: ['auth', 'role:missing_scope'],
    async check(context) {
      await modernRole(context, 'missing_scope')
      const { exchange } = await modernSend(context, 'tools/call', { name: 'missing_scope', arguments: {} })
      expectStatus(exchange, 403, 'a call of the tool that needs another scope')
      expectScopeChallenge(exchange)
    },
  }),
]
