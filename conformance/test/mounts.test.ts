import { describeRequirements } from '../src/describe-requirements.ts'
import { startFixture } from '../src/fixture/start.ts'
import { describeMounts, frameworks, startUnderRouter } from './mounts.ts'

describeMounts('auto')

for (const [name, framework] of Object.entries(frameworks)) {
  describeRequirements(`${name} under a router`, { start: () => startUnderRouter(framework), strict: true })
}

// Not strict: what a server cannot do without streams, or without sessions, is skipped with the reason.
describeRequirements('answers in JSON only', { start: () => startFixture({ response: 'json' }) })

describeRequirements('without sessions', {
  start: () => startFixture({ sessions: false }),
  exclude: [{ id: 'session/id-comes-with-initialize', reason: 'there are no sessions' }],
})
