import type { CheckContext } from './context.ts'
import { fail, notTestable } from './expect.ts'
import { isObject, type Json } from './json-rpc.ts'
import { describeAnswer, discover, type ModernAnswer, modernCall, modernList } from './modern.ts'
import { answersTo, askable } from './modern-answers.ts'

/** A request that the server answers by questions first. */
export interface Asking {
  readonly method: string
  readonly params: Json
  readonly what: string
}

/** How a request is sent again. `undefined` leaves a member out. */
export interface Retry {
  readonly inputResponses?: unknown
  readonly requestState?: unknown
}

const prefix = 'test_input_required_result_'
const mostRounds = 10

/** What asks on the fixture server of the official suite: its names are reserved for tests, so that it may be called. */
async function listAsking(context: CheckContext): Promise<Asking[]> {
  const { capabilities } = await discover(context)
  const isOffered = (name: string) => isObject(capabilities) && capabilities[name] !== undefined
  const tools = isOffered('tools') ? await modernList(context, 'tools/list', 'tools') : []
  const prompts = isOffered('prompts') ? await modernList(context, 'prompts/list', 'prompts') : []
  const isMeant = ({ name }: Json) => typeof name === 'string' && name.startsWith(prefix)
  return [
    ...tools.filter(isMeant).map(({ name }) => ({ ...toolCall(String(name)), what: `a call of ${name}` })),
    ...prompts.filter(isMeant).map(({ name }) => ({ method: 'prompts/get', params: { name }, what: `prompt ${name}` })),
  ]
}

function toolCall(name: string): Omit<Asking, 'what'> {
  return { method: 'tools/call', params: { name, arguments: {} } }
}

/** The first answer to each request that asks, where the client can be asked everything. */
export async function askingRequests(context: CheckContext): Promise<{ asking: Asking; answer: ModernAnswer }[]> {
  const found = []
  const ask = context.target.roles.has('ask_modern')
    ? [{ ...toolCall('ask_modern'), what: 'a call of ask_modern' }]
    : []
  for (const asking of [...(await listAsking(context)), ...ask]) {
    const answer = await send(context, asking)
    if (isInterim(answer)) found.push({ asking, answer })
  }
  return found.length > 0
    ? found
    : notTestable(`the server has no tool that asks (${prefix}… or --tool ask_modern=NAME)`)
}

/** Of the requests that ask, those whose names promise what becomes of them. */
export async function officialRequests(context: CheckContext): Promise<{ asking: Asking; answer: ModernAnswer }[]> {
  const found = (await askingRequests(context)).filter(({ asking }) => String(asking.params.name).startsWith(prefix))
  return found.length > 0 ? found : notTestable(`the server has no tool of the name ${prefix}…`)
}

/** One of the tools of the official suite, and its first answer. */
export async function officialTool(
  context: CheckContext,
  name: string,
): Promise<{ asking: Asking; answer: ModernAnswer }> {
  const wanted = `${prefix}${name}`
  const tools = await modernList(context, 'tools/list', 'tools')
  if (!tools.some((tool) => tool.name === wanted)) notTestable(`the server has no tool ${wanted}`)
  const asking = { ...toolCall(wanted), what: `a call of ${wanted}` }
  const answer = await send(context, asking)
  return isInterim(answer) ? { asking, answer } : notTestable(`${wanted} asks nothing`)
}

export function isInterim({ response }: ModernAnswer): boolean {
  return response.result?.resultType === 'input_required'
}

/** `true` when the server did what was asked of it: neither a refusal, nor a further question. */
export function isDone({ response }: ModernAnswer): boolean {
  return response.result !== undefined && response.result.resultType !== 'input_required' && !response.result.isError
}

export function questionsIn({ response }: ModernAnswer): Json {
  return isObject(response.result?.inputRequests) ? response.result.inputRequests : {}
}

/** The request as a client sends it that can be asked everything, each time on a connection of its own. */
export async function send(
  context: CheckContext,
  { method, params }: Asking,
  retry: Retry = {},
  capabilities: Json = askable,
): Promise<ModernAnswer> {
  return await modernCall(context, method, { ...params, ...retry }, { capabilities })
}

/** What a client brings back after this answer: its own answers, and the state as it came. */
export function retryAfter(answer: ModernAnswer): Retry {
  const { inputRequests, requestState } = answer.response.result ?? {}
  return {
    ...(inputRequests === undefined ? {} : { inputResponses: answersTo(questionsIn(answer)) }),
    ...(requestState === undefined ? {} : { requestState }),
  }
}

/** Answers what is asked until nothing is any more; `undefined` when there is nothing to bring back. */
export async function complete(
  context: CheckContext,
  asking: Asking,
  first: ModernAnswer,
): Promise<ModernAnswer | undefined> {
  let answer = first
  for (let round = 0; round < mostRounds; round++) {
    if (!isInterim(answer)) return answer
    const retry = retryAfter(answer)
    if (Object.keys(retry).length === 0) return undefined
    answer = await send(context, asking, retry)
  }
  return fail(`Expected ${asking.what} to be complete after ${mostRounds} rounds, got ${describeAnswer(answer)}`)
}
