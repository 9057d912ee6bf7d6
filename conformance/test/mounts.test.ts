import { startFixture } from '../mounts/index.ts'
import { describeRequirements } from '../src/describe-requirements.ts'
import { describeMounts } from './mounts.ts'

describeMounts('auto')

// Not strict: what a server cannot do without streams, or without sessions, is skipped with the reason.
describeRequirements('answers in JSON only', { start: () => startFixture({ response: 'json' }) })

describeRequirements('without sessions', {
  start: () => startFixture({ sessions: false }),
  exclude: [{ id: 'session/id-comes-with-initialize', reason: 'there are no sessions' }],
})
