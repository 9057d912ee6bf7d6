import { isObject, type Json } from './json-rpc.ts'

/** Client capabilities that let a server of 2026-07-28 ask for everything. */
export const askable: Json = { elicitation: {}, sampling: {}, roots: {} }

/** The capability that a question needs, by its method. */
export const capabilityOf: Readonly<Record<string, string>> = {
  'elicitation/create': 'elicitation',
  'sampling/createMessage': 'sampling',
  'roots/list': 'roots',
}

const answers: Readonly<Record<string, (params: Json) => Json>> = {
  // A user who goes to a URL brings back nothing but consent.
  'elicitation/create': ({ mode, requestedSchema }) =>
    mode === 'url' ? { action: 'accept' } : { action: 'accept', content: fillIn(requestedSchema) },
  'sampling/createMessage': () => ({
    role: 'assistant',
    content: { type: 'text', text: 'An answer of the conformance suite.' },
    model: 'throughline-conformance',
    stopReason: 'endTurn',
  }),
  'roots/list': () => ({ roots: [{ uri: 'file:///throughline-conformance', name: 'conformance' }] }),
}

/** Each question answered as a client whose user agrees to everything does. */
export function answersTo(questions: Json): Json {
  return Object.fromEntries(
    Object.entries(questions).flatMap(([key, question]) => {
      if (!isObject(question)) return []
      const answer = answers[String(question.method)]
      return answer === undefined ? [] : [[key, answer(isObject(question.params) ? question.params : {})]]
    }),
  )
}

/** A value for each field of a form. */
function fillIn(schema: unknown): Json {
  const fields = isObject(schema) && isObject(schema.properties) ? schema.properties : {}
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, valueFor(isObject(field) ? field : {})]),
  )
}

const formats: Readonly<Record<string, string>> = {
  email: 'conformance@example.com',
  uri: 'https://example.com/',
  date: '2026-07-28',
  'date-time': '2026-07-28T00:00:00Z',
}

function valueFor(field: Json): unknown {
  if (field.default !== undefined) return field.default
  if (field.type === 'boolean') return true
  if (field.type === 'number' || field.type === 'integer') return Math.max(1, Number(field.minimum ?? 1))
  if (field.type === 'array') return [firstChoice(isObject(field.items) ? field.items : {}) ?? 'one']
  const text = firstChoice(field) ?? formats[String(field.format)] ?? 'conformance'
  return text.padEnd(Number(field.minLength ?? 0), 'x')
}

function firstChoice({ enum: plain, oneOf, anyOf }: Json): string | undefined {
  const [choice] = [plain, oneOf, anyOf].flatMap((list) => (Array.isArray(list) ? list : []))
  const value: unknown = isObject(choice) ? choice.const : choice
  return typeof value === 'string' ? value : undefined
}
