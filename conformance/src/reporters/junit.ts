import { create } from 'xmlbuilder2'
import type { Report, Result } from '../report.ts'
import { groupByArea } from './areas.ts'
import { diagnose, toCauseText } from './grouped.ts'
import type { ReporterOptions } from './options.ts'
import { createStandings, isFailure, type Standing, staleMessage } from './standing.ts'
import { toOneLine, toVisible } from './text.ts'

type XmlNode = ReturnType<typeof create>

interface Case {
  readonly result: Result
  /** What causes a failure, and what to change. */
  readonly change: string
  readonly standing: Standing
}

/** JUnit XML as CI systems read it: a suite per area, and per server when there are several. */
export function formatJunit(reports: readonly Report[], options: ReporterOptions = {}): string {
  const root = create({ version: '1.0', encoding: 'UTF-8' }).ele('testsuites', { name: 'MCP Streamable HTTP' })
  for (const report of reports) addReport(root, report, { options, isOnly: reports.length === 1 })
  return `${root.end({ prettyPrint: true })}\n`
}

interface ReportContext {
  readonly options: ReporterOptions
  readonly isOnly: boolean
}

function addReport(root: XmlNode, report: Report, { options, isOnly }: ReportContext): void {
  const toStanding = createStandings(report, options)
  const toCause = diagnose(report)
  const toName = (area: string) => (isOnly ? toOneLine(area) : `${toOneLine(report.target.url)} ${toOneLine(area)}`)
  for (const [area, results] of groupByArea(report.results)) {
    const cases = results.map((result) => {
      return { result, standing: toStanding(result), change: toCauseText(toCause(result), result) }
    })
    const suite = root.ele('testsuite', {
      name: toName(area),
      tests: cases.length,
      failures: cases.filter(({ standing }) => isFailure(standing)).length,
      errors: 0,
      skipped: cases.filter(({ standing }) => standing === 'skipped' || standing === 'known').length,
      time: toSeconds(results.reduce((sum, { durationMs }) => sum + durationMs, 0)),
      timestamp: toOneLine(report.startedAt),
      hostname: toOneLine(report.target.url),
    })
    for (const testCase of cases) addCase(suite, testCase, { name: toName(area), options })
  }
  if (report.incomplete !== '') addIncomplete(root, toName('run'), report.incomplete)
}

function toSeconds(milliseconds: number): string {
  return (milliseconds / 1_000).toFixed(3)
}

interface CaseContext {
  readonly name: string
  readonly options: ReporterOptions
}

function addCase(suite: XmlNode, { result, standing, change }: Case, { name, options }: CaseContext): void {
  const attributes = { name: toOneLine(result.id), classname: name, time: toSeconds(result.durationMs) }
  const element = suite.ele('testcase', attributes)
  const message = toOneLine(result.message)
  if (standing === 'failed') {
    element.ele('failure', { type: toOneLine(result.level), message }).txt(toDetails(result, change))
  } else if (standing === 'stale') {
    element.ele('failure', { type: 'baseline', message: staleMessage })
  } else if (standing === 'known') {
    const reason = toOneLine(options.baseline?.get(result.id) ?? '')
    element.ele('skipped', { message: `known failure${reason === '' ? '' : `, ${reason}`}: ${message}` })
  } else if (standing === 'skipped') {
    element.ele('skipped', { message: `${result.verdict}: ${message}` })
  }
  const noted = standing === 'noted' ? `${result.verdict}: ${toDetails(result, change)}` : ''
  const output = [noted, toVisible(result.transcript)].filter((part) => part !== '').join('\n\n')
  if (output !== '') element.ele('system-out').txt(output)
}

function toDetails({ title, level, specUrl, because, message, curl }: Result, change: string): string {
  const toChange = change === '' ? '' : `To change: ${change}`
  const parts = [`${level}: ${title}`, because, specUrl, message, toChange, curl]
  return parts
    .filter((part) => part !== '')
    .map(toVisible)
    .join('\n\n')
}

function addIncomplete(root: XmlNode, name: string, reason: string): void {
  const suite = root.ele('testsuite', { name, tests: 1, failures: 0, errors: 1, skipped: 0, time: '0.000' })
  const element = suite.ele('testcase', { name: 'the run comes to its end', classname: name, time: '0.000' })
  element.ele('error', { type: 'incomplete', message: toOneLine(reason) })
}
