import { compareWithBaseline } from '../baseline.ts'
import type { Report, Result, Verdict } from '../report.ts'
import type { ReporterOptions } from './options.ts'

/**
 * What a result means for the run. `failed` fails it; `known` would, and is listed in the baseline; `stale` is listed and
 * met; `noted` is not met at a level that does not fail the run; `skipped` was not checked.
 */
export type Standing = 'failed' | 'stale' | 'known' | 'noted' | 'skipped' | 'passed'

export function isFailure(standing: Standing): boolean {
  return standing === 'failed' || standing === 'stale'
}

/** Tells the standing of each result of a report. */
export function createStandings(report: Report, options: ReporterOptions): (result: Result) => Standing {
  const { baseline = new Map(), strict = false } = options
  const compared = compareWithBaseline(report, baseline, strict)
  const failed = new Set(compared.failed)
  const known = new Set(compared.known)
  const stale = new Set(compared.stale)
  return (result) => {
    if (failed.has(result)) return 'failed'
    if (known.has(result)) return 'known'
    if (stale.has(result.id)) return 'stale'
    if (result.verdict === 'pass') return 'passed'
    return result.verdict.startsWith('not-') ? 'skipped' : 'noted'
  }
}

/** Why an entry of the baseline fails the run. */
export const staleMessage = 'Listed in the baseline, and met: delete the entry.'

/** One character for each verdict. */
export const signs: Readonly<Record<Verdict, string>> = {
  fail: '✗',
  warn: '!',
  advice: '○',
  info: 'i',
  'not-set-up': '?',
  pass: '✓',
  'not-testable': '–',
  'not-run': '·',
}
