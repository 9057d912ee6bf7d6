import picocolors from 'picocolors'
import wrapAnsi from 'wrap-ansi'
import { type Report, type Result, type Verdict, verdicts } from '../report.ts'
import { groupBy, groupByArea } from './areas.ts'
import { type CauseGroup, groupFailures } from './grouped.ts'
import type { ReporterOptions } from './options.ts'
import { createStandings, isFailure, type Standing, signs, staleMessage } from './standing.ts'
import { count, indent, toOneLine, toVisible } from './text.ts'
import { countOtherReasons, findRemedies, toCoverageSentence, toSentence } from './untested.ts'

type Colors = ReturnType<typeof picocolors.createColors>

const mostListed = 6
const mostCharacters = 300

export function formatTerminal(reports: readonly Report[], options: ReporterOptions = {}): string {
  return reports.map((report) => formatInFull(report, options)).join('\n')
}

/** What failed with all there is to know, the rest in short, and at the end a screen of summary. */
function formatInFull(report: Report, options: ReporterOptions): string {
  const summary = new Summary(report, options)
  const tail = [summary.head(), summary.table(), summary.testable(), summary.causes(), summary.outcome()]
  return join([...summary.findings(), ...tail])
}

/** What stands beside a report that is in a file: how many of each verdict, and what to change. */
export function formatSummary(reports: readonly Report[], options: ReporterOptions = {}): string {
  const toText = (report: Report): string => {
    const summary = new Summary(report, options)
    return join([[summary.name(), summary.counts()].join('\n'), summary.advice(), summary.outcome()])
  }
  return reports.map(toText).join('\n')
}

