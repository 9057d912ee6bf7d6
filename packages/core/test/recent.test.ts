import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Recent } from '../src/queues/recent.ts'

test('whatever is set and deleted, the newest are there, and no more than so many', { retry: 0 }, () => {
  const most = 3
  const keys = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
  fc.assert(
    fc.property(fc.array(fc.tuple(keys, fc.boolean())), (steps) => {
      const recent = new Recent<string, number>(most)
      let expected: (readonly [string, number])[] = []
      for (const [i, [key, sets]] of steps.entries()) {
        expected = expected.filter(([other]) => other !== key)
        if (sets) {
          recent.set(key, i)
          expected = [...expected, [key, i] as const].slice(-most)
        } else recent.delete(key)
        expect(recent.size).toBe(expected.length)
        for (const each of 'abcdef') expect(recent.get(each)).toBe(new Map(expected).get(each))
      }
    }),
  )
})
