import type { CheckContext } from '../client/context.ts'
import { expectEqual, expectThat, notTestable } from '../client/expect.ts'
import { isObject, type Json } from '../client/json-rpc.ts'
import { describeAnswer, discover, type ModernAnswer, modernCall, modernList } from '../client/modern.ts'
import { requirement } from '../requirement.ts'

const errors = '2026-07-28/server/resources#error-handling'
const caching = '2026-07-28/server/utilities/caching'
const uri = 'throughline://no/such/resource'
const mostPages = 20

const listed: readonly (readonly [capability: string, method: string])[] = [
  ['tools', 'tools/list'],
  ['prompts', 'prompts/list'],
  ['resources', 'resources/list'],
  ['resources', 'resources/templates/list'],
]

async function offered(context: CheckContext): Promise<Json> {
  const { capabilities } = await discover(context)
  return isObject(capabilities) ? capabilities : {}
}

/** Reads a resource that no server has; not testable where there are no resources, or where every URI can be read. */
async function readMissing(context: CheckContext): Promise<ModernAnswer> {
  if ((await offered(context)).resources === undefined) notTestable('the server announces no resources')
  const answer = await modernCall(context, 'resources/read', { uri })
  const { result } = answer.response
  const isRead = result !== undefined && !(Array.isArray(result.contents) && result.contents.length === 0)
  return isRead ? notTestable('the server reads whatever URI it is given') : answer
}

/** Scopes of the pages of a list; none where it has one page only. */
async function scopesOf(context: CheckContext, method: string): Promise<unknown[]> {
  const scopes: unknown[] = []
  let cursor: unknown
  for (let page = 0; page < mostPages; page++) {
    const { response } = await modernCall(context, method, cursor === undefined ? {} : { cursor })
    if (response.result === undefined) break
    scopes.push(response.result.cacheScope)
    cursor = response.result.nextCursor
    if (typeof cursor !== 'string') break
  }
  return scopes.length > 1 ? scopes : []
}

/** T. Resources, and what caches may keep of them. */
export const modernResourceRequirements = [
  requirement({
    id: 'modern/unknown-resource-is-invalid-params',
    title: 'Reading a resource that does not exist is error -32602.',
    rows: ['R309'],
    level: 'MUST',
    spec: errors,
    era: 'modern',
    async check(context) {
      const answer = await readMissing(context)
      if (answer.response.error === undefined) return notTestable('the server answers with no error')
      expectThat(
        answer.response.error.code === -32602,
        `Expected error -32602 for a resource that does not exist, got ${describeAnswer(answer)}`,
      )
    },
  }),
  requirement({
    id: 'modern/unknown-resource-is-not-empty',
    title: 'Reading a resource that does not exist does not give empty contents.',
    rows: ['R309'],
    level: 'MUST NOT',
    spec: errors,
    era: 'modern',
    async check(context) {
      const answer = await readMissing(context)
      expectThat(
        answer.response.error !== undefined,
        `Expected an error for a resource that does not exist, got ${describeAnswer(answer)}`,
      )
    },
  }),
  requirement({
    id: 'modern/unknown-resource-error-names-the-uri',
    title: 'The error for a resource that does not exist has its uri as data.uri.',
    rows: ['R318'],
    level: 'MAY',
    spec: errors,
    because: 'The clause shows it in its example, and does not ask for it.',
    era: 'modern',
    async check(context) {
      const { error } = (await readMissing(context)).response
      if (error === undefined) return notTestable('the server answers with no error')
      expectEqual(isObject(error.data) ? error.data.uri : undefined, uri, 'data.uri of the error')
    },
  }),
  requirement({
    id: 'modern/read-results-have-cache-hints',
    title: 'The result of resources/read has a ttlMs from 0 and a cacheScope of public or private.',
    rows: ['R302'],
    level: 'MUST',
    spec: `${caching}#cacheable-results`,
    era: 'modern',
    async check(context) {
      const isOffered = (await offered(context)).resources !== undefined
      const [first] = isOffered ? await modernList(context, 'resources/list', 'resources') : []
      if (typeof first?.uri !== 'string') return notTestable('the server lists no resources')
      const { result } = (await modernCall(context, 'resources/read', { uri: first.uri })).response
      if (result === undefined) return notTestable(`the first resource of the list, ${first.uri}, cannot be read`)
      if (result.resultType === 'input_required') return notTestable('the server asks before it reads')
      const { ttlMs, cacheScope } = result
      expectThat(
        Number.isInteger(ttlMs) && Number(ttlMs) >= 0 && ['public', 'private'].includes(String(cacheScope)),
        `Expected ttlMs and cacheScope in the result of resources/read, got ${JSON.stringify({ ttlMs, cacheScope })}`,
      )
    },
  }),
  requirement({
    id: 'modern/pages-share-a-cache-scope',
    title: 'All pages of a list have the same cacheScope.',
    rows: ['R302'],
    level: 'MUST',
    spec: `${caching}#interaction-with-pagination`,
    era: 'modern',
    async check(context) {
      const capabilities = await offered(context)
      let isPaged = false
      for (const [capability, method] of listed) {
        const scopes = capabilities[capability] === undefined ? [] : await scopesOf(context, method)
        isPaged ||= scopes.length > 0
        expectThat(
          new Set(scopes).size <= 1,
          `Expected one cacheScope on all pages of ${method}, got ${JSON.stringify(scopes)}`,
        )
      }
      if (!isPaged) notTestable('no list of the server has several pages')
    },
  }),
]
