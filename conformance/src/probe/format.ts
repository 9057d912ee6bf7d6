import pc from 'picocolors'
import type { DeploymentReport, Finding, FindingVerdict } from './finding.ts'

type Colors = ReturnType<typeof pc.createColors>

const lineWidth = 100

/** The report as text for a terminal. `color`: with escape sequences. */
export function formatDeployment(report: DeploymentReport, { color }: { readonly color: boolean }): string {
  const colors = pc.createColors(color)
  const head = colors.bold(`What stands between client and server: ${report.url}`)
  const findings = report.findings.map((finding) => formatFinding(finding, colors))
  return `${[head, ...findings, formatCounts(report, colors)].join('\n\n')}\n`
}

function formatFinding({ id, title, verdict, seen, means, changes }: Finding, colors: Colors): string {
  const lines = [`${formatVerdict(verdict, colors)}  ${colors.bold(title)} ${colors.dim(`(${id})`)}`, ...indent(seen)]
  if (means !== '') lines.push(...indent(`For clients: ${means}`))
  if (changes.length > 0) lines.push('    To change:')
  for (const { at, change } of changes) lines.push(...indent(`- ${at}: ${change}`, 4, 6))
  return lines.join('\n')
}

function formatVerdict(verdict: FindingVerdict, colors: Colors): string {
  const paint = { ok: colors.green, problem: colors.red, note: colors.yellow, 'not-testable': colors.dim }[verdict]
  return paint(verdict)
}

function formatCounts({ findings, durationMs }: DeploymentReport, colors: Colors): string {
  const count = (verdict: FindingVerdict) => findings.filter((finding) => finding.verdict === verdict).length
  const verdicts = ['problem', 'note', 'ok', 'not-testable'] as const
  const counts = verdicts.map((verdict) => `${count(verdict)} ${formatVerdict(verdict, colors)}`)
  return `${counts.join(', ')} in ${(durationMs / 1_000).toFixed(1)} s`
}

/** Breaks text at spaces, with an indent. */
function indent(text: string, first = 4, rest = first): string[] {
  const lines: string[] = []
  let line = ' '.repeat(first)
  let isEmpty = true
  for (const word of text.split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > lineWidth) {
      lines.push(line)
      line = ' '.repeat(rest)
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return [...lines, line]
}
