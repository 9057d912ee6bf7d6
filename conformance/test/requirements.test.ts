import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { requirements } from '../src/requirements/index.ts'
import { unobservable } from '../src/requirements/unobservable.ts'
import { toSpecUrl } from '../src/spec-url.ts'

function linesOf(file: string): string[] {
  return readFileSync(new URL(file, import.meta.url), 'utf8')
    .trim()
    .split('\n')
}

// Number, section and level of the rows this suite promises to check, as the catalogue has them.
const promised = linesOf('rows.txt').map((line) => {
  const [row = '', section = '', ...level] = line.split(' ')
  return { row, section, level: level.join(' ') }
})
const cited = new Set(requirements.flatMap(({ rows }) => rows))

describe('the catalogue of requirements', () => {
  test('has the ids it always had, and new ones only on purpose', () => {
    expect(requirements.map(({ id }) => id)).toEqual(linesOf('ids.txt'))
  })

  test('has no id twice', () => {
    expect(new Set(requirements.map(({ id }) => id)).size).toBe(requirements.length)
  })

  test('names each requirement area/what-it-says', () => {
    for (const { id } of requirements) expect(id).toMatch(/^[a-z0-9-]+\/[a-z0-9-]+$/)
  })

  test('says in a sentence what each requirement is, and for a derived one why it follows', () => {
    for (const { id, title, level, because = '' } of requirements) {
      expect(title, id).toMatch(/^\S.+\.$/)
      if (level === 'dMUST') expect(because, id).toMatch(/^\S.+\.$/)
    }
  })

  test('cites a clause that can be found', () => {
    for (const { id, spec } of requirements) expect(toSpecUrl(spec), id).toMatch(/^https:/)
  })

  test('cites a row of the catalogue or of the threat table for each requirement', () => {
    for (const { id, rows } of requirements) {
      expect(rows.length, id).toBeGreaterThan(0)
      for (const row of rows) expect(row, id).toMatch(/^(R\d{3}|T\d{1,2})$/)
    }
  })

  test('checks every promised row, or says why none can', () => {
    const known = new Set([...cited, ...unobservable.map(({ row }) => row)])
    expect(promised.filter(({ row }) => !known.has(row))).toEqual([])
  })

  test('gives no reason for a row that is checked after all', () => {
    expect(unobservable.filter(({ row }) => cited.has(row))).toEqual([])
  })

  test('has a level of MUST wherever the row has one', () => {
    const musts = new Set(
      promised.filter(({ level }) => level.includes('MUST') && level !== 'MUST?').map(({ row }) => row),
    )
    const weaker = requirements.filter(
      ({ level, rows }) => !level.includes('MUST') && rows.every((row) => musts.has(row)),
    )
    // Their rows say several things, and what these check is what the clause only recommends.
    const recommended = [
      'post/unlisted-type-is-never-sent',
      'notification/unacceptable-is-an-http-error',
      'post-stream/carries-no-progress-of-another-call',
      'version/refused-delete-leaves-the-session',
      'progress/falsy-tokens-are-tokens',
      'modern/legacy-error-codes-are-not-used',
      'modern/integer-param-is-compared-as-a-number',
    ]
    expect(weaker.map(({ id }) => id)).toEqual(recommended)
  })
})
