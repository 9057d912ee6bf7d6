import { describeVariants } from './mounts.ts'

describeVariants()
