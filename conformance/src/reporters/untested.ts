import { type Report, type Result, toCoverage } from '../report.ts'
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

/** `--tool slow=NAME would test 3 more requirements`, with the name of a tool that may do. */
export function toSentence({ flags, results }: Remedy, { target }: Pick<Report, 'target'>): string {
  const candidates = target.candidates ?? {}
  const isThere = ([, role = '']: RegExpMatchArray) => (candidates[role] ?? []).length > 0
  const roles = [...flags.matchAll(/--tool (\w+)=NAME/g)].filter(isThere).map(([, role = '']) => role)
  const named = roles.reduce((text, role) => text.replace(`${role}=NAME`, `${role}=${candidates[role]?.[0]}`), flags)
  const others = roles.flatMap((role) => (candidates[role] ?? []).slice(1).map((tool) => `${role}=${tool}`))
  const may = roles.length === 0 ? '' : `, if it may be called and does what the role is${toAlternatives(others)}`
  return `${named} would test ${count(results.length, 'more requirement')}${may}`
}

function toAlternatives(others: readonly string[]): string {
  return others.length === 0 ? '' : `; or ${others.join(', ')}`
}

/** `217 of 370 requirements were tested. 134 need what this server does not offer, 19 were not run.` */
export function toCoverageSentence(report: Report): string {
  const { all, tested, untestable, notSetUp, notRun } = toCoverage(report)
  const others = [
    ...(notSetUp === 0 ? [] : [`${notSetUp} could not be set up`]),
    ...(untestable === 0
      ? []
      : [`${untestable} ${untestable === 1 ? 'needs' : 'need'} what this server does not offer`]),
    ...(notRun === 0 ? [] : [`${notRun} ${notRun === 1 ? 'was' : 'were'} not run`]),
  ]
  const tail = others.length === 0 ? '' : ` ${others.join(', ')}.`
  return `${tested} of ${count(all, 'requirement')} ${tested === 1 ? 'was' : 'were'} tested.${tail}`
}
