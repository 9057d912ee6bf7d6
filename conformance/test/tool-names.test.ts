import { expect, test } from 'vitest'
import { problemsOfNames, repeatedIn } from '../src/client/tool-names.ts'

test('tells names of tools by their length and characters', () => {
  expect(problemsOfNames(['getUser', 'DATA_EXPORT-v2', 'admin.tools.list', 'a'.repeat(128)])).toEqual([])
  expect(problemsOfNames(['', 'a'.repeat(129), 'two words', 'a/b', 'größe'])).toEqual([
    '"" has 0 characters',
    `"${'a'.repeat(40)}" has 129 characters`,
    '"two words" has " "',
    '"a/b" has "/"',
    '"größe" has "ö"',
  ])
  expect(repeatedIn(['a', 'b', 'a', 'a'])).toEqual(['a'])
})
