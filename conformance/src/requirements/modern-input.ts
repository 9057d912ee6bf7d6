import { expectThat, notTestable } from '../client/expect.ts'
import { isObject } from '../client/json-rpc.ts'
import { describeAnswer, discover, modernCall } from '../client/modern.ts'
import { askable, capabilityOf } from '../client/modern-answers.ts'
import {
  askingRequests,
  complete,
  isDone,
  isInterim,
  officialRequests,
  officialTool,
  questionsIn,
  retryAfter,
  send,
} from '../client/modern-rounds.ts'
import { requirement } from '../requirement.ts'

const rounds = '2026-07-28/basic/patterns/mrtr'
const server = `${rounds}#server-requirements-basic-workflow`
const errors = `${rounds}#error-handling`

/** A text that differs in its middle, so that no lenient decoder overlooks it. */
function spoil(state: string): string {
  const at = Math.floor(state.length / 2)
  return `${state.slice(0, at)}${state[at] === 'A' ? 'B' : 'A'}${state.slice(at + 1)}`
}

/** What can be asked of the client only inside the answer to one of three requests. */
const neverAsking: readonly (readonly [capability: string, method: string, params: Record<string, unknown>])[] = [
  ['tools', 'tools/list', {}],
  ['prompts', 'prompts/list', {}],
  ['resources', 'resources/list', {}],
  ['resources', 'resources/templates/list', {}],
  [
    'completions',
    'completion/complete',
    { ref: { type: 'ref/prompt', name: 'throughline_no_such_prompt' }, argument: { name: 'a', value: '' } },
  ],
]

