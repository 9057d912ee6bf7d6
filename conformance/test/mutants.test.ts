import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { mutants } from '../mutants/mutants.ts'

test.each(mutants)(
  'the source of the correct server has the place once where $name is planted',
  ({ file, from, to }) => {
    const source = readFileSync(new URL(`../doubles/${file}`, import.meta.url), 'utf8')
    expect(source.split(from)).toHaveLength(2)
    expect(to).not.toBe(from)
  },
)
