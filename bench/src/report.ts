import { isReached, toGoals } from './goals.ts'
import type { Machine } from './machine.ts'
import type { Slice, WorkloadResult } from './run.ts'
import { type Summary, summarize } from './statistics.ts'
import type { Figure, Workload } from './workloads/workload.ts'

export interface Row {
  readonly case: string
  readonly target: string
  readonly figures: Readonly<Record<string, Summary>>
  readonly ratio: Summary | undefined
}

/** Everything that a run found. */
export interface Report {
  readonly startedAt: string
  readonly seconds: number
  readonly settings: {
    readonly rounds: number
    readonly sliceMs: number
    readonly warmUpMs: number
    readonly scale: string
  }
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  readonly workloads: readonly {
    readonly name: string
    readonly title: string
    readonly columns: readonly Figure[]
    readonly ratioOf: Workload['ratio']
    readonly rows: readonly Row[]
    readonly failures: WorkloadResult['failures']
    readonly slices: readonly Slice[]
  }[]
}

/** One row per case and target, in the order in which they were met. */
export function toRows({ slices }: WorkloadResult): Row[] {
  const groups = new Map<string, Slice[]>()
  for (const slice of slices) {
    const key = JSON.stringify([slice.case, slice.target])
    groups.set(key, [...(groups.get(key) ?? []), slice])
  }
  return [...groups.values()].map((group) => {
    const keys = new Set(group.flatMap(({ figures }) => Object.keys(figures)))
    const figures = [...keys].map(
      (key) => [key, summarize(group.flatMap(({ figures }) => figures[key] ?? []))] as const,
    )
    const ratios = group.flatMap(({ ratio }) => ratio ?? [])
    const [{ case: caseName, target }] = group as [Slice]
    return {
      case: caseName,
      target,
      figures: Object.fromEntries(figures),
      ratio: ratios.length > 0 ? summarize(ratios) : undefined,
    }
  })
}

export function toMarkdown(report: Report): string {
  return [
    '# Benchmark',
    '',
    describeRun(report),
    '',
    ...report.workloads.flatMap((workload) => [...toTable(workload), '']),
    ...toGoalTable(report),
    '## Versions',
    '',
    Object.entries(report.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
    '',
  ].join('\n')
}

function describeRun({ startedAt, seconds, settings, machine }: Report): string {
  const { rounds, sliceMs, warmUpMs, scale } = settings
  const { cpu, cores, memoryGb, os, node, load, pinned } = machine
  return [
    `${startedAt}, ${Math.round(seconds)} s. ${cpu}, ${cores} cores, ${memoryGb} GB, ${os}, Node ${node}, load ${load.join(' ')} at the start,`,
    `${pinned ? 'server and load generator pinned to separate cores' : 'NOT pinned: figures of server and load generator mix'}.`,
    `${rounds} rounds of ${sliceMs} ms, warm-up ${warmUpMs} ms, scale ${scale}.`,
    'Medians; ± is the distance of the quartiles. CPU is what the process of the server used.',
    'Ratios are to the `dispatch` slices next to each slice.',
  ].join(' ')
}

function toTable({ name, title, columns: figures, ratioOf, rows, failures }: Report['workloads'][number]): string[] {
  const caseNames = new Set(rows.map((row) => row.case))
  const ratioTitle = `${figures.find(({ key }) => key === ratioOf.key)?.title} ÷ dispatch`
  const heads = [...(caseNames.size > 1 ? ['case'] : []), 'target', ...figures.map(({ title }) => title), ratioTitle]
  return [
    `## ${name} · ${title}`,
    '',
    toLine(heads),
    toLine(heads.map((_, index) => (index < heads.length - figures.length - 1 ? '---' : '---:'))),
    ...rows.map((row) =>
      toLine([
        ...(caseNames.size > 1 ? [row.case] : []),
        row.target,
        ...figures.map((figure) => toCell(row.figures[figure.key], figure.digits)),
        toCell(row.ratio, 2),
      ]),
    ),
    ...failures.map((failure) => `\n${failure.target} failed (${failure.case}): ${failure.error}`),
  ]
}

function toGoalTable(report: Report): string[] {
  const goals = toGoals(report)
  if (goals.length === 0) return []
  return [
    '## Goals',
    '',
    'What this repository sets itself, as far as this run has the targets that each compares with.',
    '',
    '| goal | target | measured | limit | |',
    '| --- | --- | ---: | ---: | --- |',
    ...goals.map((goal) => {
      const { text, target, value = Number.NaN, limit, direction, digits } = goal
      const limitText = `${direction} ${limit.toLocaleString('en')}`
      return toLine([text, target, toNumber(value, digits), limitText, isReached(goal) ? 'reached' : '**not reached**'])
    }),
    '',
  ]
}

function toNumber(value: number, digits: number): string {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function toLine(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

function toCell(summary: Summary | undefined, digits: Figure['digits']): string {
  if (!summary) return '–'
  const text = toNumber(summary.median, digits)
  return summary.count < 2 || summary.median === 0 ? text : `${text} ± ${Math.round(100 * summary.spread)} %`
}
