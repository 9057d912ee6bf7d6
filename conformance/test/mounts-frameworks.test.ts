import { adapterNames } from '../mounts/index.ts'
import { describeMounts } from './mounts.ts'

describeMounts('auto', adapterNames.slice(3))
