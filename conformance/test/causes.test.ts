import { describe, expect, test } from 'vitest'
import { causes, createDiagnosis } from '../src/causes.ts'
import { requirements } from '../src/requirements/index.ts'

const failing = requirements.filter(({ level }) => level !== 'HARD' && level !== 'MAY')
const alone = (id: string, message = '') => createDiagnosis([{ id, message }])({ id, message })

describe('the causes of failures', () => {
  test('cover every requirement that can fail a run, also one that fails alone', () => {
    expect(failing.filter(({ id }) => alone(id) === undefined).map(({ id }) => id)).toEqual([])
  })

  test('name requirements that there are, each cause at least one', () => {
    const ids = new Set(requirements.map(({ id }) => id))
    const named = causes.flatMap(({ explains, shownBy }) => [...explains, ...(shownBy?.ids ?? [])])
    const isThere = (name: string) =>
      name === '' || ids.has(name) || (name.endsWith('/') && [...ids].some((id) => id.startsWith(name)))
    expect(named.filter((name) => !isThere(name))).toEqual([])
  })

  test('say what is wrong in a few words, and what to change in one sentence', () => {
    for (const { name, advice } of causes) {
      expect(name).toMatch(/^[A-Z].{5,70}[^.]$/)
      expect(advice).toMatch(/^[A-Z].{20,300}\.$/)
      expect(advice).not.toMatch(/[.!] [A-Z]/)
    }
    expect(new Set(causes.map(({ name }) => name)).size).toBe(causes.length)
  })

  test('one missing check of the Origin is one cause', () => {
    const ids = requirements
      .map(({ id }) => id)
      .filter((id) => /^origin\/.*(foreign-origin-cannot|null|look-alikes|refusal-is)/.test(id))
    const unmet = ids.map((id) => ({ id, message: 'Expected it to be refused with a 4xx status, got 200' }))
    expect(ids.length).toBeGreaterThan(5)
    expect(new Set(unmet.map(createDiagnosis(unmet))).size).toBe(1)
    expect(createDiagnosis(unmet)({ id: 'origin/null-is-refused', message: '' })?.name).toBe(
      'The Origin header is not checked',
    )
  })

  test('an Origin that is checked badly is not called unchecked', () => {
    expect(alone('origin/null-is-refused')?.name).toBe('Origins are compared too loosely')
    expect(alone('modern/foreign-origin-is-403', 'Expected status 403 in answer to it, got 400')?.name).not.toMatch(
      /not checked/,
    )
  })

  test('a GET that is refused for its version header is not called a method that is not served', () => {
    const message = 'Expected status 200 or 405 in answer to a GET (200 without MCP-Protocol-Version), got 400'
    expect(alone('endpoint/get-is-event-stream-or-405', message)?.name).toMatch(/for the version/)
    expect(alone('endpoint/get-is-event-stream-or-405')?.name).toMatch(/no proper 405/)
  })

  test('a message that shows the cause goes before the area', () => {
    const message = 'a session: Expected initialize to succeed, got {"message":"Already initialized"}'
    expect(alone('resume/replay-keeps-the-order', message)?.name).toBe('One server object serves all clients')
  })
})
