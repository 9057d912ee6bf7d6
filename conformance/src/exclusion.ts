import { isObject } from './client/json-rpc.ts'
import { aText, type Check, expected } from './option-checks.ts'

export interface Exclusion {
  /** Of a requirement, or the beginning of ids up to a slash: `listen/`. */
  readonly id: string
  /** Why it cannot be met, or cannot be shown. */
  readonly reason: string
}

/** A list of exclusions. `find` throws for the id of no requirement. */
export function exclusionsOf(find: (id: string) => unknown): Check<readonly Exclusion[]> {
  return (value, name) => {
    if (!Array.isArray(value)) throw expected(`${name} to be an array of { id, reason }`, value)
    return value.map((entry: unknown) => {
      if (!isObject(entry)) throw expected(`each of ${name} to be { id, reason }`, entry)
      const [id, reason] = [aText(entry.id, `id in ${name}`), aText(entry.reason, `reason in ${name}`)]
      find(id)
      return { id, reason }
    })
  }
}

interface Expected {
  /** Why the requirement is excluded; `undefined` when it is not. */
  readonly excludedFor: string | undefined
  /** What cannot be tested, and is not excluded, fails. */
  readonly strict: boolean
}

/**
 * Why a test is skipped; `undefined` when it is for the verdict to decide. What is excluded or cannot be tested is never
 * green: green says that the requirement was seen to be met. Throws for an exclusion of what is met.
 */
export function whySkipped(
  { verdict, message }: { readonly verdict: string; readonly message: string },
  { excludedFor, strict }: Expected,
): string | undefined {
  if (excludedFor !== undefined && verdict === 'pass') {
    throw new Error(`Exclusion no longer needed: it passes. Its reason was: ${excludedFor}`)
  }
  const isUntested = verdict === 'not-testable' || verdict === 'not-run'
  return excludedFor ?? (isUntested && !strict ? message : undefined)
}
