// By its path, so that it goes into what is built here: the core is an optional peer, and who tests a server that is not
// made with it does not have it.
import { expected } from '../../packages/core/src/option-checks.ts'

export {
  aBoolean,
  aFunction,
  anOptionalFunction,
  type Check,
  checkOptions,
  expected,
  oneOf,
  option,
  optional,
  someOf,
  wholeNumber,
  withMethods,
} from '../../packages/core/src/option-checks.ts'

export function aText(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw expected(`${name} to be a string that is not empty`, value)
}
