import { expect, test } from 'vitest'
import { toFlameGraph } from '../src/flame-graph.ts'

const frame = (functionName: string, url = 'node:http', lineNumber = 1) => ({
  ...{ functionName, url, lineNumber },
  columnNumber: 0,
})

test('shows each function with its part of the time, callers above, and leaves out what was idle', () => {
  const svg = toFlameGraph(
    {
      nodes: [
        { id: 1, callFrame: frame('(root)'), children: [2, 4, 5] },
        { id: 2, callFrame: frame('serve'), children: [3] },
        { id: 3, callFrame: frame('writev') },
        // The same function, called from another line.
        { id: 4, callFrame: frame('serve') },
        { id: 5, callFrame: frame('(idle)') },
      ],
      samples: [2, 3, 4, 5],
      timeDeltas: [100, 200, 100, 5_000],
    },
    'a title',
  )
  const named = [...svg.matchAll(/>([^<>]+ %)</g)].map(([, text]) => text)
  expect(named).toEqual(['(root) 100.0 %', 'serve 100.0 %', 'writev 50.0 %'])
  expect(svg).toContain('a title')
})
