import { describeClientLeaves } from '../../../test-support/adapters/describe-client-leaves.ts'
import { describeReaderLeaves } from '../../../test-support/adapters/describe-reader-leaves.ts'
import { adapters } from './adapter.ts'

for (const adapter of adapters) {
  const fronts = [
    { name: 'without express.json()', before: [], parses: false },
    { name: 'with express.json()', before: [adapter.framework.json()], parses: true },
  ]
  describeClientLeaves(adapter, { fronts })
  describeReaderLeaves(adapter)
}
