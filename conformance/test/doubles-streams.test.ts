import { describeDoubles, streamSections } from '../doubles/describe-doubles.ts'

// A file of its own, so that it runs beside the other half.
describeDoubles((section) => streamSections.has(section))
