import type { Report, Result } from '../report.ts'
import { groupBy } from './areas.ts'
import { type CauseGroup, groupFailures } from './grouped.ts'
import type { Evidence } from './html-evidence.ts'
import { type Html, html } from './html-template.ts'
import type { ReporterOptions } from './options.ts'
import { signs } from './standing.ts'
import { count } from './text.ts'

interface CausesContext {
  readonly evidence: Evidence
  readonly options: ReporterOptions
}

/** What a cause is to one of the servers. */
interface Share extends CauseGroup {
  readonly index: number
}

/** What to change, before the table of all requirements: what most servers have in common first. */
export function toCauses(reports: readonly Report[], { evidence, options }: CausesContext): Html {
  const shares = reports.flatMap((report, index) =>
    groupFailures(report, options).map((group): Share => ({ ...group, index })),
  )
  if (shares.length === 0) return html``
  const causes = [...groupBy(shares, ({ name }) => name).values()].sort((one, other) => sizeOf(other) - sizeOf(one))
  const toItems = reports.length === 1 ? withPanels(evidence) : withNumber
  return html`<section class="causes" aria-label="Failures by cause"><h2>What failed, by cause</h2>
${causes.map((cause) => toCause(cause, toItems))}</section>
`
}

function sizeOf(shares: readonly Share[]): number {
  return shares.reduce((sum, { failures }) => sum + failures.length, 0)
}

function toCause(shares: readonly Share[], toItems: (share: Share) => Html): Html {
  const { name = '', advice = '' } = shares[0] ?? {}
  return html`<details class="cause"><summary><b>${name}</b> <span class="much">${toExtent(shares)}</span>
<span class="todo">${advice}</span></summary>
<ul>${shares.map(toItems)}</ul></details>
`
}

function toExtent(shares: readonly Share[]): string {
  const failures = count(sizeOf(shares), 'failure')
  return shares.length === 1 ? failures : `${failures} on ${count(shares.length, 'server')}`
}

/** One server: each failure opens what stands behind it. */
function withPanels(evidence: Evidence): (share: Share) => Html {
  const toItem = (result: Result, index: number): Html => {
    const { id, verdict } = result
    const sign = html`<span aria-hidden="true">${signs[verdict]}</span><span class="hidden">${verdict}</span>`
    const panel = evidence.panelFor(result, index)
    const content =
      panel === undefined
        ? sign
        : html`<button type="button" class="v ${verdict}" popovertarget="${panel}">${sign}</button>`
    return html`<li>${content} <code>${id}</code></li>`
  }
  return ({ failures, noted, index }) => html`${[...failures, ...noted].map((result) => toItem(result, index))}`
}

/** Several: the table opens the panels, since twice as many buttons would make the page too large. */
function withNumber({ failures, index }: Share): Html {
  const ids = failures.map(({ id }) => id).join(', ')
  return html`<li><span class="number">${index + 1}</span> <code>${ids}</code></li>`
}
