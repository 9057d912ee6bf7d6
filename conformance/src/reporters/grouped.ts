import { isUnmet } from '../baseline.ts'
import { type Cause, createDiagnosis } from '../causes.ts'
import type { Report, Result } from '../report.ts'
import { groupBy } from './areas.ts'
import type { ReporterOptions } from './options.ts'
import { createStandings } from './standing.ts'

/** Failures that one change on the server is to mend. */
export interface CauseGroup {
  /** What is wrong; the id of the requirement where no cause is known. */
  readonly name: string
  /** What to change. */
  readonly advice: string
  readonly failures: readonly Result[]
  /** What else the same change is to mend, of levels that do not fail the run. */
  readonly noted: readonly Result[]
}

/** The failures of a report by their causes, those of most failures first. */
export function groupFailures(report: Report, options: ReporterOptions): CauseGroup[] {
  const toStanding = createStandings(report, options)
  const causeOf = diagnose(report)
  const keyOf = (result: Result): Cause | Result => causeOf(result) ?? result
  const having = (standing: string) => report.results.filter((result) => toStanding(result) === standing)
  const noted = having('noted')
  const groups = [...groupBy(having('failed'), keyOf)].map(([key, failures]): CauseGroup => {
    if ('id' in key) return { name: key.id, advice: toOwnAdvice(key), failures, noted: [] }
    return { name: key.name, advice: key.advice, failures, noted: noted.filter((result) => causeOf(result) === key) }
  })
  return groups.sort((one, other) => other.failures.length - one.failures.length)
}

/** Tells the cause of each result of a report that is not met. */
export function diagnose({ results }: Report): (result: Result) => Cause | undefined {
  return createDiagnosis(results.filter(isUnmet))
}

/** `The Origin header is not checked. Answer 403 to …`, or what the requirement itself says. */
export function toCauseText(cause: Cause | undefined, result: Result): string {
  return cause === undefined ? toOwnAdvice(result) : `${cause.name}. ${cause.advice}`
}

function toOwnAdvice({ title }: Result): string {
  return title === '' ? '' : `Make it so: ${title}`
}
