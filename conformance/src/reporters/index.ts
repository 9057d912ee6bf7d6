import type { Report } from '../report.ts'
import { formatHtml } from './html.ts'
import { formatJson } from './json.ts'
import { formatJunit } from './junit.ts'
import { formatMarkdown } from './markdown.ts'
import type { ReporterOptions } from './options.ts'
import { formatTap } from './tap.ts'
import { formatTerminal } from './terminal.ts'

export type { ReporterOptions } from './options.ts'
export { createProgress, type Progress, type ProgressOptions } from './progress.ts'
export { readReports } from './read-reports.ts'
export { formatSummary } from './terminal.ts'

export const reporterNames = ['terminal', 'json', 'junit', 'tap', 'markdown', 'html'] as const

export type ReporterName = (typeof reporterNames)[number]

/** Writes reports as text. Several reports are shown side by side where the format has a way to. */
export type Reporter = (reports: readonly Report[], options?: ReporterOptions) => string

export const reporters: Readonly<Record<ReporterName, Reporter>> = {
  terminal: formatTerminal,
  json: formatJson,
  junit: formatJunit,
  tap: formatTap,
  markdown: formatMarkdown,
  html: formatHtml,
}
