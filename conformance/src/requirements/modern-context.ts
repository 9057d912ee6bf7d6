import { expectThat, notTestable } from '../client/expect.ts'
import { isObject, type Json, type Message } from '../client/json-rpc.ts'
import {
  describeAnswer,
  expectModernError,
  expectServed,
  type ModernAnswer,
  metaKeys,
  modernCall,
  modernCodes,
  modernPost,
  modernRequest,
  modernRole,
  modernTool,
} from '../client/modern.ts'
import { messagesOn } from '../client/probes.ts'
import { responseIn } from '../client/session.ts'
import { requirement } from '../requirement.ts'

const stateless = '2026-07-28/basic#statelessness'
const meta = '2026-07-28/basic#meta'
const logging = '2026-07-28/server/utilities/logging#per-request-log-level'
const missing = { status: 400, code: modernCodes.missingCapability }
const sampling: Json = { sampling: {} }
const severities = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']

function expectNotMissing(answer: ModernAnswer, what: string): void {
  expectThat(
    answer.response.error?.code !== modernCodes.missingCapability,
    `Expected ${what} to be served, got ${describeAnswer(answer)}`,
  )
}

/** Levels of the log messages that came with an answer. */
function levelsIn({ exchange }: ModernAnswer): string[] {
  return messagesOn(exchange)
    .filter(({ method }) => method === 'notifications/message')
    .map(({ params }) => String(params?.level))
}

function expectNoLogs(answer: ModernAnswer, what: string): void {
  const levels = levelsIn(answer)
  expectThat(levels.length === 0, `Expected no log messages for ${what}, got ${levels.length}`)
}

/** T. What a request brings along, and what stays of it: nothing. */
export const modernContextRequirements = [
  requirement({
    id: 'modern/missing-capability-is-400',
    title: 'A request that needs a capability its _meta does not declare is refused with 400 and error -32021.',
    rows: ['R277'],
    level: 'MUST',
    spec: meta,
    era: 'modern',
    needs: ['role:missing_capability'],
    async check(context) {
      await modernRole(context, 'missing_capability')
      expectModernError(await modernTool(context, 'missing_capability'), missing, 'a call without the capability')
      const answer = await modernTool(context, 'missing_capability', {}, { capabilities: sampling })
      expectNotMissing(answer, 'a call with the capability')
    },
  }),
  requirement({
    id: 'modern/missing-capability-is-named',
    title: 'The error for a missing capability has an object data.requiredCapabilities with it.',
    rows: ['R277'],
    level: 'MUST',
    spec: meta,
    era: 'modern',
    needs: ['role:missing_capability'],
    async check(context) {
      await modernRole(context, 'missing_capability')
      const { response } = await modernTool(context, 'missing_capability')
      if (response.error?.code !== modernCodes.missingCapability) notTestable('the call was not refused for it')
      const { data } = response.error ?? {}
      const required = isObject(data) ? data.requiredCapabilities : undefined
      expectThat(
        isObject(required) && Object.keys(required).length > 0,
        `Expected data.requiredCapabilities to name the capability, got ${JSON.stringify(response.error)}`,
      )
    },
  }),
  requirement({
    id: 'modern/connection-carries-no-capabilities',
    title: 'Capabilities that a request declared do not count for the next one on the same connection.',
    rows: ['R278'],
    level: 'MUST NOT',
    spec: stateless,
    era: 'modern',
    needs: ['role:missing_capability'],
    async check(context) {
      await modernRole(context, 'missing_capability')
      const agent = context.client.keepAlive()
      const first = await modernTool(context, 'missing_capability', {}, { capabilities: sampling, agent })
      expectNotMissing(first, 'a call with the capability')
      const second = await modernTool(context, 'missing_capability', {}, { agent })
      expectModernError(second, missing, 'a call without it on the same connection')
    },
  }),
  requirement({
    id: 'modern/connection-carries-no-version',
    title: 'A request without _meta is refused with 400 also after others on the same connection.',
    rows: ['R278'],
    level: 'MUST NOT',
    spec: stateless,
    era: 'modern',
    async check(context) {
      const agent = context.client.keepAlive()
      expectServed(await modernCall(context, 'server/discover', {}, { agent }), 'server/discover')
      const request: Message = { ...modernRequest('server/discover'), params: {} }
      const exchange = await modernPost(context, request, { agent })
      const answer = { request, exchange, response: await responseIn(exchange, request.id) }
      const what = 'a request without _meta on a connection with a past'
      expectThat(answer.response.error !== undefined, `Expected ${what} to be refused, got ${describeAnswer(answer)}`)
    },
  }),
  requirement({
    id: 'modern/connection-carries-no-log-level',
    title: 'A log level that a request asked for does not count for the next one on the same connection.',
    rows: ['R278', 'R293'],
    level: 'MUST NOT',
    spec: stateless,
    era: 'modern',
    needs: ['role:log'],
    async check(context) {
      await modernRole(context, 'log')
      const agent = context.client.keepAlive()
      await modernTool(context, 'log', {}, { agent, meta: { [metaKeys.logLevel]: 'debug' } })
      expectNoLogs(await modernTool(context, 'log', {}, { agent }), 'a request without logLevel after one with it')
    },
  }),
  requirement({
    id: 'modern/no-logs-without-a-level',
    title: 'A request without logLevel in _meta gets no log messages.',
    rows: ['R293'],
    level: 'MUST NOT',
    spec: logging,
    era: 'modern',
    needs: ['role:log'],
    async check(context) {
      await modernRole(context, 'log')
      expectNoLogs(await modernTool(context, 'log'), 'a request without logLevel')
    },
  }),
  requirement({
    id: 'modern/logs-are-at-or-above-the-level',
    title: 'A request with a logLevel gets no log messages below it.',
    rows: ['R293'],
    level: 'MUST NOT',
    spec: logging,
    era: 'modern',
    needs: ['role:log'],
    async check(context) {
      await modernRole(context, 'log')
      const answer = await modernTool(context, 'log', {}, { meta: { [metaKeys.logLevel]: 'error' } })
      const below = levelsIn(answer).filter((level) => severities.indexOf(level) < severities.indexOf('error'))
      expectThat(below.length === 0, `Expected no log messages below error, got ${below.join(', ')}`)
    },
  }),
]
