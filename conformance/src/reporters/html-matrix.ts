import { areaOf, type Report, type Result, verdicts } from '../report.ts'
import { groupBy, type MatrixRow } from './areas.ts'
import { type Evidence, toClause } from './html-evidence.ts'
import { type Html, html } from './html-template.ts'
import { signs } from './standing.ts'

/** Requirements down, servers across. */
export function toTable(reports: readonly Report[], rows: readonly MatrixRow[], evidence: Evidence): Html {
  const areas = groupBy(rows, ({ requirement }) => areaOf(requirement.id))
  const bodies = [...areas].map(([area, group]) => toArea(area, { group, reports, evidence }))
  // Words beside the signs take too much room from the fifth server on.
  const size = reports.length > 4 ? 'many' : 'few'
  return html`<div class="scroll ${size}"><table>
<caption class="hidden">Every requirement and its verdict for each server</caption>
<thead><tr><th scope="col" class="what">Requirement</th>${reports.map(toHead)}</tr></thead>
${bodies}</table></div>`
}

function toHead({ target }: Report, index: number): Html {
  return html`<th scope="col"><span class="number">${index + 1}</span><span class="name">${target.server || target.url}</span></th>`
}

interface AreaContext {
  readonly group: readonly MatrixRow[]
  readonly reports: readonly Report[]
  readonly evidence: Evidence
}

function toArea(area: string, { group, reports, evidence }: AreaContext): Html {
  return html`<tbody data-area="${area}"><tr class="area"><th scope="rowgroup" colspan="${reports.length + 1}"><span>${area}</span></th></tr>
${group.map((row) => toRow(row, evidence))}</tbody>
`
}

function toRow({ requirement, cells }: MatrixRow, evidence: Evidence): Html {
  const { id, title, level } = requirement
  const found = new Set(cells.map((cell) => cell?.verdict ?? 'not-run'))
  const text = title === '' ? '' : html`<span class="title">${title}</span>`
  return html`<tr data-v="${[...found].join(' ')}" data-level="${level}"><th scope="row">${text}<span class="about"><code>${id}</code> <span class="level">${level}</span> ${toClause(requirement)}</span></th>${cells.map((cell, index) => toCell(cell, { index, evidence }))}</tr>
`
}

function toCell(cell: Result | undefined, { index, evidence }: { index: number; evidence: Evidence }): Html {
  if (cell === undefined) return html`<td></td>`
  const { verdict } = cell
  const content = html`<span aria-hidden="true">${signs[verdict]}</span><span class="word">${verdict}</span>`
  const panel = evidence.panelFor(cell, index)
  if (panel === undefined) return html`<td><span class="v ${verdict}">${content}</span></td>`
  return html`<td><button type="button" class="v ${verdict}" popovertarget="${panel}">${content}</button></td>`
}

/** Shown by the script, since without it they would do nothing. */
export function toFilters(rows: readonly MatrixRow[], servers: number): Html {
  const results = rows.map(({ requirement }) => requirement)
  const present = new Set(rows.flatMap(({ cells }) => cells.map((cell) => cell?.verdict)))
  const choices = verdicts.filter((verdict) => present.has(verdict))
  const differing =
    servers === 1 ? '' : html`<label class="check"><input type="checkbox" name="differing"> servers differ</label>`
  return html`<form class="filters" id="filters" role="search" aria-label="Requirements" hidden>
<fieldset><legend class="hidden">Verdict</legend>${choices.map(
    (verdict) =>
      html`<label class="pill ${verdict}"><input type="checkbox" name="verdict" value="${verdict}"><span aria-hidden="true">${signs[verdict]}</span> ${verdict}</label>`,
  )}</fieldset>
<label><span class="hidden">Level</span>${toSelect('level', 'every level', distinct(results.map(({ level }) => level)))}</label>
<label><span class="hidden">Area</span>${toSelect('area', 'every area', distinct(results.map(({ id }) => areaOf(id))))}</label>
<label><span class="hidden">Text</span><input type="search" name="text" placeholder="Search"></label>
${differing}<output name="shown" aria-live="polite"></output>
</form>
`
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)]
}

function toSelect(name: string, all: string, values: readonly string[]): Html {
  const options = values.map((value) => html`<option>${value}</option>`)
  return html`<select name="${name}"><option value="">${all}</option>${options}</select>`
}
