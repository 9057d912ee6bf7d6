import type { CheckContext } from '../client/context.ts'
import { expectStatus, expectThat } from '../client/expect.ts'
import { isObject, type Json } from '../client/json-rpc.ts'
import {
  describeAnswer,
  discover,
  expectServed,
  type ModernAnswer,
  metaKeys,
  modernCall,
  modernCodes,
  modernSend,
} from '../client/modern.ts'
import { requirement } from '../requirement.ts'

const transport = '2026-07-28/basic/transports/streamable-http'
const errorCodes = '2026-07-28/basic#error-codes'
const defined: ReadonlySet<number> = new Set(Object.values(modernCodes))

/** What can be listed, by the capability that offers it. */
const lists: readonly (readonly [string, string])[] = [
  ['tools', 'tools/list'],
  ['prompts', 'prompts/list'],
  ['resources', 'resources/list'],
  ['resources', 'resources/templates/list'],
]

/** Answers that caches may keep, of what the server offers. */
async function cacheable(context: CheckContext): Promise<[string, Json][]> {
  const found = await discover(context)
  const capabilities = isObject(found.capabilities) ? found.capabilities : {}
  const answers: [string, Json][] = [['server/discover', found]]
  for (const [capability, method] of lists) {
    if (capabilities[capability] === undefined) continue
    const { response } = await modernCall(context, method)
    if (response.result !== undefined) answers.push([method, response.result])
  }
  return answers
}

/** Answers to requests with which something is wrong. */
async function collectErrors(context: CheckContext): Promise<ModernAnswer[]> {
  return [
    await modernCall(context, 'throughline/no-such-method'),
    await modernCall(context, 'tools/call', { name: 'throughline_no_such_tool', arguments: {} }),
    await modernCall(context, 'resources/read', { uri: 'throughline://no/such/resource' }),
    await modernCall(context, 'prompts/get', { name: 'throughline_no_such_prompt' }),
    await modernCall(context, 'tools/list', { cursor: 'throughline-no-such-cursor' }),
    await modernCall(context, 'server/discover', {}, { headers: { 'Mcp-Method': 'tools/list' } }),
    await modernCall(context, 'server/discover', {}, { meta: { [metaKeys.capabilities]: undefined } }),
  ]
}

async function expectForbidden(context: CheckContext, origin: string): Promise<void> {
  const { exchange } = await modernSend(context, 'server/discover', {}, { headers: { Origin: origin } })
  expectStatus(exchange, 403, `a request with "Origin: ${origin}"`)
}

/** T. Results, errors and the Origin of revision 2026-07-28. */
export const modernResultRequirements = [
  requirement({
    id: 'modern/results-have-a-type',
    title: 'Every result has a resultType.',
    rows: ['R298'],
    level: 'MUST',
    spec: '2026-07-28/basic#result-responses',
    era: 'modern',
    async check(context) {
      for (const [method, { resultType }] of await cacheable(context)) {
        const isType = typeof resultType === 'string' && resultType !== ''
        expectThat(isType, `Expected the result of ${method} to have a resultType, got ${JSON.stringify(resultType)}`)
      }
    },
  }),
  requirement({
    id: 'modern/cacheable-results-have-hints',
    title: 'Results that can be cached have a ttlMs from 0 and a cacheScope of public or private.',
    rows: ['R298'],
    level: 'MUST',
    spec: '2026-07-28/server/utilities/caching#cacheable-results',
    era: 'modern',
    async check(context) {
      for (const [method, { resultType, ttlMs, cacheScope }] of await cacheable(context)) {
        if (resultType === 'input_required') continue
        expectThat(
          Number.isInteger(ttlMs) && Number(ttlMs) >= 0 && ['public', 'private'].includes(String(cacheScope)),
          `Expected ttlMs and cacheScope in the result of ${method}, got ${JSON.stringify({ ttlMs, cacheScope })}`,
        )
      }
    },
  }),
  requirement({
    id: 'modern/error-codes-are-defined',
    title: 'No error has code -32002 or -32042, or one from -32020 to -32099 that the revision does not define.',
    rows: ['R296'],
    level: 'MUST NOT',
    spec: errorCodes,
    era: 'modern',
    async check(context) {
      for (const answer of await collectErrors(context)) {
        const code = answer.response.error?.code ?? 0
        const isReserved = code <= -32020 && code >= -32099
        const isGone = code === -32002 || code === -32042
        expectThat(
          !isGone && (!isReserved || defined.has(code)),
          `Expected no error of code ${code} in answer to ${answer.request.method}, got ${describeAnswer(answer)}`,
        )
      }
    },
  }),
  requirement({
    id: 'modern/legacy-error-codes-are-not-used',
    title: 'No error has a code from -32000 to -32019.',
    rows: ['R296'],
    level: 'SHOULD NOT',
    spec: errorCodes,
    era: 'modern',
    async check(context) {
      for (const answer of await collectErrors(context)) {
        const code = answer.response.error?.code ?? 0
        expectThat(
          code > -32000 || code < -32019 || code === -32002,
          `Expected no error of code ${code} in answer to ${answer.request.method}, got ${describeAnswer(answer)}`,
        )
      }
    },
  }),
  requirement({
    id: 'modern/foreign-origin-is-403',
    title: 'A request of 2026-07-28 with an Origin that is not allowed is refused with 403.',
    rows: ['R297', 'T2'],
    level: 'MUST',
    spec: `${transport}#security-&-endpoint`,
    era: 'modern',
    async check(context) {
      await expectForbidden(context, 'http://evil.example.com')
    },
  }),
  requirement({
    id: 'modern/null-and-look-alike-origins-are-403',
    title: 'A request of 2026-07-28 with an Origin of null, or one that only looks allowed, is refused with 403.',
    rows: ['R297', 'T2'],
    level: 'MUST',
    spec: `${transport}#security-&-endpoint`,
    because: 'An Origin is valid when it is one of those allowed, compared as a whole.',
    era: 'modern',
    async check(context) {
      const { hostname, port } = context.url
      await expectForbidden(context, 'null')
      await expectForbidden(context, `http://${hostname}.evil.example.com`)
      await expectForbidden(context, `http://evil.example.com:${port || 80}`)
      expectServed(await modernCall(context, 'server/discover'), 'a request without an Origin')
    },
  }),
]
