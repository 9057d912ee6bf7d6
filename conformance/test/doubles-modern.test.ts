import { describeDoubles, modernSections } from '../doubles/describe-doubles.ts'

describeDoubles((section) => modernSections.has(section))
