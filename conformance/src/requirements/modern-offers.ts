import type { Agent } from 'node:http'
import type { CheckContext } from '../client/context.ts'
import { expectEqual, expectThat, notTestable } from '../client/expect.ts'
import { isObject, type Json } from '../client/json-rpc.ts'
import { describeAnswer, discover, metaKeys, modernCall, modernList } from '../client/modern.ts'
import { problemsOfNames, repeatedIn } from '../client/tool-names.ts'
import { requirement } from '../requirement.ts'

const tools = '2026-07-28/server/tools'

/** A method that a capability stands for, and what is in its result where there is something to offer. */
interface Offer {
  readonly capability: string
  readonly method: string
  readonly params: Json
  readonly listIn: (result: Json) => unknown
}

const lists: readonly Offer[] = ['tools', 'prompts', 'resources'].map((capability) => ({
  capability,
  method: `${capability}/list`,
  params: {},
  listIn: (result) => result[capability],
}))

const completion: Offer = {
  capability: 'completions',
  method: 'completion/complete',
  params: { ref: { type: 'ref/prompt', name: 'throughline_no_such_prompt' }, argument: { name: 'a', value: '' } },
  listIn: ({ completion: found }) => (isObject(found) ? found.values : undefined),
}

async function offeredBy(context: CheckContext): Promise<(offer: Offer) => boolean> {
  const { capabilities } = await discover(context)
  if (!isObject(capabilities)) return notTestable('server/discover has no capabilities')
  return ({ capability }) => capabilities[capability] !== undefined
}

/** Names of the tools; not testable for a server that has no tools. */
async function toolNames(context: CheckContext): Promise<string[]> {
  const found = await modernList(context, 'tools/list', 'tools')
  const names = found.map(({ name }) => name).filter((name) => typeof name === 'string')
  return names.length > 0 ? names : notTestable('the server lists no tools')
}

async function firstPage(context: CheckContext, offer: Offer, agent: Agent): Promise<string> {
  const { response } = await modernCall(context, offer.method, {}, { agent })
  const entries = offer.listIn(response.result ?? {})
  const names = (Array.isArray(entries) ? entries : []).map((entry) =>
    isObject(entry) ? (entry.uri ?? entry.name) : '',
  )
  return JSON.stringify(names.toSorted())
}

/** T. What a server says that it offers, and what it offers. */
export const modernOfferRequirements = [
  requirement({
    id: 'modern/results-name-the-server',
    title: 'Every result has the name and version of the server in its _meta.',
    rows: ['R300'],
    level: 'SHOULD',
    spec: '2026-07-28/basic#meta',
    era: 'modern',
    async check(context) {
      const isOffered = await offeredBy(context)
      for (const method of ['server/discover', ...lists.filter(isOffered).map((offer) => offer.method)]) {
        const { response } = await modernCall(context, method)
        const meta = isObject(response.result?._meta) ? response.result._meta : {}
        const info = meta[metaKeys.server]
        expectThat(
          isObject(info) && typeof info.name === 'string' && typeof info.version === 'string',
          `Expected the result of ${method} to have ${metaKeys.server} with a name and a version in its _meta, got ${JSON.stringify(info ?? null)}`,
        )
      }
    },
  }),
  requirement({
    id: 'modern/announced-lists-are-served',
    title: 'tools/list, prompts/list and resources/list are answered where server/discover has the capability.',
    rows: ['R301'],
    level: 'MUST',
    spec: `${tools}#capabilities`,
    era: 'modern',
    async check(context) {
      const announced = lists.filter(await offeredBy(context))
      if (announced.length === 0) notTestable('the server announces neither tools nor prompts nor resources')
      for (const { method, listIn } of announced) {
        const answer = await modernCall(context, method)
        expectThat(
          Array.isArray(listIn(answer.response.result ?? {})),
          `Expected ${method}, whose capability is announced, to be answered with a list, got ${describeAnswer(answer)}`,
        )
      }
    },
  }),
  requirement({
    id: 'modern/unannounced-methods-are-unknown',
    title: 'Methods of a capability that server/discover does not have offer nothing: their error is -32601.',
    rows: ['R301'],
    level: 'dMUST',
    spec: `${tools}#capabilities`,
    because:
      'Servers that support tools, prompts, resources or completions declare it: what is not declared is no method of theirs.',
    era: 'modern',
    async check(context) {
      const isOffered = await offeredBy(context)
      const unannounced = [...lists, completion].filter((offer) => !isOffered(offer))
      if (unannounced.length === 0) notTestable('the server announces all that it could')
      for (const { capability, method, params, listIn } of unannounced) {
        const answer = await modernCall(context, method, params)
        const { error, result } = answer.response
        const entries = listIn(result ?? {})
        // An empty list offers nothing: to answer with one is no support that would have to be declared.
        const isNothing = Array.isArray(entries) && entries.length === 0
        expectThat(
          isNothing || error?.code === -32601,
          `Expected ${method} to be an unknown method, as server/discover has no ${capability}, got ${describeAnswer(answer)}`,
        )
      }
    },
  }),
  requirement({
    id: 'modern/lists-do-not-vary-by-connection',
    title: 'Two connections get the same lists of tools, prompts and resources.',
    rows: ['R312'],
    level: 'MUST NOT',
    spec: `${tools}#capabilities`,
    era: 'modern',
    async check(context) {
      const announced = lists.filter(await offeredBy(context))
      if (announced.length === 0) notTestable('the server announces neither tools nor prompts nor resources')
      const [one, other] = [context.client.keepAlive(), context.client.keepAlive()]
      for (const offer of announced) {
        // In turns: a list that changes with time changes on both.
        const seen = []
        for (const agent of [one, other, one, other]) seen.push(await firstPage(context, offer, agent))
        const [a, b, againA, againB] = seen
        const isSteady = a === againA && b === againB
        if (isSteady) expectEqual(b, a, `the result of ${offer.method} on another connection`)
      }
    },
  }),
  requirement({
    id: 'modern/tools-keep-their-order',
    title: 'tools/list lists the same tools in the same order each time.',
    rows: ['R311'],
    level: 'SHOULD',
    spec: `${tools}#capabilities`,
    era: 'modern',
    async check(context) {
      const first = await toolNames(context)
      if (first.length < 2) notTestable('the server lists fewer than two tools')
      for (let count = 0; count < 2; count++) {
        const names = await toolNames(context)
        const isSameSet = JSON.stringify(names.toSorted()) === JSON.stringify(first.toSorted())
        if (!isSameSet) notTestable('the list of tools changes meanwhile')
        expectEqual(names, first, 'the order of the tools')
      }
    },
  }),
  requirement({
    id: 'modern/tool-names-are-plain',
    title: 'Names of tools have 1 to 128 characters: letters, digits, underscores, hyphens and dots.',
    rows: ['R310'],
    level: 'SHOULD',
    spec: `${tools}#tool-names`,
    era: 'modern',
    async check(context) {
      const problems = problemsOfNames(await toolNames(context))
      expectThat(problems.length === 0, `Expected plain names of tools, but ${problems.slice(0, 3).join(', ')}`)
    },
  }),
  requirement({
    id: 'modern/tool-names-are-unique',
    title: 'No two tools have the same name.',
    rows: ['R310'],
    level: 'SHOULD',
    spec: `${tools}#tool-names`,
    era: 'modern',
    async check(context) {
      expectEqual(repeatedIn(await toolNames(context)), [], 'the names that several tools have')
    },
  }),
]
