import { expect, test } from 'vitest'
import { answersTo } from '../src/client/modern-answers.ts'

const form = { type: 'object', properties: { name: { type: 'string', minLength: 20 } }, required: ['name'] }
const sampling = { messages: [{ role: 'user', content: { type: 'text', text: 'Hello' } }], maxTokens: 100 }
const questions = {
  user: { method: 'elicitation/create', params: { message: 'Who?', requestedSchema: form } },
  page: { method: 'elicitation/create', params: { mode: 'url', message: 'Open', url: 'https://example.com/' } },
  model: { method: 'sampling/createMessage', params: sampling },
  roots: { method: 'roots/list' },
  unknown: { method: 'ping' },
}

test('answers each kind of question by the schema, and no other', () => {
  const { user, page, model, roots, ...others } = answersTo(questions)
  expect(user).toEqual({ action: 'accept', content: { name: 'conformancexxxxxxxxx' } })
  expect(page).toEqual({ action: 'accept' })
  expect(model).toMatchObject({ role: 'assistant', content: { type: 'text' }, model: 'throughline-conformance' })
  expect(roots).toEqual({ roots: [{ uri: 'file:///throughline-conformance', name: 'conformance' }] })
  expect(others).toEqual({})
})
