import type { Report } from '../report.ts'
import { toVisible } from './text.ts'

/** One report as it is; several as an array. `readReports` reads both. */
export function formatJson(reports: readonly Report[]): string {
  const [first] = reports
  const text = JSON.stringify(reports.length === 1 ? first : reports, null, 2)
  // JSON allows some control characters that a terminal obeys. Their escapes are those of JSON, and mean the same.
  return `${toVisible(text)}\n`
}
