import { describeVariants } from '../test/mounts.ts'

describeVariants()
