import { type Report, type Verdict, verdicts } from '../report.ts'
import { type MatrixRow, toMatrix } from './areas.ts'
import { toCauses } from './html-causes.ts'
import { Evidence } from './html-evidence.ts'
import { toFilters, toTable } from './html-matrix.ts'
import { script } from './html-script.ts'
import { style } from './html-style.ts'
import { Html, html } from './html-template.ts'
import type { ReporterOptions } from './options.ts'
import { signs } from './standing.ts'
import { count } from './text.ts'
import { findRemedies, toCoverageSentence, toSentence } from './untested.ts'

/** One page that needs nothing else: requirements × servers, with what was sent and received behind each verdict. */
export function formatHtml(reports: readonly Report[], options: ReporterOptions = {}): string {
  const rows = toMatrix(reports)
  const evidence = new Evidence(reports)
  const causes = toCauses(reports, { evidence, options })
  const table = toTable(reports, rows, evidence)
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="${reports[0]?.suite.name ?? ''} ${reports[0]?.suite.version ?? ''}">
<title>${toTitle(reports)}</title>
<style>${new Html(style)}</style>
</head>
<body>
<header class="top">
<p class="kicker">MCP Streamable HTTP</p>
<h1>Conformance</h1>
<p class="lead">${toLead(reports, rows)}</p>
</header>
<main>
<section class="cards" aria-label="Servers">
${reports.map(toCard)}</section>
${causes}<section aria-label="Requirements">
${toFilters(rows, reports.length)}${toLegend()}${table}
<p class="none" id="none" hidden>No requirement fits these filters.</p>
</section>
</main>
<footer>${toFooter(reports)}</footer>
${evidence.panels()}<script>${new Html(script)}</script>
</body>
</html>
`
  return page.text
}

function toTitle([first, ...others]: readonly Report[]): string {
  const name = first?.target.server || first?.target.url || ''
  return others.length === 0 ? `${name}: MCP Streamable HTTP conformance` : 'MCP Streamable HTTP conformance'
}

function toLead(reports: readonly Report[], rows: readonly MatrixRow[]): string {
  const meaning = 'Choose a verdict to see why, what was sent and received, and how to send the same with curl.'
  return `${count(rows.length, 'requirement')}, ${count(reports.length, 'server')}. ${meaning}`
}

function toLegend(): Html {
  const meanings: Readonly<Record<Verdict, string>> = {
    fail: 'a MUST is not met',
    warn: 'a SHOULD is not met',
    advice: 'not met; robustness, not normative',
    info: 'a MAY that is not used',
    pass: 'met',
    'not-set-up': 'no session or stream opened for the check',
    'not-testable': 'the server does not offer what the check needs',
    'not-run': 'not asked for, or the run ended before',
  }
  const items = verdicts.map(
    (verdict) => html`<li>${toSign(verdict)}<span><b>${verdict}</b> ${meanings[verdict]}</span></li>`,
  )
  return html`<ul class="legend" aria-label="Verdicts">${items}</ul>
`
}

function toSign(verdict: Verdict): Html {
  return html`<span class="sign ${verdict}" aria-hidden="true">${signs[verdict]}</span>`
}

function toCard(report: Report, index: number): Html {
  const { target, counts, incomplete } = report
  const shown = verdicts.filter((verdict) => counts[verdict] > 0)
  const bar = shown.map((verdict) => html`<i class="${verdict}" style="flex-grow:${counts[verdict]}"></i>`)
  const counted = shown.map(
    (verdict) => html`<li>${toSign(verdict)}<span><b>${counts[verdict]}</b> ${verdict}</span></li>`,
  )
  const stopped = incomplete === '' ? '' : html`<p class="stopped">The run is not complete: ${incomplete}.</p>`
  return html`<article class="card">
<h2><span class="number">${index + 1}</span>${target.server || 'A server without a name'}</h2>
<p class="url">${target.url}</p>
<div class="bar" aria-hidden="true">${bar}</div>
<ul class="counts">${counted}</ul>
<p>${toCoverageSentence(report)}</p>
${stopped}${toMore(report)}</article>
`
}

function toMore(report: Report): Html {
  const { target, startedAt, durationMs } = report
  const roles = Object.entries(target.roles).map(([role, tool]) => (role === tool ? role : `${role} (${tool})`))
  const facts: readonly [string, string][] = [
    ['Speaks', target.revisions.join(', ')],
    ['Sessions', target.revision === null ? 'none: 2026-07-28 only' : `opened with ${target.revision}`],
    ['Offers', target.offers.join(', ')],
    ['Tools', roles.join(', ')],
    [
      'Not these roles',
      Object.entries(target.miscast ?? {})
        .map(([role, why]) => `${role}: ${why}`)
        .join('; '),
    ],
    ['Checked', `${startedAt}, in ${(durationMs / 1_000).toFixed(1)} s`],
    [
      'Would test more',
      findRemedies(report)
        .map((remedy) => toSentence(remedy, report))
        .join('; '),
    ],
  ]
  const shown = facts.filter(([, value]) => value !== '')
  return html`<details><summary>About this run</summary><dl>${shown.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></details>
`
}

function toFooter(reports: readonly Report[]): Html {
  const suites = new Set(reports.map(({ suite }) => `${suite.name} ${suite.version}`))
  return html`Made by ${[...suites].join(', ')}.`
}
