import { type Report, type Result, verdicts } from '../report.ts'
import { groupByArea, toMatrix } from './areas.ts'
import { diagnose, toCauseText } from './grouped.ts'
import { codeSpan, escapeMarkdown, fence, toLink, toTable } from './markdown-text.ts'
import type { ReporterOptions } from './options.ts'
import { createStandings, type Standing, signs, staleMessage } from './standing.ts'
import { findRemedies, toCoverageSentence, toSentence } from './untested.ts'

/** One report: counts and what is not met. Several: a matrix of requirements and servers. */
export function formatMarkdown(reports: readonly Report[], options: ReporterOptions = {}): string {
  const [first] = reports
  const parts = first !== undefined && reports.length === 1 ? toPage(first, options) : toComparison(reports, options)
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

function toPage(report: Report, options: ReporterOptions): string[] {
  const { target, startedAt, incomplete } = report
  return [
    `# MCP Streamable HTTP: ${escapeMarkdown(target.url)}`,
    escapeMarkdown(`${target.server || 'A server without a name'}, checked at ${startedAt}.`),
    incomplete === '' ? '' : `**The run is not complete: ${escapeMarkdown(incomplete)}.**`,
    toTable(['area', ...verdicts], toAreaRows(report)),
    toTestable(report),
    ...toFindings(report, options, '##'),
  ]
}

function toAreaRows({ results, counts }: Report): string[][] {
  const rows = [...groupByArea(results)].map(([area, group]) => {
    const cells = verdicts.map((verdict) => group.filter((result) => result.verdict === verdict).length)
    return [escapeMarkdown(area), ...cells.map((number) => (number === 0 ? '' : String(number)))]
  })
  return [...rows, ['**all**', ...verdicts.map((verdict) => `**${counts[verdict]}**`)]]
}

function toTestable(report: Report): string {
  const remedies = findRemedies(report).map((remedy) => `- ${escapeMarkdown(toSentence(remedy, report))}`)
  const sentence = toCoverageSentence(report)
  return remedies.length === 0 ? sentence : `${sentence}\n\n${remedies.join('\n')}`
}

const headings: readonly [Standing, string][] = [
  ['failed', 'Failures'],
  ['stale', 'Stale entries of the baseline'],
  ['noted', 'Warnings and advice'],
  ['known', 'Known failures'],
]

function toFindings(report: Report, options: ReporterOptions, level: string): string[] {
  const toStanding = createStandings(report, options)
  const toCause = diagnose(report)
  return headings.flatMap(([standing, heading]) => {
    const results = report.results.filter((result) => toStanding(result) === standing)
    if (results.length === 0) return []
    if (standing === 'failed') {
      return [
        `${level} ${heading}`,
        ...results.flatMap((result) =>
          inFull(result, { level: `${level}#`, change: toCauseText(toCause(result), result) }),
        ),
      ]
    }
    const items = results.map((result) => inShort(result, standing, options))
    return [`${level} ${heading}`, items.join('\n')]
  })
}

function inFull(result: Result, { level, change }: { level: string; change: string }): string[] {
  const { curl, transcript, because } = result
  return [
    `${level} ${signs[result.verdict]} ${codeSpan(result.id)}`,
    `**${escapeMarkdown(result.level)}** (${toLink(escapeMarkdown(result.spec), result.specUrl)}): ${escapeMarkdown(result.title)}`,
    because === '' ? '' : escapeMarkdown(because),
    escapeMarkdown(result.message),
    change === '' ? '' : `**To change:** ${escapeMarkdown(change)}`,
    curl === '' ? '' : fence(curl, 'sh'),
    transcript === ''
      ? ''
      : `<details><summary>What was sent and received</summary>\n\n${fence(transcript)}\n\n</details>`,
  ]
}

function inShort(result: Result, standing: Standing, { baseline }: ReporterOptions): string {
  const start = `- ${signs[result.verdict]} ${codeSpan(result.id)} (${escapeMarkdown(result.level)}): `
  if (standing === 'stale') return start + staleMessage
  const reason = standing === 'known' ? baseline?.get(result.id) : undefined
  return start + escapeMarkdown(reason || result.message)
}

function toComparison(reports: readonly Report[], options: ReporterOptions): string[] {
  const names = reports.map(({ target }, index) => `${index + 1}. ${escapeMarkdown(target.url)}`)
  const counted = reports.map(({ target, counts }) => {
    return [
      escapeMarkdown(target.url),
      escapeMarkdown(target.server),
      ...verdicts.map((verdict) => String(counts[verdict])),
    ]
  })
  return [
    '# MCP Streamable HTTP: comparison',
    names.join('\n'),
    toTable(['server', 'name', ...verdicts], counted),
    verdicts.map((verdict) => `${signs[verdict]} ${verdict}`).join(', '),
    ...toMatrixTables(reports),
    ...reports.flatMap((report) => {
      const findings = toFindings(report, options, '###')
      return findings.length === 0 ? [] : [`## ${escapeMarkdown(report.target.url)}`, ...findings]
    }),
  ]
}

function toMatrixTables(reports: readonly Report[]): string[] {
  const rows = new Map(toMatrix(reports).map((row) => [row.requirement.id, row]))
  const areas = groupByArea([...rows.values()].map(({ requirement }) => requirement))
  const header = ['requirement', 'level', ...reports.map((_, index) => String(index + 1))]
  return [...areas].flatMap(([area, requirements]) => {
    const lines = requirements.map(({ id, level, specUrl }) => {
      const cells = rows.get(id)?.cells ?? []
      const name = toLink(codeSpan(id), specUrl)
      return [name, escapeMarkdown(level), ...cells.map((cell) => (cell === undefined ? '' : signs[cell.verdict]))]
    })
    return [`## ${escapeMarkdown(area)}`, toTable(header, lines)]
  })
}
