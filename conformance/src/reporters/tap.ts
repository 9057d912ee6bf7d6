import { stringify } from 'yaml'
import type { Report, Result } from '../report.ts'
import { diagnose, toCauseText } from './grouped.ts'
import type { ReporterOptions } from './options.ts'
import { createStandings, isFailure, type Standing, staleMessage } from './standing.ts'
import { indent, toOneLine, toVisible } from './text.ts'

/** TAP version 14. Several reports become subtests. */
export function formatTap(reports: readonly Report[], options: ReporterOptions = {}): string {
  const [first] = reports
  if (first !== undefined && reports.length === 1) {
    return `${['TAP version 14', ...toTests(first, options), ...toBailOut(first)].join('\n')}\n`
  }
  const lines = reports.flatMap((report, index) => toSubtest(report, { number: index + 1, options }))
  return `${['TAP version 14', `1..${reports.length}`, ...lines, ...reports.flatMap(toBailOut)].join('\n')}\n`
}

function toSubtest(report: Report, { number, options }: { number: number; options: ReporterOptions }): string[] {
  const name = escapeDescription(report.target.url)
  const toStanding = createStandings(report, options)
  const isOk = report.results.every((result) => !isFailure(toStanding(result)))
  const tests = toTests(report, options).map((line) => indent(line, '    '))
  return [`# Subtest: ${name}`, ...tests, `${isOk ? 'ok' : 'not ok'} ${number} - ${name}`]
}

function toTests(report: Report, options: ReporterOptions): string[] {
  const toStanding = createStandings(report, options)
  const toCause = diagnose(report)
  const lines = report.results.map((result, index) => {
    const change = toCauseText(toCause(result), result)
    return toTest(result, { number: index + 1, standing: toStanding(result), change, options })
  })
  return [`1..${report.results.length}`, ...lines]
}

interface TestContext {
  readonly number: number
  readonly standing: Standing
  /** What causes a failure, and what to change. */
  readonly change: string
  readonly options: ReporterOptions
}

function toTest(result: Result, { number, standing, change, options }: TestContext): string {
  const isMet = standing === 'passed' || standing === 'skipped'
  const directive = toDirective(result, standing, options)
  const title = [result.id, result.title].filter((part) => part !== '').join(': ')
  const line = `${isMet ? 'ok' : 'not ok'} ${number} - ${escapeDescription(title)}${directive}`
  return isMet ? line : `${line}\n${toDiagnostics(result, { standing, change })}`
}

/** A test with TODO may fail without failing the run. */
function toDirective({ id, verdict, message }: Result, standing: Standing, { baseline }: ReporterOptions): string {
  if (standing === 'skipped') return ` # SKIP ${escapeDescription(`${verdict}: ${message}`)}`
  if (standing === 'noted') return ` # TODO ${verdict}`
  if (standing === 'known') return ` # TODO ${escapeDescription(`known: ${baseline?.get(id) ?? ''}`)}`
  return ''
}

function toDiagnostics(result: Result, { standing, change }: { standing: Standing; change: string }): string {
  const { level, rows, specUrl, because, curl, transcript, durationMs } = result
  const message = standing === 'stale' ? staleMessage : result.message
  const texts = Object.entries({
    message,
    toChange: standing === 'stale' ? '' : change,
    level,
    verdict: result.verdict,
    specUrl,
    because,
    curl,
    transcript,
  })
  const shown = texts.filter(([, text]) => text !== '').map(([name, text]) => [name, toVisible(text)])
  const block = stringify({ ...Object.fromEntries(shown), rows, durationMs }, { lineWidth: 0 }).trimEnd()
  return indent(`---\n${block}\n...`, '  ')
}

function escapeDescription(text: string): string {
  return toOneLine(text).replaceAll(/[\\#]/g, '\\$&')
}

function toBailOut({ incomplete }: Report): string[] {
  return incomplete === '' ? [] : [`Bail out! ${escapeDescription(incomplete)}`]
}
