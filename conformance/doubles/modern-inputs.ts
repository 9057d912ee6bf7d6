import { createHmac, timingSafeEqual } from 'node:crypto'
import type { ModernCall, ModernTool } from './modern-tools.ts'
import { ModernRefusal } from './modern-wire.ts'
import { isObject, type Json } from './wire.ts'

/** What the client is asked, by the key of its answer. */
type Questions = Readonly<Record<string, Json>>

const schema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] }
const elicitation = { method: 'elicitation/create', params: { message: 'What is your name?', requestedSchema: schema } }
const sampling = {
  method: 'sampling/createMessage',
  params: { messages: [{ role: 'user', content: { type: 'text', text: 'Say something.' } }], maxTokens: 100 },
}
const roots = { method: 'roots/list', params: {} }

const capabilityOf: Readonly<Record<string, string>> = {
  'elicitation/create': 'elicitation',
  'sampling/createMessage': 'sampling',
  'roots/list': 'roots',
}

function ask(inputRequests: Questions, requestState?: string): Json {
  return { resultType: 'input_required', inputRequests, ...(requestState === undefined ? {} : { requestState }) }
}

/** Only what the client says it can be asked may be asked (Server Requirements 7). */
function needs({ request }: ModernCall, questions: Questions): void {
  for (const { method } of Object.values(questions)) {
    const capability = capabilityOf[String(method)] ?? ''
    if (request.capabilities[capability] !== undefined) continue
    const data = { requiredCapabilities: { [capability]: {} } }
    throw new ModernRefusal(400, -32021, `Missing required client capability: ${capability}`, { data })
  }
}

/** The answers to these questions; `undefined` while one is missing. */
function answersIn({ request, defects }: ModernCall, questions: Questions): Json | undefined {
  const { inputResponses } = request.params
  if (inputResponses === undefined) return undefined
  if (!isObject(inputResponses)) throw new ModernRefusal(200, -32602, 'Expected inputResponses to be an object')
  const others = Object.keys(inputResponses).filter((key) => !Object.hasOwn(questions, key))
  const hasAll = Object.keys(questions).every((key) => Object.hasOwn(inputResponses, key))
  if (hasAll && others.length > 0 && defects.has('modern-unknown-answers-refused')) {
    throw new ModernRefusal(200, -32602, `Nobody asked ${others.join(', ')}`)
  }
  if (!hasAll) return defects.has('modern-missing-answer-is-not-missed') ? inputResponses : undefined
  const isMalformed = Object.keys(questions).some((key) => !isObject(inputResponses[key]))
  if (isMalformed && !defects.has('modern-malformed-answers-accepted')) {
    throw new ModernRefusal(200, -32602, 'Expected each of inputResponses to be an object')
  }
  return inputResponses
}

/** Asks, and is done when everything is answered. */
function askOnce(questions: Questions): (args: Json, call: ModernCall) => Json | string {
  return (_, call) => {
    needs(call, questions)
    const isDeaf = questions.client_roots !== undefined && call.defects.has('modern-answers-are-never-enough')
    return answersIn(call, questions) === undefined || isDeaf ? ask(questions) : 'Thank you.'
  }
}

const key = 'a key of the reference server alone'

interface State {
  readonly tool: string
  readonly round: number
}

/** Signed, and bound to the tool it is for (Server Requirements 4 and 5). */
function seal(state: State): string {
  const body = Buffer.from(JSON.stringify(state)).toString('base64url')
  return `${body}.${createHmac('sha256', key).update(body).digest('base64url')}`
}

function open({ request, defects }: ModernCall): State | undefined {
  const { requestState, name } = request.params
  if (requestState === undefined) return undefined
  const [body = '', signature = ''] = String(requestState).split('.')
  const isSpared = String(name).endsWith('tampered_state') && defects.has('modern-tampered-state-accepted')
  const expected = createHmac('sha256', key).update(body).digest()
  const given = Buffer.from(signature, 'base64url')
  const isSigned = signature === given.toString('base64url') && given.length === expected.length
  if (isSpared) return { tool: String(name), round: 1 }
  if (!isSigned || !timingSafeEqual(given, expected)) throw new ModernRefusal(200, -32602, 'Invalid requestState')
  const state: State = JSON.parse(Buffer.from(body, 'base64url').toString())
  const isForeign = state.tool !== name && !defects.has('modern-state-of-another-tool-accepted')
  if (isForeign) throw new ModernRefusal(200, -32602, 'The requestState is for another request')
  return state
}

/** Asks so often as there are rounds, and keeps in the state how far it has come. */
function askInRounds(...rounds: readonly Questions[]): (args: Json, call: ModernCall) => Json | string {
  return (_, call) => {
    for (const questions of rounds) needs(call, questions)
    const tool = String(call.request.params.name)
    const asked = open(call)?.round ?? 0
    const isAnswered = asked > 0 && answersIn(call, rounds[asked - 1] ?? {}) !== undefined
    const round = isAnswered ? asked + 1 : Math.max(asked, 1)
    const questions = rounds[round - 1]
    return questions === undefined ? 'state-ok' : ask(questions, seal({ tool, round }))
  }
}

/** Asks what the client can be asked, and nothing else. */
function askWhatIsDeclared(_: Json, call: ModernCall): Json | string {
  const { request, defects } = call
  if (request.params.inputResponses !== undefined) return 'Thank you.'
  const { capabilities } = request
  const questions: Record<string, Json> = {}
  if (capabilities.sampling !== undefined) questions.sample = sampling
  const isRash = defects.has('modern-asks-what-is-not-declared')
  if (capabilities.elicitation !== undefined || isRash) questions.user_name = elicitation
  if (defects.has('modern-asks-by-another-method')) questions.other = { method: 'throughline/ask', params: {} }
  if (Object.keys(questions).length === 0) return 'There is nothing that could be asked.'
  if (defects.has('modern-asks-nothing-and-keeps-nothing')) return { resultType: 'input_required' }
  const hints = defects.has('modern-interim-results-have-hints') ? { ttlMs: 0, cacheScope: 'private' } : {}
  return { ...ask(questions), ...hints }
}

const name = { user_name: elicitation }

/** The tools of the official suite that ask. */
export const inputTools: readonly [string, ModernTool][] = (
  [
    ['elicitation', askOnce(name)],
    ['sampling', askOnce({ sample: sampling })],
    ['list_roots', askOnce({ client_roots: roots })],
    ['request_state', askInRounds(name)],
    ['multiple_inputs', askInRounds({ ...name, sample: sampling, client_roots: roots })],
    ['multi_round', askInRounds(name, { step: elicitation })],
    ['tampered_state', askInRounds(name)],
    ['capabilities', askWhatIsDeclared],
  ] as const
).map(([tool, run]) => [`test_input_required_result_${tool}`, { inputs: {}, run }])

/** The prompt that asks before there is one; `undefined` when it has been answered. */
export function askForPrompt(call: ModernCall): Json | undefined {
  needs(call, name)
  return answersIn(call, name) === undefined ? ask(name) : undefined
}
