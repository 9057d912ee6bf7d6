import { isUnmet } from '../baseline.ts'
import type { Cause } from '../causes.ts'
import type { Report, Result } from '../report.ts'
import { diagnose } from './grouped.ts'
import { type Html, html } from './html-template.ts'
import { signs } from './standing.ts'
import { isWebUrl } from './text.ts'

/** Characters of HTML in all panels, and in one: a page must load and be searched with ease. */
const budget = { page: 700_000, panel: 24_000, message: 2_000, name: 80 } as const

/** What stands behind the verdicts, in panels that the cells of the matrix open. */
export class Evidence {
  readonly #reports: readonly Report[]
  readonly #panels: Html[] = []
  /** Verdicts without evidence of their own share the panel of their reason. */
  readonly #byReason = new Map<string, string>()
  /** A verdict stands in the table and among the causes: both open one panel. */
  readonly #byResult = new Map<Result, string>()
  readonly #toCause: ((result: Result) => Cause | undefined)[]
  readonly #share: number

  constructor(reports: readonly Report[]) {
    this.#reports = reports
    this.#toCause = reports.map(diagnose)
    const needing = reports.flatMap(({ results }) => results.filter(hasEvidence))
    this.#share = Math.min(budget.panel, Math.floor(budget.page / Math.max(1, needing.length)))
  }

  /** Id of the panel of a verdict; `undefined` for one that needs no words. */
  panelFor(result: Result, reportIndex: number): string | undefined {
    if (result.verdict === 'pass') return undefined
    if (!hasEvidence(result)) return this.#shared(result)
    const known = this.#byResult.get(result)
    if (known !== undefined) return known
    const added = this.#add(this.#toBody(result, reportIndex))
    this.#byResult.set(result, added)
    return added
  }

  panels(): readonly Html[] {
    return this.#panels
  }

  #add(body: Html): string {
    const id = `p${this.#panels.length + 1}`
    this.#panels.push(html`<div popover class="panel" id="${id}" role="dialog" aria-labelledby="${id}h">
<button type="button" class="close" popovertarget="${id}" popovertargetaction="hide" aria-label="Close" autofocus>×</button>
<h2 id="${id}h">${body}</div>
`)
    return id
  }

  #shared({ verdict, message }: Result): string {
    const key = `${verdict} ${message}`
    const known = this.#byReason.get(key)
    if (known !== undefined) return known
    const reason = message === '' ? 'No reason was given.' : message
    const added = this.#add(html`${toBadge(verdict)}</h2><p class="message">${cut(reason, budget.message)}</p>`)
    this.#byReason.set(key, added)
    return added
  }

  #toBody(result: Result, reportIndex: number): Html {
    const { id, title, level, because, verdict, message, curl, transcript } = result
    const { target } = this.#reports[reportIndex] ?? {}
    const found = isUnmet(result) ? this.#toCause[reportIndex]?.(result) : undefined
    const cause = found === undefined ? '' : html`<p>Cause: ${found.name}.</p>`
    const head = html`${toBadge(verdict)} <code>${id}</code></h2>
<p class="where"><span class="level">${level}</span> ${toClause(result)} · ${cut(target?.server || target?.url || '', budget.name)}</p>
${title === '' ? '' : html`<p class="title">${title}</p>`}${because === '' ? '' : html`<p>${because}</p>`}
<p class="message">${cut(message, budget.message)}</p>
${cause}`

    const left = this.#share - head.text.length
    const sending = toBlock('To send the same', cutLines(curl, left / 2))
    return html`${head}${sending}${toBlock('Sent and received', cutLines(transcript, left - sending.text.length))}`
  }
}

function toBadge(verdict: Result['verdict']): Html {
  return html`<span class="v ${verdict}"><span aria-hidden="true">${signs[verdict]}</span><span class="word">${verdict}</span></span>`
}

function toBlock(heading: string, text: string): Html {
  if (text === '') return html``
  return html`<h3>${heading}</h3><pre tabindex="0">${text}</pre>
`
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}…`
}

/** Whole lines from the beginning and, since the verdict is about what came last, more from the end. */
function cutLines(text: string, most: number): string {
  if (sizeOf(text) <= most) return text
  const lines = text.split('\n')
  const first = takeWhileFits(lines, most / 3)
  const last = takeWhileFits(lines.slice(first.length).reverse(), (most * 2) / 3).reverse()
  const left = lines.length - first.length - last.length
  return [...first, `… ${left} of ${lines.length} lines are left out here; the JSON report has them`, ...last].join(
    '\n',
  )
}

function takeWhileFits(lines: readonly string[], most: number): string[] {
  const taken: string[] = []
  let size = 0
  for (const line of lines) {
    size += sizeOf(line) + 1
    if (size > most) break
    taken.push(line)
  }
  return taken
}

/** As HTML, in which a quotation mark takes six characters. */
function sizeOf(text: string): number {
  return html`${text}`.text.length
}

function hasEvidence({ verdict, transcript, curl }: Result): boolean {
  return verdict !== 'pass' && (transcript !== '' || curl !== '')
}

/** A saved report may hold anything: only a web address becomes a link. */
export function toClause({ spec, specUrl }: Result): Html {
  return isWebUrl(specUrl) ? html`<a href="${specUrl}">${spec}</a>` : html`${spec}`
}
