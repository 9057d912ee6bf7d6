import type { Report, Result } from '../report.ts'
import { groupBy } from './areas.ts'
import { count } from './text.ts'

/** Flags that would let more be tested, with how much more: most first. */
export interface Remedy {
  readonly flags: string
  readonly results: readonly Result[]
}

/** Messages name what is missing as `(--tool slow=NAME)`, and what was not asked for as `runs with --slow`. */
const flagPatterns = { 'not-testable': /\((--[^()]+)\)/g, 'not-run': /runs with (--[\w-]+)/g } as const

export function findRemedies({ results }: Report): Remedy[] {
  const withFlags = results.filter((result) => flagsOf(result) !== '')
  const groups = [...groupBy(withFlags, flagsOf)].map(([flags, group]) => ({ flags, results: group }))
  return groups.sort((one, other) => other.results.length - one.results.length)
}

function flagsOf({ verdict, message }: Result): string {
  if (verdict !== 'not-testable' && verdict !== 'not-run') return ''
  const flags = [...message.matchAll(flagPatterns[verdict])].map(([, flag = '']) => flag)
  return [...new Set(flags)].sort().join(' ')
}

/** What cannot be tested for another reason than a flag that was not given: most frequent first. */
export function countOtherReasons({ results }: Report): [string, number][] {
  const others = results.filter((result) => result.verdict === 'not-testable' && flagsOf(result) === '')
  const groups = [...groupBy(others, ({ message }) => message)]
  return groups.map(([reason, group]): [string, number] => [reason, group.length]).sort(([, a], [, b]) => b - a)
}

/** `--tool slow=NAME would test 3 more`. */
export function toSentence({ flags, results }: Remedy): string {
  return `${flags} would test ${count(results.length, 'more requirement')}`
}