function join(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

class Summary {
  readonly #report: Report
  readonly #standing: (result: Result) => Standing
  readonly #colors: Colors
  readonly #width: number
  readonly #verbose: boolean
  readonly #options: ReporterOptions
  readonly #groups: readonly CauseGroup[]

  constructor(report: Report, options: ReporterOptions) {
    this.#report = report
    this.#standing = createStandings(report, options)
    this.#colors = picocolors.createColors(options.color === true)
    this.#width = Math.max(40, options.width ?? 100)
    this.#verbose = options.verbose === true
    this.#options = options
    this.#groups = groupFailures(report, options)
  }

  findings(): string[] {
    const noted = (verdict: Verdict) => this.#having('noted').filter((result) => result.verdict === verdict)
    const stale = this.#having('stale').map(({ id }) => `  ${toOneLine(id)}`)
    return [
      this.#section(
        'Failures, by what causes them',
        this.#groups.map((group) => this.#group(group)),
      ),
      this.#section('Could not be set up', this.#unset()),
      this.#section(
        'Warnings',
        this.#byArea(noted('warn'), (result) => this.#inShort(result)),
      ),
      this.#section(
        'Advice',
        this.#byArea(noted('advice'), (result) => this.#inShort(result)),
      ),
      this.#section(
        'For information',
        this.#byArea(noted('info'), (result) => this.#inShort(result)),
      ),
      this.#section(
        'Known failures',
        this.#byArea(this.#having('known'), (result) => this.#asKnown(result)),
      ),
      this.#section('Stale entries of the baseline', stale.length === 0 ? [] : [`  ${staleMessage}`, ...stale]),
      this.#verbose ? this.#section('Not checked', this.#byArea(this.#skipped(), asSkipped)) : '',
    ]
  }

  name(): string {
    const { url, server } = this.#report.target
    return `${this.#colors.bold(toOneLine(url))}  ${toOneLine(server)}`.trimEnd()
  }

  counts(): string {
    const { counts } = this.#report
    const shown = verdicts.filter((verdict) => counts[verdict] > 0)
    return this.#wrap(shown.map((verdict) => `${counts[verdict]} ${verdict}`).join(', '))
  }

  head(): string {
    const { target, startedAt, durationMs } = this.#report
    const spoken = target.revisions.length === 0 ? 'no known revision' : target.revisions.join(', ')
    const opened = target.revision === null ? 'no sessions' : `sessions opened with ${target.revision}`
    const tools = Object.entries(target.roles).map(([role, tool]) => (role === tool ? role : `${role}=${tool}`))
    const miscast = Object.entries(target.miscast ?? {}).map(([role, why]) => `not the role ${role}: ${why}`)
    const lines = [
      `speaks ${spoken}; ${opened}`,
      `offers ${target.offers.join(', ') || 'nothing that checks ask for'}`,
      ...(tools.length === 0 ? [] : [`tools ${tools.join(', ')}`]),
      ...miscast,
    ]
    const ended = this.#colors.dim(`${toOneLine(startedAt)}, ${(durationMs / 1_000).toFixed(1)} s`)
    return [this.name(), ...lines.map((line) => this.#wrap(toOneLine(line))), ended].join('\n')
  }

  table(): string {
    const areas = [...groupByArea(this.#report.results)]
    const shown = verdicts.filter((verdict) => this.#report.results.some((result) => result.verdict === verdict))
    const first = Math.max(5, ...areas.map(([area]) => toOneLine(area).length))
    const toLine = (name: string, cells: readonly string[]) => {
      const padded = cells.map((cell, index) => cell.padStart((shown[index] ?? '').length + 2))
      return `${name.padEnd(first)}${padded.join('')}`.trimEnd()
    }
    const rows = areas.map(([area, results]) => {
      const cells = shown.map((verdict) => String(results.filter((result) => result.verdict === verdict).length))
      const line = toLine(
        toOneLine(area),
        cells.map((cell) => (cell === '0' ? '' : cell)),
      )
      return results.some((result) => this.#fails(result)) ? this.#colors.red(line) : line
    })
    const { bold } = this.#colors
    const total = shown.map((verdict) => String(this.#report.counts[verdict]))
    return [bold(toLine('area', shown)), ...rows, bold(toLine('all', total))].join('\n')
  }

  testable(): string {
    const remedies = findRemedies(this.#report)
    const reasons = countOtherReasons(this.#report)
    const most = this.#verbose ? Number.POSITIVE_INFINITY : mostListed
    const lines = [
      this.#wrap(toCoverageSentence(this.#report)),
      ...shorten(
        remedies.map((remedy) => this.#wrap(toOneLine(toSentence(remedy, this.#report)), '  ')),
        most,
      ),
      ...shorten(
        reasons.map(([reason, number]) => this.#wrap(`${number}: ${toOneLine(reason)}`, '  ')),
        most,
      ),
    ]
    return lines.join('\n')
  }

  /** Their names alone: what to change stands further up. */
  causes(): string {
    if (this.#groups.length < 2) return ''
    return this.#section(
      'What causes them',
      this.#groups.map(({ name, failures }) => `${String(failures.length).padStart(5)}  ${toOneLine(name)}`),
    )
  }

  /** Causes with what to change, and nothing of the single failures. */
  advice(): string {
    return this.#groups.map((group) => this.#heading(group)).join('\n')
  }

  outcome(): string {
    const { red, green, bold } = this.#colors
    const { incomplete, results } = this.#report
    const failed = results.filter((result) => this.#fails(result)).length
    const ended = incomplete === '' ? '' : `The run is not complete: ${toOneLine(incomplete)}. `
    if (failed === 0 && ended === '') return bold(green(`${signs.pass} Nothing failed.`))
    const grouped = this.#having('failed').length
    const causes = this.#groups.length < grouped ? ` of ${count(this.#groups.length, 'cause')}` : ''
    const failures = failed === 0 ? 'Nothing failed in what was judged.' : `${count(failed, 'failure')}${causes}.`
    return bold(red(this.#wrap(`${signs.fail} ${ended}${failures}`)))
  }

  #having(standing: Standing): Result[] {
    return this.#report.results.filter((result) => this.#standing(result) === standing)
  }

  #skipped(): Result[] {
    return this.#having('skipped').filter(({ verdict }) => verdict !== 'not-set-up')
  }

  #fails(result: Result): boolean {
    return isFailure(this.#standing(result))
  }

  #section(title: string, lines: readonly string[]): string {
    return lines.length === 0 ? '' : [this.#colors.bold(title), ...lines].join('\n')
  }

  #byArea(results: readonly Result[], format: (result: Result) => string): string[] {
    return [...groupByArea(results)].flatMap(([area, group]) => [
      this.#colors.dim(`  ${toOneLine(area)}`),
      ...group.map(format),
    ])
  }

  /** The first failure with all there is to know; the others of the same cause in short, unless verbose. */
  #group(group: CauseGroup): string {
    const { failures, noted } = group
    const inFull = this.#verbose ? failures : failures.slice(0, 1)
    const inShort = this.#verbose ? [] : failures.slice(1)
    const ids = noted.map(({ id }) => toOneLine(id)).join(', ')
    const parts = [
      this.#heading(group),
      ...inFull.map((result) => this.#inFull(result)),
      ...inShort.map((result) => this.#inShort(result, '  ')),
      ids === '' ? '' : this.#colors.dim(this.#wrap(`explains too, of those below: ${ids}`, '    ')),
    ]
    return `${parts.filter((part) => part !== '').join('\n')}\n`
  }

  #heading({ name, advice, failures }: CauseGroup): string {
    const { red, bold, dim } = this.#colors
    const number = failures.length === 1 ? '' : dim(`  ${count(failures.length, 'failure')}`)
    const lines = [`  ${red(signs.fail)} ${bold(toOneLine(name))}${number}`]
    if (advice !== '') lines.push(this.#wrap(`→ ${toOneLine(advice)}`, '    '))
    return lines.join('\n')
  }

  /** Many for one reason, as a rule. */
  #unset(): string[] {
    const unset = this.#report.results.filter(({ verdict }) => verdict === 'not-set-up')
    return [...groupBy(unset, ({ message }) => message)].map(([message, results]) => {
      const ids = results.map(({ id }) => toOneLine(id))
      const shown = this.#verbose ? ids : ids.slice(0, mostListed)
      const more = shown.length < ids.length ? `, and ${ids.length - shown.length} more` : ''
      const lines = [
        `  ${signs['not-set-up']} ${count(results.length, 'check')}`,
        this.#wrap(toVisible(message), '    '),
      ]
      return [...lines, this.#colors.dim(this.#wrap(`${shown.join(', ')}${more}`, '    '))].join('\n')
    })
  }

  #inFull(result: Result): string {
    const { red, bold, cyan, dim } = this.#colors
    const { because, curl } = result
    const details = [
      this.#wrap(toOneLine(result.title), '      '),
      because === '' ? '' : dim(this.#wrap(toOneLine(because), '      ')),
      this.#wrap(toVisible(result.message), '      '),
      `      ${cyan(toOneLine(result.specUrl))}`,
      // Not wrapped: it is to be copied.
      curl === '' ? '' : indent(toVisible(curl), '      '),
      this.#transcript(result, '  '),
    ]
    const title = `    ${red(signs[result.verdict])} ${bold(toOneLine(result.id))}  ${toOneLine(result.level)}`
    return [title, ...details].filter((part) => part !== '').join('\n')
  }

  #inShort(result: Result, margin = ''): string {
    const { dim } = this.#colors
    const sign = this.#sign(result.verdict)
    const lines = [
      `${margin}  ${sign} ${toOneLine(result.id)}  ${dim(toOneLine(result.level))}`,
      this.#wrap(this.#cut(toOneLine(result.message)), `${margin}    `),
      this.#transcript(result),
    ]
    return lines.filter((line) => line !== '').join('\n')
  }

  #sign(verdict: Verdict): string {
    const { red, yellow, dim } = this.#colors
    const paint = verdict === 'fail' ? red : verdict === 'warn' ? yellow : dim
    return paint(signs[verdict])
  }

  #asKnown(result: Result): string {
    const reason = this.#options.baseline?.get(result.id) || 'no reason given'
    const line = `  ${signs[result.verdict]} ${toOneLine(result.id)}: ${toOneLine(reason)}`
    return [line, this.#transcript(result)].filter((part) => part !== '').join('\n')
  }

  #transcript({ transcript }: Result, margin = ''): string {
    if (!this.#verbose || transcript === '') return ''
    return this.#colors.dim(indent(toVisible(transcript), `${margin}    │ `))
  }

  /** What a server sent may be long, and its end says little. */
  #cut(text: string): string {
    return this.#verbose || text.length <= mostCharacters ? text : `${text.slice(0, mostCharacters)}…`
  }

  #wrap(text: string, prefix = ''): string {
    return indent(wrapAnsi(text, this.#width - prefix.length, { hard: true }), prefix)
  }
}

function asSkipped({ id, verdict, message }: Result): string {
  return `  ${signs[verdict]} ${toOneLine(id)}: ${toOneLine(message)}`
}

function shorten(lines: readonly string[], most: number): string[] {
  if (lines.length <= most) return [...lines]
  return [...lines.slice(0, most), `  … and ${lines.length - most} more: see --verbose`]
}
