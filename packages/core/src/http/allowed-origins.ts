import { type Check, expected, listOf } from '../option-checks.ts'
import { isThenable } from '../promises/maybe-promise.ts'
import { Rejection } from './errors.ts'
import { type Origin, readOrigin } from './host-name.ts'

/** Which pages of other sites may call: those listed, those a function names, or all. */
export type AllowedOrigins = ReadonlySet<string> | ((origin: string) => unknown) | '*'

/** The check of the option. */
export const toAllowedOrigins: Check<AllowedOrigins> = (value, name) => {
  if (value === '*') return value
  if (typeof value === 'function') return value as (origin: string) => unknown
  const read = (text: string): string | undefined => readOrigin(text)?.text
  return new Set(listOf("an origin such as 'https://app.example.com'", read)(value, name))
}

/**
 * Whether the pages of an origin may call.
 * @throws Rejection `origin_not_allowed` with the fault of a function that gives no answer: no page gets in by one.
 */
export function isAllowed({ text }: Origin, allowed: Exclude<AllowedOrigins, '*'>): boolean {
  return typeof allowed === 'function' ? ask(allowed, text) : allowed.has(text)
}

function ask(allowed: (origin: string) => unknown, origin: string): boolean {
  try {
    const answer = allowed(origin)
    if (typeof answer === 'boolean') return answer
    // It comes too late, and so does its error.
    if (isThenable(answer)) Promise.resolve(answer).catch(() => undefined)
    throw expected('allowedOrigins to return true or false at once', answer)
  } catch (cause) {
    throw new Rejection('origin_not_allowed', { cause })
  }
}
