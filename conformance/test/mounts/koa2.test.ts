import { describeMounts } from './describe-mounts.ts'

describeMounts('koa2')
