import { describeClosing } from '../../../test-support/adapters/describe-closing.ts'
import { describeConnections } from '../../../test-support/adapters/describe-connections.ts'
import { describeSlowReaders } from '../../../test-support/adapters/describe-slow-readers.ts'
import { adapters } from './adapter.ts'

for (const adapter of adapters) {
  describeConnections(adapter)
  describeClosing(adapter)
  describeSlowReaders(adapter)
}