/** T. Multi round-trip requests: what a server asks of its client, and what becomes of the answers. */
export const modernInputRequirements = [
  requirement({
    id: 'input/result-has-requests-or-state',
    title: 'A result of type input_required has inputRequests or a requestState.',
    rows: ['R304'],
    level: 'MUST',
    spec: server,
    era: 'modern',
    async check(context) {
      for (const { asking, answer } of await askingRequests(context)) {
        const { inputRequests, requestState } = answer.response.result ?? {}
        const isThere = isObject(inputRequests) || typeof requestState === 'string'
        expectThat(isThere, `Expected inputRequests or requestState for ${asking.what}, got ${describeAnswer(answer)}`)
      }
    },
  }),
  requirement({
    id: 'input/requests-are-of-three-kinds',
    title: 'Every entry of inputRequests is an elicitation, a sampling request or a request for roots.',
    rows: ['R304'],
    level: 'MUST',
    spec: server,
    era: 'modern',
    async check(context) {
      for (const { asking, answer } of await askingRequests(context)) {
        for (const [key, question] of Object.entries(questionsIn(answer))) {
          const isKnown = isObject(question) && Object.hasOwn(capabilityOf, String(question.method))
          expectThat(isKnown, `Expected ${asking.what} to ask by a known method, ${key} is ${JSON.stringify(question)}`)
        }
      }
    },
  }),
  requirement({
    id: 'input/only-declared-capabilities-are-asked',
    title: 'inputRequests has no request that the capabilities of the client do not cover.',
    rows: ['R305'],
    level: 'MUST NOT',
    spec: server,
    era: 'modern',
    async check(context) {
      for (const { asking } of await askingRequests(context)) {
        for (const declared of [undefined, ...Object.keys(askable)]) {
          const capabilities = declared === undefined ? {} : { [declared]: {} }
          const answer = await send(context, asking, {}, capabilities)
          const asked = Object.values(questionsIn(answer)).map((question) => isObject(question) && question.method)
          const wrong = asked.filter((method) => (capabilityOf[String(method)] ?? declared) !== declared)
          expectThat(
            wrong.length === 0,
            `Expected ${asking.what} by a client of capabilities ${JSON.stringify(capabilities)} to ask for nothing else, got ${wrong.join(', ')}`,
          )
        }
      }
    },
  }),
  requirement({
    id: 'input/answers-complete-the-request',
    title: 'A request that is sent again with all that was asked for, and the state, is answered in the end.',
    rows: ['R306'],
    level: 'dMUST',
    spec: `${rounds}#basic-workflow`,
    because:
      'The server then has what it needs, and nothing beside the request itself: the rounds come on connections of their own.',
    era: 'modern',
    async check(context) {
      for (const { asking, answer } of await officialRequests(context)) {
        const last = await complete(context, asking, answer)
        const isAnswered = last === undefined || isDone(last)
        expectThat(
          isAnswered,
          `Expected ${asking.what} to be completed by the answers, got ${last && describeAnswer(last)}`,
        )
      }
    },
  }),
  requirement({
    id: 'input/only-three-methods-ask',
    title: 'Only tools/call, prompts/get and resources/read are answered with input_required.',
    rows: ['R303'],
    level: 'MUST NOT',
    spec: `${rounds}#supported-requests`,
    era: 'modern',
    async check(context) {
      const { capabilities } = await discover(context)
      const offered = isObject(capabilities) ? capabilities : {}
      const asked = neverAsking.filter(([capability]) => offered[capability] !== undefined)
      for (const [, method, params] of [['', 'server/discover', {}] as const, ...asked]) {
        const answer = await modernCall(context, method, params, { capabilities: askable })
        expectThat(!isInterim(answer), `Expected ${method} to ask nothing, got ${describeAnswer(answer)}`)
      }
    },
  }),
  requirement({
    id: 'input/tampered-state-is-rejected',
    title: 'A requestState that was changed on its way is rejected.',
    rows: ['R307'],
    level: 'MUST',
    spec: server,
    because:
      'The tool is one whose state decides what it does: tampering may cause nothing worse than a failed request.',
    era: 'modern',
    async check(context) {
      const { asking, answer } = await officialTool(context, 'tampered_state')
      const { requestState } = answer.response.result ?? {}
      if (typeof requestState !== 'string') return notTestable('the tool sends no requestState')
      for (const state of [`${requestState}-TAMPERED`, spoil(requestState)]) {
        const retried = await send(context, asking, { ...retryAfter(answer), requestState: state })
        expectThat(!isDone(retried), `Expected a tampered requestState to be rejected, got ${describeAnswer(retried)}`)
      }
    },
  }),
  requirement({
    id: 'input/state-of-another-request-is-rejected',
    title: 'A requestState that was given for another request is rejected.',
    rows: ['R308'],
    level: 'SHOULD',
    spec: server,
    era: 'modern',
    async check(context) {
      const one = await officialTool(context, 'tampered_state')
      const other = await officialTool(context, 'request_state')
      const { requestState } = one.answer.response.result ?? {}
      const isStateful = requestState !== undefined && other.answer.response.result?.requestState !== undefined
      if (!isStateful) notTestable('the tools send no requestState')
      const retried = await send(context, other.asking, { ...retryAfter(other.answer), requestState })
      expectThat(
        !isDone(retried),
        `Expected the state of ${one.asking.what} to be rejected, got ${describeAnswer(retried)}`,
      )
    },
  }),
  requirement({
    id: 'input/missing-answer-is-asked-for-again',
    title:
      'A request that is sent again without an answer that the server needs is answered with input_required again.',
    rows: ['R308'],
    level: 'SHOULD',
    spec: errors,
    era: 'modern',
    async check(context) {
      const { asking, answer } = await officialTool(context, 'elicitation')
      const inputResponses = { throughline_other: { action: 'accept', content: {} } }
      const retried = await send(context, asking, { ...retryAfter(answer), inputResponses })
      expectThat(isInterim(retried), `Expected the question to be asked again, got ${describeAnswer(retried)}`)
    },
  }),
  requirement({
    id: 'input/unknown-answers-are-ignored',
    title: 'Answers to questions that nobody asked do no harm to those beside them.',
    rows: ['R308'],
    level: 'SHOULD',
    spec: errors,
    era: 'modern',
    async check(context) {
      const { asking, answer } = await officialTool(context, 'elicitation')
      const retry = retryAfter(answer)
      const more = { throughline_other: { action: 'accept', content: { more: 1 } } }
      const inputResponses = { ...(isObject(retry.inputResponses) ? retry.inputResponses : {}), ...more }
      const retried = await send(context, asking, { ...retry, inputResponses })
      expectThat(isDone(retried), `Expected an answer to nothing to be ignored, got ${describeAnswer(retried)}`)
    },
  }),
  requirement({
    id: 'input/malformed-answers-are-refused',
    title: 'inputResponses that are none do not complete the request.',
    rows: ['R308'],
    level: 'SHOULD',
    spec: errors,
    era: 'modern',
    async check(context) {
      const { asking, answer } = await officialTool(context, 'elicitation')
      const keys = Object.keys(questionsIn(answer))
      for (const inputResponses of [Object.fromEntries(keys.map((key) => [key, 12_345])), null]) {
        const retried = await send(context, asking, { ...retryAfter(answer), inputResponses })
        expectThat(
          !isDone(retried),
          `Expected inputResponses of ${JSON.stringify(inputResponses)} not to be taken, got ${describeAnswer(retried)}`,
        )
      }
    },
  }),
  requirement({
    id: 'input/interim-results-have-no-cache-hints',
    title: 'A result of type input_required has neither ttlMs nor cacheScope.',
    rows: ['R317'],
    level: 'SHOULD NOT',
    spec: '2026-07-28/server/utilities/caching#cacheable-results',
    because: 'The clause says it without a keyword: interim results are not cacheable and carry no hints.',
    era: 'modern',
    async check(context) {
      for (const { asking, answer } of await askingRequests(context)) {
        const { ttlMs, cacheScope } = answer.response.result ?? {}
        const isBare = ttlMs === undefined && cacheScope === undefined
        expectThat(isBare, `Expected ${asking.what} to be answered without cache hints, got ${describeAnswer(answer)}`)
      }
    },
  }),
]
