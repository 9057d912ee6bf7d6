// Described by describe-server.test.ts: what vitest is told of it is what is tested.
import { startReferenceServer } from '../../doubles/reference-server.ts'
import { describeServer } from '../../src/describe-server.ts'
import { startWithMistakes } from './mistakes.ts'

const start = () => startReferenceServer({ stateless: true, defects: new Set(['other-methods-are-404']) })

describeServer('a server', {
  'with exclusions': {
    start,
    exclude: [
      { id: 'endpoint/unsupported-methods-are-405', reason: 'its framework answers 404' },
      { id: 'session/', reason: 'there are no sessions' },
      { id: 'endpoint/query-string-is-ignored', reason: 'it was so last year' },
    ],
  },
  'without exclusions': { start },
  'at all levels': { start, levels: 'all' },
  'at one level': { start, levels: ['MUST'] },
  'as in the command': { start: startWithMistakes },
  strictly: { start, strict: true },
  'that nobody else uses': { start: startWithMistakes, abuse: true },
})
