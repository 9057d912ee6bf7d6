import { describeMounts } from './describe-mounts.ts'

describeMounts('hono')
