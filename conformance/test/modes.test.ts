import { startFixture } from '../mounts/index.ts'
import { describeServer } from '../src/describe-server.ts'

// What a server cannot do without streams, or without sessions, is skipped with the reason.
describeServer('the fixture', {
  'with JSON only': { start: () => startFixture({ response: 'json' }), levels: 'all', abuse: true },
  'without sessions': {
    start: () => startFixture({ sessions: false }),
    levels: 'all',
    abuse: true,
    exclude: [{ id: 'session/id-comes-with-initialize', reason: 'there are no sessions' }],
  },
  'of 2026-07-28 alone': {
    start: () => startFixture({ era: '2026', completions: false }),
    levels: 'all',
    abuse: true,
  },
})
