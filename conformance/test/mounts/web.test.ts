import { describeMounts } from './describe-mounts.ts'

describeMounts('web')
