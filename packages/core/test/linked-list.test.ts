import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Link, LinkedList } from '../src/queues/linked-list.ts'

test('whatever comes and goes, items stay in the order in which they came', { retry: 0 }, () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat())), (steps) => {
      const list = new LinkedList<number>()
      const links: Link<number>[] = []
      for (const [i, [adds, place]] of steps.entries()) {
        if (adds || links.length === 0) links.push(list.add(i))
        else list.remove(links.splice(place % links.length, 1)[0] as Link<number>)
        const items = links.map(({ item }) => item)
        expect(list.toArray()).toEqual(items)
        expect([list.first?.item, list.last?.item]).toEqual([items[0], items.at(-1)])
        expect(list.find((item) => item === items[1])).toBe(items[1])
        expect(list.size).toBe(items.length)
      }
    }),
  )
})

test('what has left holds nothing of those that stay', () => {
  const list = new LinkedList<string>()
  const [, middle] = [list.add('a'), list.add('b'), list.add('c')]
  list.remove(middle as Link<string>)
  expect(middle).toEqual({ item: 'b', since: 0, before: undefined, after: undefined })
  expect(list.toArray()).toEqual(['a', 'c'])
})
