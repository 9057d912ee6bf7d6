import { describeMounts } from './describe-mounts.ts'

describeMounts('express')
