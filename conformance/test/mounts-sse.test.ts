import { describeMounts } from './mounts.ts'

describeMounts('sse')
