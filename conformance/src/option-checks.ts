// By its path, so that it goes into what is built here: the core is an optional peer, and who tests a server that is not
// made with it does not have it.
import { type Check, expected } from '../../packages/core/src/option-checks.ts'

export {
  aBoolean,
  aFunction,
  anOptionalFunction,
  type Check,
  checkOptions,
  expected,
  oneOf,
  option,
  someOf,
  wholeNumber,
} from '../../packages/core/src/option-checks.ts'

/** What may be left out. */
export function optional<Value>(check: Check<Value>): Check<Value | undefined> {
  return (value, name) => (value === undefined ? undefined : check(value, name))
}

export function aText(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw expected(`${name} to be a string that is not empty`, value)
}
