import { describeMounting } from '../../../test-support/adapters/describe-mounting.ts'
import { describeMounts } from '../../../test-support/adapters/describe-mounts.ts'
import { adapters, mountsOf } from './adapter.ts'

for (const adapter of adapters) {
  describeMounting(adapter)
  describeMounts(adapter, mountsOf(adapter.framework), ['PROPFIND'])
}
