import { describeMounts } from '../test/mounts.ts'

describeMounts('sse')
