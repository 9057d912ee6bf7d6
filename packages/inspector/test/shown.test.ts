import { describe, expect, test } from 'vitest'
import { textToShown, toLine, toShown } from '../src/shown.ts'

const jwt = `eyJ${'a'.repeat(20)}.eyJ${'b'.repeat(20)}.${'c'.repeat(20)}`

describe('what a client wrote is shown', () => {
  test.each([
    [`Bearer ${'x'.repeat(20)} and more`, '••• and more'],
    [`the token ${jwt}, which is one`, 'the token •••, which is one'],
    [`x-${jwt}`, 'x-•••'],
    ['eyJust a word', 'eyJust a word'],
    [`eyJ${'a'.repeat(20)}`, `eyJ${'a'.repeat(20)}`],
    [`eyJ${'a'.repeat(20)}.b.c ${jwt}`, `eyJ${'a'.repeat(20)}.b.c •••`],
  ])('%s', (text, shown) => {
    expect(toLine(text)).toBe(shown)
    expect(JSON.parse(toShown({ text }))).toEqual({ text: shown })
  })

  test('with its secrets masked, also those of a list', () => {
    const headers = { 'set-cookie': ['sid=1; HttpOnly', 'csrf=2'], accept: ['text/html'] }
    expect(JSON.parse(textToShown(JSON.stringify({ headers, apiKey: 7, progressToken: 8 })))).toEqual({
      headers: { 'set-cookie': ['•••', '•••'], accept: ['text/html'] },
      ...{ apiKey: '•••', progressToken: 8 },
    })
  })

  test('in no time by the square of its length', () => {
    const begins = '-eyJ'.repeat(512)
    const startedAt = performance.now()
    toLine('-eyJ'.repeat(50_000))
    toShown(Array.from({ length: 1_000 }, () => begins))
    expect(performance.now() - startedAt).toBeLessThan(1_000)
  })
})
