import picocolors from 'picocolors'
import wrapAnsi from 'wrap-ansi'
import { type Report, type Result, toCoverage, type Verdict, verdicts } from '../report.ts'
import { groupByArea } from './areas.ts'
import type { ReporterOptions } from './options.ts'
import { createStandings, isFailure, type Standing, signs, staleMessage } from './standing.ts'
import { count, indent, toOneLine, toVisible } from './text.ts'
import { countOtherReasons, findRemedies, toSentence } from './untested.ts'

type Colors = ReturnType<typeof picocolors.createColors>

const mostListed = 6

export function formatTerminal(reports: readonly Report[], options: ReporterOptions = {}): string {
  return reports.map((report) => formatSummary(report, options)).join('\n')
}

/** What failed with all there is to know, the rest in short, and at the end a screen of summary. */
export function formatSummary(report: Report, options: ReporterOptions = {}): string {
  const summary = new Summary(report, options)
  const parts = [...summary.findings(), summary.head(), summary.table(), summary.testable(), summary.outcome()]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

class Summary {
  readonly #report: Report
  readonly #standing: (result: Result) => Standing
  readonly #colors: Colors
  readonly #width: number
  readonly #verbose: boolean
  readonly #options: ReporterOptions

  constructor(report: Report, options: ReporterOptions) {
    this.#report = report
    this.#standing = createStandings(report, options)
    this.#colors = picocolors.createColors(options.color === true)
    this.#width = Math.max(40, options.width ?? 100)
    this.#verbose = options.verbose === true
    this.#options = options
  }

  findings(): string[] {
    const noted = (verdict: Verdict) => this.#having('noted').filter((result) => result.verdict === verdict)
    const stale = this.#having('stale').map(({ id }) => `  ${toOneLine(id)}`)
    return [
      this.#section(
        'Failures',
        this.#byArea(this.#having('failed'), (result) => this.#inFull(result)),
      ),
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
      this.#verbose ? this.#section('Not checked', this.#byArea(this.#having('skipped'), asSkipped)) : '',
    ]
  }

  head(): string {
    const { target, startedAt, durationMs } = this.#report
    const { bold, dim } = this.#colors
    const spoken = target.revisions.length === 0 ? 'no known revision' : target.revisions.join(', ')
    const opened = target.revision === null ? 'no sessions' : `sessions opened with ${target.revision}`
    const tools = Object.entries(target.roles).map(([role, tool]) => (role === tool ? role : `${role}=${tool}`))
    const lines = [
      `${bold(toOneLine(target.url))}  ${toOneLine(target.server)}`.trimEnd(),
      this.#wrap(toOneLine(`speaks ${spoken}; ${opened}`)),
      this.#wrap(toOneLine(`offers ${target.offers.join(', ') || 'nothing that checks ask for'}`)),
      ...(tools.length === 0 ? [] : [this.#wrap(toOneLine(`tools ${tools.join(', ')}`))]),
      dim(`${toOneLine(startedAt)}, ${(durationMs / 1_000).toFixed(1)} s`),
    ]
    return lines.join('\n')
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
    const { tested, of } = toCoverage(this.#report)
    const remedies = findRemedies(this.#report)
    const reasons = countOtherReasons(this.#report)
    const most = this.#verbose ? Number.POSITIVE_INFINITY : mostListed
    const lines = [
      `${tested} of ${count(of, 'requirement')} could be tested.`,
      ...shorten(
        remedies.map((remedy) => this.#wrap(toSentence(remedy), '  ')),
        most,
      ),
      ...shorten(
        reasons.map(([reason, number]) => this.#wrap(`${number}: ${toOneLine(reason)}`, '  ')),
        most,
      ),
    ]
    return lines.join('\n')
  }

  outcome(): string {
    const { red, green, bold } = this.#colors
    const { incomplete, results } = this.#report
    const failed = results.filter((result) => this.#fails(result)).length
    const ended = incomplete === '' ? '' : `The run did not come to its end: ${toOneLine(incomplete)}. `
    if (failed === 0 && ended === '') return bold(green(`${signs.pass} Nothing failed.`))
    const failures = failed === 0 ? 'Nothing failed until then.' : `${count(failed, 'failure')}.`
    return bold(red(`${signs.fail} ${ended}${failures}`))
  }

  #having(standing: Standing): Result[] {
    return this.#report.results.filter((result) => this.#standing(result) === standing)
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

  #inFull(result: Result): string {
    const { red, bold, cyan, dim } = this.#colors
    const { because, curl } = result
    const details = [
      this.#wrap(toOneLine(result.title), '    '),
      because === '' ? '' : dim(this.#wrap(toOneLine(because), '    ')),
      this.#wrap(toVisible(result.message), '    '),
      `    ${cyan(toOneLine(result.specUrl))}`,
      // Not wrapped: it is to be copied.
      curl === '' ? '' : indent(toVisible(curl), '    '),
      this.#transcript(result),
    ]
    const title = `  ${red(signs[result.verdict])} ${bold(toOneLine(result.id))}  ${toOneLine(result.level)}`
    return `${[title, ...details].filter((part) => part !== '').join('\n')}\n`
  }

  #inShort(result: Result): string {
    const { yellow, dim } = this.#colors
    const sign = result.verdict === 'warn' ? yellow(signs.warn) : dim(signs[result.verdict])
    const lines = [
      `  ${sign} ${toOneLine(result.id)}  ${dim(toOneLine(result.level))}`,
      this.#wrap(toOneLine(result.message), '    '),
      this.#transcript(result),
    ]
    return lines.filter((line) => line !== '').join('\n')
  }

  #asKnown(result: Result): string {
    const reason = this.#options.baseline?.get(result.id) || 'no reason given'
    const line = `  ${signs[result.verdict]} ${toOneLine(result.id)}: ${toOneLine(reason)}`
    return [line, this.#transcript(result)].filter((part) => part !== '').join('\n')
  }

  #transcript({ transcript }: Result): string {
    if (!this.#verbose || transcript === '') return ''
    return this.#colors.dim(indent(toVisible(transcript), '    │ '))
  }

  #wrap(text: string, prefix = ''): string {
    const wrapped = wrapAnsi(text, this.#width - prefix.length, { trim: false, hard: true })
    return indent(wrapped.replaceAll(/ +$/gm, ''), prefix)
  }
}

function asSkipped({ id, verdict, message }: Result): string {
  return `  ${signs[verdict]} ${toOneLine(id)}: ${toOneLine(message)}`
}

function shorten(lines: readonly string[], most: number): string[] {
  if (lines.length <= most) return [...lines]
  return [...lines.slice(0, most), `  … and ${lines.length - most} more: see --verbose`]
}
