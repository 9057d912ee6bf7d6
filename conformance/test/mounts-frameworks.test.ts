import { adapters } from '../mounts/index.ts'
import { describeMounts } from './mounts.ts'

describeMounts('auto', adapters.slice(3))
